// The image's crash record (hal/esp32c3/crash.c) at the beginning of RTC fast memory.
//
//   magic(4) "NMCR" | kind(4) | code(4) | pc(4) | address(4) | sp(4) | ticks(8) | count(4) | check(4)

const MAGIC = 0x4e4d_4352
const KINDS = ['none', 'trap', 'wasm', 'reset'] as const
const WORDS = 10

export interface Crash {
  kind: (typeof KINDS)[number]
  code: number
  pc: number
  address: number
  message: string
}

/** The record as the last run left it; undefined when there is none. */
export function crashOf(rtc: Uint8Array): Crash | undefined {
  const view = new DataView(rtc.buffer, rtc.byteOffset, 4 * WORDS)
  const word = (n: number): number => view.getUint32(4 * n, true)
  if (word(0) !== MAGIC) return undefined
  let sum = 0
  for (let n = 0; n < WORDS - 1; n++) sum = ((sum << 5) | (sum >>> 27)) ^ word(n)
  if (sum >>> 0 !== word(WORDS - 1)) return undefined
  const kind = KINDS[word(1)] ?? 'none'
  if (kind === 'none') return undefined
  const [code, pc, address] = [word(2), word(3), word(4)]
  const message = `${kind} ${code} at pc 0x${pc.toString(16)}, address 0x${address.toString(16)}`
  return { kind, code, pc, address, message }
}
