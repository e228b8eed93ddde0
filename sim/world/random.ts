// Reproducible chance. Every source of noise has a stream of its own, named, so that changing one leaves the others
// as they were. The generator is sfc32 (Doty-Humphrey's small fast counter), seeded through FNV-1a of "seed/name".

export class Random {
  private a: number
  private b: number
  private c: number
  private counter = 1
  private spare = Number.NaN

  constructor(seed: number | string, name = '') {
    const text = `${seed}/${name}`
    this.a = fnv1a(text, 0x811c9dc5)
    this.b = fnv1a(text, 0x9e3779b9)
    this.c = fnv1a(text, 0x85ebca6b)
    for (let i = 0; i < 16; i++) this.u32()
  }

  /** 32 random bits. */
  u32(): number {
    const t = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + t
    this.c |= 0
    return t >>> 0
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return ((this.u32() >>> 5) * 67_108_864 + (this.u32() >>> 6)) / 9_007_199_254_740_992
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    if (!Number.isNaN(this.spare)) {
      const z = this.spare
      this.spare = Number.NaN
      return z
    }
    const r = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.spare = r * Math.sin(angle)
    return r * Math.cos(angle)
  }

  /** Fills `out` with random bytes. */
  fill(out: Uint8Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.u32() >>> 24
  }
}

function fnv1a(text: string, basis: number): number {
  let hash = basis
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
