// The judge of certificate chains over whatever flash the test provides, for x509.test.ts and its neighbours.

import {
  TRUST_SIZE,
  Trust,
  trustTag,
  X509_SIZE,
  x509Begin,
  x509LeafKey,
  x509LeafKeyKind,
  x509LeafKeyLength,
  x509NotAfter,
  x509NotBefore,
  x509Step,
  x509Verdict,
} from '../../firmware/tls/x509'
import { hostMatches } from '../../firmware/tls/x509_name'
import { Judgement } from '../../firmware/tls/x509_state'
import { judgeDates, putVerdict, verdictAlert } from '../../firmware/tls/x509_verdict'

const STATE: usize = memory.data(8192, 8)
const LIST: usize = memory.data(16384, 8)
const NAME: usize = memory.data(512, 8)
const PIN: usize = memory.data(32, 8)
/** Where a machine without a flash may look for the anchors. */
const AREA: usize = memory.data(8192, 8)
const TRUST = changetype<Trust>(memory.data(64, 8))

export function list(): usize {
  return LIST
}
export function area(): usize {
  return AREA
}
export function name(): usize {
  return NAME
}
export function pin(): usize {
  return PIN
}
export function stateSize(): u32 {
  return <u32>X509_SIZE
}
export function trustFits(): bool {
  return TRUST_SIZE <= 64 && X509_SIZE <= 8192
}
/** Times as two halves, so that a caller without 64-bit arguments can give them. */
export function begin(listLength: u32, nameLength: u32, tag: u32, pinned: u32, offset: u32): void {
  TRUST.name = NAME
  TRUST.nameLength = nameLength
  TRUST.tag = tag
  TRUST.pin = pinned ? PIN : 0
  x509Begin(STATE, LIST + offset, listLength, TRUST)
}
export function setTime(earliest: i64, latest: i64): void {
  TRUST.earliest = earliest
  TRUST.latest = latest
}
export function setNow(seconds: u32): void {
  TRUST.earliest = seconds
  TRUST.latest = seconds
}
export function step(): bool {
  return x509Step(STATE)
}
export function phase(): u32 {
  return changetype<Judgement>(STATE).phase
}
export function verdict(): u32 {
  return x509Verdict(STATE)
}
export function leafKey(): usize {
  return x509LeafKey(STATE)
}
export function leafKeyLength(): u32 {
  return x509LeafKeyLength(STATE)
}
export function leafKeyKind(): u32 {
  return x509LeafKeyKind(STATE)
}
export function notBefore(): i64 {
  return x509NotBefore(STATE)
}
export function notAfter(): i64 {
  return x509NotAfter(STATE)
}
export function dates(begin: i64, end: i64, earliest: i64, latest: i64): u32 {
  return judgeDates(begin, end, earliest, latest)
}
export function alert(verdict: u32): u32 {
  return verdictAlert(verdict)
}
/** The verdict's words at `name()`. */
export function words(verdict: u32): u32 {
  return <u32>(putVerdict(NAME, verdict) - NAME)
}
export function tagOf(length: u32): u32 {
  return trustTag(NAME, length)
}
export function matches(patternLength: u32, hostLength: u32): bool {
  return hostMatches(LIST, patternLength, NAME, hostLength)
}
