import { Channel, capture, TICK_HZ, ticks } from '../hal/abi'

@unmanaged
class Foo {
  a: u32
  b: u64
}
const CAPTURE = memory.data(16, 8)
const FOO = changetype<Foo>(memory.data(offsetof<Foo>(), 8))
const T: StaticArray<u32> = [1, 2, 3, 4]
const enum E {
  A = 1,
  B,
}
function put(p: usize, s: string): usize {
  for (let i = 0; i < s.length; i++) store<u8>(p + i, s.charCodeAt(i))
  return p + s.length
}
export function boot(): void {
  FOO.a = 3
  put(CAPTURE, 'hi')
}
export function poll(): u64 {
  capture(Channel.Pps, CAPTURE)
  return ticks() + TICK_HZ + FOO.a + unchecked(T[FOO.a & 3]) + E.B
}
