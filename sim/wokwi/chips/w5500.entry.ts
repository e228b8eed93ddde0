// W5500 for Wokwi: sim/chips/w5500.ts behind SPI buffers, INTn and RSTn, with a scripted LAN (script_lan.entry.ts) where the
// cable would be.
//
// A slave's answer must be in its buffer before the master's byte comes. The three header bytes answer 1, 2, 3; after them the
// chip knows the address, and fills its buffer with what a read would return (`peek`). Written bytes take effect when their
// buffer is full or chip select rises.
//
// Attributes, also as controls: see script_lan.entry.ts; cable: it is plugged in.

import { W5500 } from '../../chips/w5500'
import { Alarm, Attribute, config, INPUT_PULLUP, OUTPUT_LOW, Output, pin, supply, watch } from './api.entry'
import { getSimNanos, pinRead, spiInit, spiStart, spiStop } from './env'
import { ScriptLan } from './script_lan.entry'

const HEADER: i32 = 3
const CHUNK: i32 = 64
const LOOK: f64 = 50e6

class Part {
  private lan: ScriptLan = new ScriptLan()
  private model: W5500 = changetype<W5500>(0)
  private interrupt: Output = new Output('INT', 1)
  private cable: Attribute = new Attribute('cable', 1)
  private alarm: Alarm = changetype<Alarm>(0)
  private buffer: usize = changetype<usize>(new StaticArray<u8>(CHUNK))
  private spi: i32 = 0
  private cs: i32 = 0
  private reset: i32 = 0
  private header: bool = false
  private selected: bool = false
  /** A buffer is offered, and `done` has not come. */
  private open: bool = false
  /** Chip select has risen. */
  private closing: bool = false
  private plugged: bool = true
  private lookAt: f64 = LOOK

  start(): void {
    const user = changetype<usize>(this)
    this.model = new W5500(this.lan)
    this.lan.chip = this.model
    this.alarm = new Alarm(user, ring)
    supply()
    this.cs = pin('CS', INPUT_PULLUP)
    this.reset = pin('RST', INPUT_PULLUP)
    watch(this.cs, user, changed)
    watch(this.reset, user, changed)
    const at = config(user)
    store<i32>(at + 4, pin('SCLK', INPUT_PULLUP))
    store<i32>(at + 8, pin('MOSI', INPUT_PULLUP))
    store<i32>(at + 12, pin('MISO', OUTPUT_LOW))
    store<u32>(at + 20, done.index)
    this.spi = spiInit(at)
    this.after()
  }

  change(pin: i32, level: i32): void {
    const now = getSimNanos()
    if (pin === this.reset) this.model.setReset(now, level)
    else if (pin === this.cs && level === 0) this.select(now)
    else if (pin === this.cs) this.deselect()
    this.after()
  }

  /** `count` bytes of the buffer have been exchanged. */
  exchanged(count: i32): void {
    if (!this.open) return
    this.open = false
    this.model.advance(getSimNanos())
    for (let i = 0; i < count; i++) this.model.transfer(load<u8>(this.buffer + i))
    if (this.closing) this.end()
    else if (count === (this.header ? HEADER : CHUNK) && pinRead(this.cs) === 0) {
      this.header = false
      this.offer(CHUNK)
    }
    this.after()
  }

  ring(): void {
    const now = getSimNanos()
    this.alarm.rang()
    this.model.advance(now)
    if (now >= this.lookAt) this.look(now)
    this.after()
  }

  private select(now: f64): void {
    this.end()
    this.model.select(now)
    this.selected = true
    this.closing = false
    this.header = true
    this.offer(HEADER)
  }

  private deselect(): void {
    if (!this.selected) return
    this.closing = true
    // The last bytes come through `exchanged`: before this returns as Wokwi's example has it, but they may come later.
    spiStop(this.spi)
    if (!this.open) this.end()
  }

  /** The frame is over. */
  private end(): void {
    if (!this.selected) return
    this.selected = false
    this.open = false
    this.model.deselect(getSimNanos())
  }

  private offer(count: i32): void {
    for (let i = 0; i < count; i++) store<u8>(this.buffer + i, this.model.peek(i))
    this.open = true
    spiStart(this.spi, this.buffer, count)
  }

  /** Something has happened: shows it, and plans what comes next. */
  private after(): void {
    this.interrupt.set(this.model.intLevel)
    const next = this.model.nextEvent()
    this.alarm.set(next < this.lookAt ? next : this.lookAt)
  }

  private look(now: f64): void {
    this.lookAt = now + LOOK
    const plugged = this.cable.on
    if (plugged !== this.plugged) this.model.setCable(now, plugged)
    this.plugged = plugged
  }
}

function changed(user: usize, pin: i32, level: i32): void {
  changetype<Part>(user).change(pin, level)
}

function done(user: usize, _buffer: usize, count: i32): void {
  changetype<Part>(user).exchanged(count)
}

function ring(user: usize): void {
  changetype<Part>(user).ring()
}

export function chipInit(): void {
  new Part().start()
}

export function __wokwi_api_version_1(): i32 {
  return 1
}
