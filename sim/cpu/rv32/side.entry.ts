// Side records: what a decoded operation needs when it leaves the fast path.
//
//   pc(4) | target(4) | done(2) | size(1)
//
// `done` counts the instructions of the block up to and with this one; `size` is this instruction's length in bytes;
// `target` is where a jump goes.

import { CODE, SIDE } from '../layout'

export function sideOf(ip: usize): usize {
  return ((ip - CODE) << 1) + SIDE
}

export function sidePc(ip: usize): u32 {
  return load<u32>(sideOf(ip))
}

export function sideTarget(ip: usize): u32 {
  return load<u32>(sideOf(ip), 4)
}

export function sideDone(ip: usize): i32 {
  return load<u16>(sideOf(ip), 8)
}

export function sideSize(ip: usize): u32 {
  return load<u8>(sideOf(ip), 10)
}

export function writeSide(ip: usize, pc: u32, target: u32, done: u32, size: u32): void {
  const side = sideOf(ip)
  store<u32>(side, pc)
  store<u32>(side, target, 4)
  store<u16>(side, <u16>done, 8)
  store<u8>(side, <u8>size, 10)
}
