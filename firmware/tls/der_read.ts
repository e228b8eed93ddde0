// A reader of DER (ITU-T X.690, section 10) over bytes that a peer has sent.
//
// It walks one span: `derNext` reads the head of the next value and steps over it; `derEnter` goes inside the value just
// read, `derLeave` comes back out and demands that nothing was left over. The first fault sticks: after it every call
// says false and touches nothing, so that a caller may ask once, at the end (`fault`).
//
// Refused: tags of more than one byte, indefinite lengths, lengths not in their shortest form or above 65,535, and values
// that end beyond their span. Nothing is copied; spans are addresses and lengths in the caller's bytes.

/** `at | end | tag | start | value | length | fault`, 28 bytes, 4-aligned. */
@unmanaged
export class DerReader {
  /** The next value's head. */
  at: usize
  /** Address after the span that is being read. */
  end: usize
  /** Of the value read last: its identifier octet, the address of its head, the address and length of its contents. */
  tag: u32
  start: usize
  value: usize
  length: u32
  /** 1 once something was no DER. */
  fault: u32
}

/** Bytes of a `DerReader`. */
export const DER_READER_SIZE: usize = offsetof<DerReader>()

export function derRead(reader: DerReader, at: usize, length: u32): void {
  reader.at = at
  reader.end = at + length
  reader.fault = 0
}

/** True when another value may be read. */
export function derMore(reader: DerReader): bool {
  return reader.fault === 0 && reader.at < reader.end
}

/** Identifier octet of the next value, 0 at the end of the span. */
export function derPeek(reader: DerReader): u32 {
  return derMore(reader) ? <u32>load<u8>(reader.at) : 0
}

/** Reads the head of the next value and steps over its contents. */
export function derNext(reader: DerReader): bool {
  const at = reader.at
  const room = reader.end - at
  if (reader.fault !== 0 || room < 2) return derFail(reader)
  const tag: u32 = load<u8>(at)
  let length: u32 = load<u8>(at, 1)
  let head: usize = 2
  if (length >= 0x80) {
    head = <usize>length - 0x80 + 2
    if (room < head || head < 3 || head > 4) return derFail(reader)
    length = load<u8>(at, 2)
    if (head === 4) length = (length << 8) | <u32>load<u8>(at, 3)
    if (length < (head === 3 ? 0x80 : 0x100)) return derFail(reader)
  }
  if ((tag & 0x1f) === 0x1f || length > room - head) return derFail(reader)
  reader.tag = tag
  reader.start = at
  reader.value = at + head
  reader.length = length
  reader.at = at + head + length
  return true
}

/** As `derNext`, and the value must be of this type. */
export function derExpect(reader: DerReader, tag: u32): bool {
  return derNext(reader) && (reader.tag === tag || derFail(reader))
}

/** Goes inside the value that was read last; returns what `derLeave` wants. */
export function derEnter(reader: DerReader): usize {
  const end = reader.end
  reader.at = reader.value
  reader.end = reader.value + reader.length
  return end
}

/** Comes back out, behind the value; nothing may be left in it. */
export function derLeave(reader: DerReader, end: usize): bool {
  if (reader.fault !== 0 || reader.at !== reader.end) return derFail(reader)
  reader.end = end
  return true
}

/** Notes a fault; false. */
export function derFail(reader: DerReader): bool {
  reader.fault = 1
  return false
}

/** The next value must be a BOOLEAN TRUE or not be there: DER leaves a DEFAULT FALSE out. True when it was there. */
export function derTakeTrue(reader: DerReader): bool {
  if (derPeek(reader) !== 0x01) return false
  if (!derNext(reader)) return false
  return (reader.length === 1 && load<u8>(reader.value) === 0xff) || derFail(reader)
}

/** The next value must be an INTEGER in its shortest form, not negative, of at most `longest` content octets. */
export function derTakeUnsigned(reader: DerReader, longest: u32): bool {
  if (!derExpect(reader, 0x02)) return false
  const length = reader.length
  if (length === 0 || length > longest) return derFail(reader)
  const first: u32 = load<u8>(reader.value)
  const padded = length > 1 && first === 0 && load<u8>(reader.value, 1) < 0x80
  return (first < 0x80 && !padded) || derFail(reader)
}

/** The next value must be a BIT STRING of whole octets; `value` and `length` are then those of the octets. */
export function derTakeOctets(reader: DerReader): bool {
  if (!derExpect(reader, 0x03)) return false
  if (reader.length < 1 || load<u8>(reader.value) !== 0) return derFail(reader)
  reader.value += 1
  reader.length -= 1
  return true
}
