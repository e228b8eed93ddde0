// A writer of DER (ITU-T X.690, section 10) over caller-given memory: tag, length, content, one value after the other.
//
// A constructed value is opened, its members are written, and it is closed: `derClose` then knows the length and moves
// the content up when the length needs more than one byte. Writing past the end sets `overflow` and changes nothing
// outside the span; the caller asks once, at the end.

/** `start | at | end | overflow`, 16 bytes, 4-aligned. */
@unmanaged
export class DerWriter {
  start: usize
  /** Address of the next byte. */
  at: usize
  /** Address after the last byte that may be written. */
  end: usize
  /** 1 once something did not fit; everything after that is ignored. */
  overflow: u32
}

/** Bytes of a `DerWriter`. */
export const DER_WRITER_SIZE: usize = offsetof<DerWriter>()

/** Identifier octets (X.690, section 8.1.2) of the types that certificates use. */
export const enum DerTag {
  Boolean = 0x01,
  Integer = 0x02,
  BitString = 0x03,
  OctetString = 0x04,
  ObjectIdentifier = 0x06,
  Utf8String = 0x0c,
  UtcTime = 0x17,
  GeneralizedTime = 0x18,
  Sequence = 0x30,
  Set = 0x31,
  /** Context-specific, primitive; add the number. */
  Context = 0x80,
  /** Context-specific, constructed; add the number. */
  ContextConstructed = 0xa0,
}

export function derInit(writer: DerWriter, start: usize, capacity: usize): void {
  writer.start = start
  writer.at = start
  writer.end = start + capacity
  writer.overflow = 0
}

/** Bytes written so far. */
export function derLength(writer: DerWriter): u32 {
  return <u32>(writer.at - writer.start)
}

export function derByte(writer: DerWriter, byte: u32): void {
  const at = derReserve(writer, 1)
  if (at !== 0) store<u8>(at, byte)
}

export function derBytes(writer: DerWriter, data: usize, length: usize): void {
  const at = derReserve(writer, length)
  if (at !== 0) memory.copy(at, data, length)
}

/** Advances by `length` bytes, which the caller fills; returns their address, or 0 when they do not fit. */
export function derReserve(writer: DerWriter, length: usize): usize {
  const at = writer.at
  if (writer.overflow !== 0 || length > writer.end - at) {
    writer.overflow = 1
    return 0
  }
  writer.at = at + length
  return at
}

/** Begins a value of type `tag`; returns the mark that `derClose` wants. */
export function derOpen(writer: DerWriter, tag: u32): usize {
  derByte(writer, tag)
  derByte(writer, 0)
  return writer.at
}

/** Ends the value that `derOpen` began: writes its length in the shortest form (X.690, section 10.1). */
export function derClose(writer: DerWriter, mark: usize): void {
  if (writer.overflow !== 0) return
  const length = writer.at - mark
  const extra: usize = length < 0x80 ? 0 : length < 0x100 ? 1 : 2
  if (length > 0xffff || (extra !== 0 && derReserve(writer, extra) === 0)) {
    writer.overflow = 1
    return
  }
  if (extra === 0) {
    store<u8>(mark - 1, length)
    return
  }
  memory.copy(mark + extra, mark, length)
  store<u8>(mark - 1, 0x80 | extra)
  if (extra === 2) store<u8>(mark, length >> 8)
  store<u8>(mark + extra - 1, length)
}

/** A primitive value: tag, length, content. */
export function derValue(writer: DerWriter, tag: u32, data: usize, length: usize): void {
  const mark = derOpen(writer, tag)
  derBytes(writer, data, length)
  derClose(writer, mark)
}

/** INTEGER from an unsigned big-endian number: leading zeros go, a sign byte comes where the top bit is set. */
export function derInteger(writer: DerWriter, data: usize, length: usize): void {
  let skip: usize = 0
  while (skip < length && load<u8>(data + skip) === 0) skip++
  const mark = derOpen(writer, DerTag.Integer)
  if (skip === length || load<u8>(data + skip) >= 0x80) derByte(writer, 0)
  derBytes(writer, data + skip, length - skip)
  derClose(writer, mark)
}

/** BOOLEAN TRUE. (FALSE is a DEFAULT wherever certificates use it, and so is never written.) */
export function derTrue(writer: DerWriter): void {
  derByte(writer, DerTag.Boolean)
  derByte(writer, 1)
  derByte(writer, 0xff)
}

/** Opens a BIT STRING whose last byte has `unused` bits that do not count; the caller writes the bytes and closes. */
export function derOpenBits(writer: DerWriter, unused: u32): usize {
  const mark = derOpen(writer, DerTag.BitString)
  derByte(writer, unused)
  return mark
}
