// Network byte order at the edge. Wire fields lie at any offset, so these go byte by byte: an unaligned load would cost
// a trap or a slow path on RV32 (docs/architecture.md, "Aligned accesses").

export function loadU16be(p: usize): u32 {
  return ((<u32>load<u8>(p)) << 8) | <u32>load<u8>(p, 1)
}

export function loadU24be(p: usize): u32 {
  return ((<u32>load<u8>(p)) << 16) | ((<u32>load<u8>(p, 1)) << 8) | <u32>load<u8>(p, 2)
}

export function loadU32be(p: usize): u32 {
  return ((<u32>load<u8>(p)) << 24) | ((<u32>load<u8>(p, 1)) << 16) | ((<u32>load<u8>(p, 2)) << 8) | <u32>load<u8>(p, 3)
}

export function storeU16be(p: usize, value: u32): void {
  store<u8>(p, value >> 8)
  store<u8>(p, value, 1)
}

export function storeU24be(p: usize, value: u32): void {
  store<u8>(p, value >> 16)
  store<u8>(p, value >> 8, 1)
  store<u8>(p, value, 2)
}

export function storeU32be(p: usize, value: u32): void {
  store<u8>(p, value >> 24)
  store<u8>(p, value >> 16, 1)
  store<u8>(p, value >> 8, 2)
  store<u8>(p, value, 3)
}

export function storeU64be(p: usize, value: u64): void {
  storeU32be(p, <u32>(value >> 32))
  storeU32be(p + 4, <u32>value)
}

// Little endian, for UBX and the HAL's structures.

export function loadU16le(p: usize): u32 {
  return <u32>load<u8>(p) | ((<u32>load<u8>(p, 1)) << 8)
}

export function loadU32le(p: usize): u32 {
  return <u32>load<u8>(p) | ((<u32>load<u8>(p, 1)) << 8) | ((<u32>load<u8>(p, 2)) << 16) | ((<u32>load<u8>(p, 3)) << 24)
}

export function storeU16le(p: usize, value: u32): void {
  store<u8>(p, value)
  store<u8>(p, value >> 8, 1)
}

export function storeU32le(p: usize, value: u32): void {
  store<u8>(p, value)
  store<u8>(p, value >> 8, 1)
  store<u8>(p, value >> 16, 2)
  store<u8>(p, value >> 24, 3)
}
