// When did a datagram arrive? The rule that turns INTn edges into arrival times. Pure: captures in, a stamp out.
//
// INTn falls once for all that arrives until the host clears the cause. So an edge belongs to a datagram only when
//  - exactly one edge is new since the last look,
//  - the datagram is the first of this look, and no other stamped socket had a cause at the same time,
//  - the edge came after everything seen before had been read, so that it cannot be the chip's reminder of the rest.
// Any other datagram gets the time at which it was seen, which is later than its arrival but never earlier, and the
// width of the interval in which it must have arrived. A server that claims such a time as exact would lie.
//
// INTn was high just before an edge, so nothing that waits now came before the only new edge, whoever's it was.
//
// Ticks as in hal/abi.ts. Stamps are times of INTn: the frame's last bit arrived earlier by the board's constants.

/** `ticks u64 | spread u32 | restSpread u32 | used u32 | 0`, 24 bytes, 8-aligned. One for a pin INTn. */
@unmanaged
export class Arrivals {
  /** The stamp of the look's first datagram: its edge, or an upper bound. */
  ticks: u64
  /** The first datagram may have arrived earlier than `ticks` by up to this; 0 for an exact stamp. */
  spread: u32
  /** The others of the look arrived at most this long before the look. */
  restSpread: u32
  /** Count of the edges that are spent. */
  used: u32
  unused: u32
}

/** Bytes of an `Arrivals`. */
export const ARRIVALS_SIZE: usize = 24

export const enum Stamp {
  /** The datagram's own edge. */
  Exact = 0,
  /** An upper bound: the edge was another's, was lost, or was itself taken late. */
  Merged = 1,
}

/** An edge that was taken late was so by less than this: 10 us. A handler waits for a cache line, or for another edge's. */
export const LATE_LIMIT: u64 = 160

/**
 * Stamps one look at a socket's RX buffer and spends its edges. `from`: ticks of the socket's previous look; what the
 * present one shows arrived after that. `trusted`: an edge until then may be a reminder of what was already seen. `alone`: no other stamped socket had a cause at the time. `count`, `late`, `edge`: the capture taken before the cause was cleared. `seen`: ticks after RX_RSR was read.
 * `countAfter`: the capture's count after that. The stamp of the first datagram is in `ticks` and `spread`; all others
 * of the look are `Merged`, at `seen` with `restSpread`.
 */
export function stampLook(
  state: Arrivals,
  from: u64,
  trusted: u64,
  alone: bool,
  count: u32,
  late: u32,
  edge: u64,
  seen: u64,
  countAfter: u32,
): Stamp {
  const only = count - state.used === 1 && edge > trusted && edge <= seen
  const own = only && alone
  // A late edge was earlier than it says.
  const since = only ? edge - (late === 0 ? 0 : LATE_LIMIT) : from
  state.ticks = own ? edge : seen
  state.spread = width(since, state.ticks)
  state.restSpread = width(since, seen)
  state.used = countAfter
  return own && late === 0 ? Stamp.Exact : Stamp.Merged
}

function width(from: u64, to: u64): u32 {
  if (to <= from) return 0
  return to - from > 0xffff_ffff ? 0xffff_ffff : <u32>(to - from)
}
