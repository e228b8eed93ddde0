// The serial console's line editor: bytes in, whole lines out. No echo: terminals and scripts read the same answers.

/** Longest line, in bytes; longer ones are cut there. */
const LINE_MAX: usize = 128
const LINE: usize = memory.data(<i32>LINE_MAX, 8)
let used: usize = 0
let complete: bool = false

/** Takes one typed byte. True when a line is complete; it stays at `lineBytes()` until the next call. */
export function lineTake(byte: u32): bool {
  if (complete) {
    complete = false
    used = 0
  }
  if (byte === 0x0a || byte === 0x0d) {
    complete = used > 0
    return complete
  }
  if (byte === 0x08 || byte === 0x7f) {
    if (used > 0) used -= 1
  } else if (byte >= 0x20 && used < LINE_MAX) {
    store<u8>(LINE + used, byte)
    used += 1
  }
  return false
}

/** Address of the completed line. */
export function lineBytes(): usize {
  return LINE
}

/** Length of the completed line. */
export function lineLength(): usize {
  return used
}
