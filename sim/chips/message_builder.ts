// Builds UBX frames and NMEA sentences in a buffer of its own.
//
// Portable subset: compiles as TypeScript and as AssemblyScript.

export class MessageBuilder {
  readonly bytes: Uint8Array = new Uint8Array(1024)
  length: i32 = 0

  /** Begins a UBX frame: `B5 62 class id length(2)`. */
  beginUbx(cls: i32, id: i32): void {
    this.length = 0
    this.u8(0xb5)
    this.u8(0x62)
    this.u8(cls)
    this.u8(id)
    this.u16(0)
  }

  /** Fills in the length and the 8-bit Fletcher checksum over class..payload. */
  endUbx(): void {
    const payload = this.length - 6
    this.bytes[4] = payload & 0xff
    this.bytes[5] = payload >> 8
    let a: i32 = 0
    let b: i32 = 0
    for (let i: i32 = 2; i < this.length; i++) {
      a = (a + (this.bytes[i] as i32)) & 0xff
      b = (b + a) & 0xff
    }
    this.u8(a)
    this.u8(b)
  }

  /** Begins a sentence with `$` and its address, for example "GNRMC". */
  beginNmea(address: string): void {
    this.length = 0
    this.u8(0x24)
    this.ascii(address)
  }

  /** Ends a sentence: `*` hh CR LF, hh the XOR of all between `$` and `*`. */
  endNmea(): void {
    let sum: i32 = 0
    for (let i: i32 = 1; i < this.length; i++) sum ^= this.bytes[i] as i32
    this.u8(0x2a)
    this.u8(hexDigit(sum >> 4))
    this.u8(hexDigit(sum & 15))
    this.u8(13)
    this.u8(10)
  }

  u8(value: i32): void {
    this.bytes[this.length] = value & 0xff
    this.length += 1
  }

  u16(value: i32): void {
    this.u8(value)
    this.u8(value >> 8)
  }

  u32(value: i32): void {
    this.u16(value)
    this.u16(value >> 16)
  }

  /** An unsigned 32-bit field from a number of 0..2^32-1. */
  unsigned(value: f64): void {
    const high = Math.floor(value / 65536.0)
    this.u16((value - high * 65536.0) as i32)
    this.u16(high as i32)
  }

  zeros(count: i32): void {
    for (let i: i32 = 0; i < count; i++) this.u8(0)
  }

  ascii(text: string): void {
    for (let i: i32 = 0; i < text.length; i++) this.u8(text.charCodeAt(i))
  }

  /** Text in a field of `width` bytes, filled up with NULs. */
  padded(text: string, width: i32): void {
    this.ascii(text)
    this.zeros(width - text.length)
  }

  /** `value` in decimal with at least `width` digits. */
  decimal(value: i32, width: i32): void {
    let scale: i32 = 1
    for (let i: i32 = 1; i < width; i++) scale *= 10
    while (value >= scale * 10) scale *= 10
    let rest = value
    while (scale > 0) {
      const digit = Math.floor((rest / scale) as f64) as i32
      this.u8(0x30 + digit)
      rest -= digit * scale
      scale = Math.floor((scale / 10) as f64) as i32
    }
  }
}

function hexDigit(nibble: i32): i32 {
  return nibble < 10 ? 0x30 + nibble : 0x37 + nibble
}
