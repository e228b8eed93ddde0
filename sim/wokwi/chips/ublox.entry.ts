// A u-blox M8 receiver for Wokwi: sim/chips/ublox.ts behind a UART and the PPS pin.
//
// Attributes, also as controls: sky: the antenna sees satellites. pps: the time pulse reaches its pin. warm: at the start
// the receiver knows ephemerides and time. unixTime: the POSIX second of UTC at the start of the simulation. seed: of its noise.
// It gets power 1 ms after the start, so that what a scenario sets before its first delay holds from the beginning.
//
// A chip's UART has one rate for its life, so the receiver's is fixed at 9600: it refuses to change it. uartWrite begins to
// send when it is called, so bytes come one byte's time later than from the model alone.

import { Sky } from '../../chips/sky'
import { UbloxReceiver } from '../../chips/ublox'
import { Alarm, Attribute, config, INPUT_PULLUP, OUTPUT_HIGH, Output, pin, supply } from './api.entry'
import { getSimNanos, uartInit, uartWrite } from './env'

const BAUD: i32 = 9600
const POWER_ON: f64 = 1e6
const QUEUE_SIZE: i32 = 4096

class ControlledSky extends Sky {
  private sky: Attribute = new Attribute('sky', 1)
  private unixTime: Attribute = new Attribute('unixTime', 1_793_491_200)

  unixOrigin(): f64 {
    return <f64>this.unixTime.value
  }

  leapSeconds(): i32 {
    return 18
  }

  leapMidnight(): f64 {
    return 0
  }

  leapChange(): i32 {
    return 0
  }

  visible(_nanos: f64): bool {
    return this.sky.on
  }
}

class Part {
  private model: UbloxReceiver = changetype<UbloxReceiver>(0)
  private pulse: Output = new Output('PPS', 0)
  private pulseOn: Attribute = new Attribute('pps', 1)
  private warm: Attribute = new Attribute('warm', 0)
  private alarm: Alarm = changetype<Alarm>(0)
  private uart: i32 = 0
  private powered: bool = false
  /** When the pulse that is high falls. */
  private falls: f64 = Infinity
  private queue: Uint8Array = new Uint8Array(QUEUE_SIZE)
  private queueEnd: i32 = 0
  private queueSent: i32 = 0
  private busy: bool = false

  start(): void {
    const user = changetype<usize>(this)
    const sky = new ControlledSky()
    this.model = new UbloxReceiver(sky, <i32>new Attribute('seed', 1).value)
    this.model.defaultBaud = BAUD
    this.model.rateFixed = true
    this.alarm = new Alarm(user, ring)
    supply()
    const at = config(user)
    store<i32>(at + 4, pin('RX', INPUT_PULLUP))
    store<i32>(at + 8, pin('TX', OUTPUT_HIGH))
    store<i32>(at + 12, BAUD)
    store<u32>(at + 16, received.index)
    store<u32>(at + 20, written.index)
    this.uart = uartInit(at)
    this.alarm.set(POWER_ON)
  }

  ring(): void {
    const now = getSimNanos()
    this.alarm.rang()
    if (!this.powered) {
      this.powered = true
      this.model.powerOn(now, this.warm.on)
      this.model.setHostBaud(BAUD)
    }
    this.advance(now)
  }

  receive(byte: i32): void {
    const now = getSimNanos()
    if (!this.powered) return
    this.advance(now)
    this.model.writeUart(now, byte)
    this.advance(now)
  }

  /** The bytes given to uartWrite have left. */
  sent(): void {
    this.busy = false
    this.send()
  }

  private advance(now: f64): void {
    this.model.advance(now)
    for (let at = this.model.takePulse(now); at >= 0; at = this.model.takePulse(now)) {
      if (!this.pulseOn.on) continue
      this.pulse.set(1)
      this.falls = this.model.pulseEnds()
    }
    if (this.falls <= now) {
      this.falls = Infinity
      this.pulse.set(0)
    }
    for (let byte = this.model.readUart(now); byte >= 0; byte = this.model.readUart(now)) this.push(byte)
    this.send()
    const next = this.model.nextEvent()
    this.alarm.set(next < this.falls ? next : this.falls)
  }

  private push(byte: i32): void {
    if (this.queueEnd < QUEUE_SIZE) this.queue[this.queueEnd++] = <u8>byte
  }

  private send(): void {
    if (this.busy) return
    if (this.queueSent === this.queueEnd) {
      this.queueSent = 0
      this.queueEnd = 0
      return
    }
    const count = this.queueEnd - this.queueSent
    this.busy = uartWrite(this.uart, this.queue.dataStart + this.queueSent, count) !== 0
    if (this.busy) this.queueSent = this.queueEnd
  }
}

function ring(user: usize): void {
  changetype<Part>(user).ring()
}

function received(user: usize, byte: i32): void {
  changetype<Part>(user).receive(byte & 0xff)
}

function written(user: usize): void {
  changetype<Part>(user).sent()
}

export function chipInit(): void {
  new Part().start()
}

export function __wokwi_api_version_1(): i32 {
  return 1
}
