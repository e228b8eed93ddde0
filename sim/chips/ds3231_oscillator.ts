// How fast a DS3231 runs besides its fixed error: what its temperature compensation leaves, noise and ageing.
//
//   in    the part's seed; the temperature now, and as the part has read it
//   out   parts per million, positive when it runs fast; the jitter of an edge
//
//   rate = the capacitors' share - 0.035 (T - 25)^2 + tilt (T - 25) + bend (T - 25)^2 + ageing + flicker + white
//
// The capacitors are set anew with each conversion, every 64 s, from the temperature as read, in steps: while the temperature
// moves the rate is a sawtooth, which is what people see who plot it (time-nuts, June 2016).
//
// From the data sheet (19-5170): the conversion every 64 s, 0.25 C, +-2 ppm from 0 to 40 C, ageing within +-5 ppm in ten
// years and +-1 ppm in the first, 0.1 ppm for a step of the aging register at 25 C. A maker's engineer said that the
// compensation steps the load at each conversion (time-nuts, December 2019); people have measured 0.05 ppm a step of the
// register at room temperature (time-nuts, April 2011). -0.035 ppm per C^2 is any 32 kHz tuning fork's.
// Assumed, because nobody has published it: that the compensation's step is 0.1 ppm, what is left of slope and
// curvature, the noises and the jitter.
//
// Seed 0 is a part without all of that, but for nothing: its rate is constant.

/** ppm per C^2, and where its top is. */
const CURVE: f64 = 0.035
const TOP: f64 = 25
/** What a step of the capacitors does, ppm. */
const STEP: f64 = 0.1
/** Standard deviations over parts of what the trimming leaves: ppm per C, ppm per C^2. At 0 C the two make 0.6 ppm. */
const TILT: f64 = 0.02
const BEND: f64 = 0.0005
/** Ageing is even within this, ppm a year: with that 5 ppm in ten years and 1 ppm in the first are kept. */
const AGEING: f64 = 0.5
const YEAR: f64 = 31_557_600
/** Seconds between two conversions. */
const CONVERSION: f64 = 64
/** Standard deviation, ppm, of each of three noises that fade within 200, 2,000 and 20,000 s: together flicker. */
const FLICKER: f64 = 0.003
const FLICKERS: i32 = 3
/** White noise of the frequency over a second, ppm; jitter of the square wave's edge, ns. */
const WHITE: f64 = 0.002
const JITTER: f64 = 30

export class Ds3231Oscillator {
  private state: i32 = 0
  private steps: i32 = 0
  private aged: f64 = 0
  private readonly flicker: Float64Array = new Float64Array(FLICKERS)
  private tilt: f64 = 0
  private bend: f64 = 0
  private ageing: f64 = 0
  private ideal: bool

  constructor(seed: i32) {
    this.ideal = seed === 0
    this.state = seed
    if (seed !== 0) this.draw()
  }

  /** What differs from part to part. */
  private draw(): void {
    for (let i: i32 = 0; i < 16; i++) this.random()
    this.tilt = TILT * this.normal()
    this.bend = BEND * this.normal()
    this.ageing = AGEING * (2 * this.uniform() - 1)
    for (let i: i32 = 0; i < FLICKERS; i++) this.flicker[i] = FLICKER * this.normal()
  }

  /** A temperature was read, in quarter degrees: the capacitors are set by it. */
  convert(quarters: i32): void {
    if (this.ideal) return
    const off: f64 = (quarters as f64) / 4 - TOP
    this.steps = Math.round((CURVE * off * off) / STEP) as i32
    this.aged += (this.ageing * CONVERSION) / YEAR
    for (let i: i32 = 0; i < FLICKERS; i++) {
      const kept: f64 = i === 0 ? 0.7261 : i === 1 ? 0.9685 : 0.9968
      this.flicker[i] = kept * this.flicker[i] + FLICKER * Math.sqrt(1 - kept * kept) * this.normal()
    }
  }

  /** ppm at a temperature. */
  rate(degrees: f64): f64 {
    if (this.ideal) return 0
    const off: f64 = degrees - TOP
    const left: f64 = STEP * (this.steps as f64) + (this.bend - CURVE) * off * off + this.tilt * off
    return left + this.aged + this.flicker[0] + this.flicker[1] + this.flicker[2]
  }

  /** ppm by which this one second differs. */
  white(): f64 {
    return this.ideal ? 0 : WHITE * this.normal()
  }

  /** ns by which an edge is late. */
  jitter(): f64 {
    return this.ideal ? 0 : JITTER * this.normal()
  }

  /** Writes 16 bytes. */
  save(view: DataView, at: i32): void {
    view.setInt32(at, this.state, true)
    view.setFloat32(at + 4, this.aged as f32, true)
    view.setInt16(at + 8, this.steps as i16, true)
    for (let i: i32 = 0; i < FLICKERS; i++)
      view.setInt16(at + 10 + 2 * i, Math.round(this.flicker[i] * 1e6) as i16, true)
  }

  /** Takes over what `save` has written; what an ideal part has written says nothing. */
  restore(view: DataView, at: i32): void {
    const state: i32 = view.getInt32(at, true)
    if (this.ideal || state === 0) return
    this.state = state
    this.aged = view.getFloat32(at + 4, true) as f64
    this.steps = view.getInt16(at + 8, true) as i32
    for (let i: i32 = 0; i < FLICKERS; i++) this.flicker[i] = (view.getInt16(at + 10 + 2 * i, true) as f64) * 1e-6
  }

  /** Marsaglia's xorshift. */
  private random(): i32 {
    let x: i32 = this.state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x
    return x
  }

  private uniform(): f64 {
    return ((this.random() >>> 8) as f64) / 16_777_216.0
  }

  /** Mean 0, standard deviation 1, never beyond 3.5: four uniforms. */
  private normal(): f64 {
    const sum: f64 = this.uniform() + this.uniform() + this.uniform() + this.uniform()
    return (sum - 2) * Math.sqrt(3)
  }
}
