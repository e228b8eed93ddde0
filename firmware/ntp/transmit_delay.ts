// How long after T3 a reply's first bit leaves: sealing, the bus, the chip's own latency. T3 is moved forward by it.
//
// It is learnt from earlier replies, one entry for each length of plain and of sealed replies; a server's replies have few.
// A reply of a length not sent before takes the delay of the longest known one that is shorter, and before there is any the
// board's start value for its kind, which belongs to a short one: T3 may be early, but it is never late. An early one makes the client's delay longer, which covers the error; a late one would make it shorter, and
// the sample look good.
//
// Delays are in 2^-32 s.

const ENTRIES: u32 = 32

/** `length << 1 | sealed u32 | delay u32`, 8 bytes; key 0 is free. */
const TABLE: usize = memory.data(32 * 8, 8)

let plainStart: u32 = 0
let sealedStart: u32 = 0

/** What the board knows before anything was sent, 2^-32 s. */
export function transmitDelayStart(plain: u32, sealed: u32): void {
  plainStart = plain
  sealedStart = sealed
}

/** The delay to expect for a reply of `length` bytes; `sealed` when it has an NTS authenticator. */
export function transmitDelay(length: u32, sealed: bool): u32 {
  const key = keyOf(length, sealed)
  const entry = entryOf(key)
  return load<u32>(entry) === key ? load<u32>(entry, 4) : delayOfShorter(key)
}

/**
 * A reply of `length` bytes took `delay`. A shorter delay than expected is half believed; a longer one may have been an
 * interruption and moves the expectation by an eighth of itself at most.
 */
export function transmitDelayLearn(length: u32, sealed: bool, delay: u32): void {
  const key = keyOf(length, sealed)
  const entry = entryOf(key)
  const known = load<u32>(entry) === key ? load<u32>(entry, 4) : delay
  store<u32>(entry, delay < known ? known - ((known - delay) >> 1) : known + min((delay - known) >> 2, known >> 3), 4)
  store<u32>(entry, key)
}

/** The start value when none is known. */
function delayOfShorter(key: u32): u32 {
  let longest: u32 = 0
  let delay = (key & 1) === 0 ? plainStart : sealedStart
  for (let i: u32 = 0; i < ENTRIES; i++) {
    const other = load<u32>(TABLE + (i << 3))
    if (other > longest && other < key && ((other ^ key) & 1) === 0) {
      longest = other
      delay = load<u32>(TABLE + (i << 3), 4)
    }
  }
  return delay
}

function keyOf(length: u32, sealed: bool): u32 {
  return (length << 1) | (sealed ? 1 : 0)
}

/** Lengths are multiples of 4. */
function entryOf(key: u32): usize {
  return TABLE + (((key >> 3) + (key & 1) * 5) & (ENTRIES - 1)) * 8
}
