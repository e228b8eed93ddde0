// Comparison, selection and wiping whose running time depends on lengths and addresses only, never on contents.
//
// Nothing here branches on a byte or uses one as an address, so it holds on the ESP32-C3 and on a PC alike.
// The WebAssembly compilers in use (V8, wasm2c with gcc) keep these loops as they are written: the accumulator is
// compared once, after the last byte.

/** True when the `length` bytes at `a` and at `b` are the same. Always reads all of them. */
export function equalBytes(a: usize, b: usize, length: u32): bool {
  let difference: u32 = 0
  for (let i: u32 = 0; i < length; i++) difference |= load<u8>(a + i) ^ load<u8>(b + i)
  return difference === 0
}

/** Overwrites `length` bytes with zeros. Linear memory outlives every call, so no compiler may drop the stores. */
export function wipe(p: usize, length: u32): void {
  memory.fill(p, 0, length)
}

/** All ones when the lowest bit of `bit` is 1, else 0: a mask for `selectU32`. */
export function maskOfBit(bit: u32): u32 {
  return 0 - (bit & 1)
}

/** `a` where `mask` has ones, `b` where it has zeros. */
export function selectU32(mask: u32, a: u32, b: u32): u32 {
  return b ^ (mask & (a ^ b))
}
