// Which servers tell the truth, and what they say together (RFC 5905 section 11.2): intersection, cluster, combine.
//
//   in    for one tick, each source's estimate of UTC with its root distance
//   out   a mark for each source; UTC with the interval in which the majority has it; what a server at the next stratum
//         would say of its root
//
// The intersection is taken without RFC 5905's rule that a truechimer's middle lies inside of it, as ntpd takes it today: the
// intervals here are bounds that hold, some a hundred times wider than others, and a middle means nothing then.
//
// Nothing here knows our own clock: what the sources agree on can be held against it afterwards. Authenticated sources are
// never mixed with others: as soon as one authenticated source can be used, the others are not (chrony's authselectmode
// `require`, when there is something to require).
//
// Nanoseconds in i64, integers only, no order but that of the sources' numbers: the same input gives the same result.

import { magnitude, rootOf, squareOf } from './clock_filter'

/** Sources at most. */
export const SOURCES_MAX: u32 = 5

/** MINCLOCK, NMIN (RFC 5905, figure 16): the cluster algorithm stops at so many survivors. */
const MIN_SURVIVORS: u32 = 3

/** No interval is narrower than this on either side, as ntpd's `tos mindist`: stamps of software on a LAN are no better. */
export const MIN_DISTANCE: i64 = 250_000

/** Sources that are worse are not used: ntpd's MAXDIST. */
export const MAX_DISTANCE: i64 = 1_500_000_000

/** What became of a source, after chrony's marks. */
export const enum Mark {
  /** `?`: has nothing to say, or nothing that can be used. */
  Unusable = 0,
  /** `x`: contradicts the majority, or there is none. */
  Falseticker = 1,
  /** `-`: agrees, but others do better. */
  Outlier = 2,
  /** `+`: contributes. */
  Combined = 3,
  /** `*`: the best. */
  Best = 4,
}

/** One source's word; 64 bytes, 8-aligned. */
@unmanaged
export class Source {
  utc: i64
  /** Root distance: the truth is within `utc` +- this (RFC 5905, figure 29). */
  distance: i64
  jitter: i64
  /** Of the path to the primary reference. */
  rootDelay: i64
  rootDispersion: i64
  usable: u32
  authenticated: u32
  stratum: u32
  leap: u32
  referenceId: u32
  /** `Mark` */
  mark: u32
}

/** What the sources say together; 88 bytes, 8-aligned. */
@unmanaged
export class Selection {
  /** The tick that all is meant for. */
  ticks: u64
  /** UTC, combined from the survivors. */
  utc: i64
  /** The quorum's interval: more than half of the candidates have UTC in here. */
  low: i64
  high: i64
  /** Of the best source, our own path to it included. */
  rootDelay: i64
  rootDispersion: i64
  jitter: i64
  /** Candidates, and those of them that agree; 0 when there is no majority. */
  candidates: u32
  agreeing: u32
  /** Of those, the ones that were combined. */
  survivors: u32
  /** 1: all candidates are authenticated. */
  authenticated: u32
  /** The best source, its stratum and reference id; leap indicator as most of the agreeing have it. */
  best: u32
  stratum: u32
  referenceId: u32
  leap: u32
}

const SOURCE_SIZE: usize = 64
const SOURCES: usize = memory.data(5 * 64, 8)
const SELECTION: usize = memory.data(88, 8)

/** Ends of intervals: `value i64 | kind i64` (-1 lower, 1 upper), two a candidate. */
const EDGES: usize = memory.data(10 * 16, 8)

/** Source `index`, to be filled in before `select`. */
export function sourceAt(index: u32): Source {
  return changetype<Source>(SOURCES + <usize>index * SOURCE_SIZE)
}

/** The last result. */
export function selection(): Selection {
  return changetype<Selection>(SELECTION)
}

/** Decides over the first `count` sources, whose estimates are for the tick `atTicks`. True: there is a majority. */
export function select(count: u32, atTicks: u64): bool {
  const s = selection()
  memory.fill(SELECTION, 0, 88)
  s.ticks = atTicks
  s.leap = 3
  s.stratum = 16
  choose(count)
  if (s.candidates === 0 || !intersect(count)) return false
  while (s.survivors > MIN_SURVIVORS && castOut(count));
  combine(count)
  return true
}

/** Marks the candidates as Combined for the time being, all others as Unusable. */
function choose(count: u32): void {
  const s = selection()
  let authentic = false
  for (let i: u32 = 0; i < count; i++) {
    const source = sourceAt(i)
    if (source.distance > MAX_DISTANCE) source.usable = 0
    if (source.distance < MIN_DISTANCE) source.distance = MIN_DISTANCE
    if (source.usable !== 0 && source.authenticated !== 0) authentic = true
  }
  for (let i: u32 = 0; i < count; i++) {
    const source = sourceAt(i)
    const candidate: bool = source.usable !== 0 && (!authentic || source.authenticated !== 0)
    source.mark = candidate ? Mark.Combined : Mark.Unusable
    if (candidate) s.candidates += 1
  }
  s.authenticated = authentic ? 1 : 0
}

/** Section 11.2.1. Falsetickers are those whose interval does not touch the intersection. */
function intersect(count: u32): bool {
  const s = selection()
  const edges = listEdges(count)
  let majority = false
  for (let allow: u32 = 0; allow + allow < s.candidates && !majority; allow++) {
    const wanted = <i32>(s.candidates - allow)
    let chime: i32 = 0
    let low: i64 = i64.MAX_VALUE
    for (let i: u32 = 0; i < edges; i++) {
      const kind = edgeKind(i)
      chime -= kind
      if (chime >= wanted) {
        low = edgeValue(i)
        break
      }
    }
    chime = 0
    let high: i64 = i64.MIN_VALUE
    for (let i = <i32>edges - 1; i >= 0; i--) {
      const kind = edgeKind(i)
      chime += kind
      if (chime >= wanted) {
        high = edgeValue(i)
        break
      }
    }
    if (low > high) continue
    s.low = low
    s.high = high
    majority = true
  }
  for (let i: u32 = 0; i < count; i++) {
    const source = sourceAt(i)
    if (source.mark === Mark.Unusable) continue
    const touches: bool = source.utc + source.distance >= s.low && source.utc - source.distance <= s.high
    if (majority && touches) s.agreeing += 1
    else source.mark = Mark.Falseticker
  }
  s.survivors = s.agreeing
  return majority
}

/** Lists the ends of the candidates' intervals, sorted; returns how many. */
function listEdges(count: u32): u32 {
  let edges: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const source = sourceAt(i)
    if (source.mark === Mark.Unusable) continue
    insert(edges, source.utc - source.distance, -1)
    insert(edges + 1, source.utc + source.distance, 1)
    edges += 2
  }
  return edges
}

/** Puts an edge in its place among the `edges` that are there. Where intervals touch, they overlap. */
function insert(edges: u32, value: i64, kind: i32): void {
  let i = edges
  while (i > 0 && (edgeValue(i - 1) > value || (edgeValue(i - 1) === value && edgeKind(i - 1) > kind))) {
    memory.copy(EDGES + ((<usize>i) << 4), EDGES + ((<usize>(i - 1)) << 4), 16)
    i--
  }
  store<i64>(EDGES + ((<usize>i) << 4), value)
  store<i64>(EDGES + ((<usize>i) << 4), <i64>kind, 8)
}

function edgeValue(i: u32): i64 {
  return load<i64>(EDGES + ((<usize>i) << 4))
}

function edgeKind(i: u32): i32 {
  return <i32>load<i64>(EDGES + ((<usize>i) << 4), 8)
}

/** Section 11.2.2: drops the survivor farthest from the others, if that makes things better. */
function castOut(count: u32): bool {
  const s = selection()
  let worst: u32 = 0
  let most: i64 = -1
  let least: i64 = i64.MAX_VALUE
  for (let i: u32 = 0; i < count; i++) {
    const source = sourceAt(i)
    if (source.mark !== Mark.Combined) continue
    if (source.jitter < least) least = source.jitter
    const spread = spreadOf(i, count)
    if (spread <= most) continue
    most = spread
    worst = i
  }
  if (most <= least) return false
  sourceAt(worst).mark = Mark.Outlier
  s.survivors -= 1
  return true
}

/** Selection jitter: how far the others are from one survivor. */
function spreadOf(index: u32, count: u32): i64 {
  const utc = sourceAt(index).utc
  let sum: u64 = 0
  for (let i: u32 = 0; i < count; i++) {
    const source = sourceAt(i)
    if (i !== index && source.mark === Mark.Combined) sum += squareOf(source.utc - utc)
  }
  return <i64>rootOf(sum / <u64>(selection().survivors - 1))
}

/** Section 11.2.3: weights are the inverse root distances. The best has the least stratum, then the least distance. */
function combine(count: u32): void {
  const s = selection()
  let best: u32 = SOURCES_MAX
  for (let i: u32 = 0; i < count; i++) {
    const source = sourceAt(i)
    if (source.mark === Mark.Combined && (best === SOURCES_MAX || isBetter(source, sourceAt(best)))) best = i
  }
  const reference = sourceAt(best)
  reference.mark = Mark.Best
  let weights: i64 = 0
  let offsets: i64 = 0
  for (let i: u32 = 0; i < count; i++) {
    const source = sourceAt(i)
    if (source.mark < <u32>Mark.Combined) continue
    // The distances lie between MIN_DISTANCE and MAX_DISTANCE, so weights between 2^20 / 6000 and 2^20; offsets within 3 s.
    const weight = (MIN_DISTANCE << 20) / source.distance
    weights += weight
    offsets += weight * (source.utc - reference.utc)
  }
  const shift = offsets / weights
  s.utc = min(max(reference.utc + shift, s.low), s.high)
  s.best = best
  s.stratum = reference.stratum
  s.referenceId = reference.referenceId
  s.rootDelay = reference.rootDelay
  s.rootDispersion = reference.rootDispersion + magnitude(shift)
  s.jitter =
    s.survivors > 1 ? <i64>rootOf(squareOf(reference.jitter) + squareOf(spreadOfBest(count))) : reference.jitter
  s.leap = majorityLeap(count)
}

function spreadOfBest(count: u32): i64 {
  const s = selection()
  const utc = sourceAt(s.best).utc
  let sum: u64 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (sourceAt(i).mark >= <u32>Mark.Combined) sum += squareOf(sourceAt(i).utc - utc)
  }
  return <i64>rootOf(sum / <u64>(s.survivors - 1))
}

function isBetter(a: Source, b: Source): bool {
  return a.stratum !== b.stratum ? a.stratum < b.stratum : a.distance < b.distance
}

/** A leap second is believed when more than half of those that agree announce the same one. */
function majorityLeap(count: u32): u32 {
  const agreeing = selection().agreeing
  let inserted: u32 = 0
  let deleted: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    if (sourceAt(i).mark < <u32>Mark.Outlier) continue
    if (sourceAt(i).leap === 1) inserted++
    else if (sourceAt(i).leap === 2) deleted++
  }
  if (inserted + inserted > agreeing) return 1
  return deleted + deleted > agreeing ? 2 : 0
}
