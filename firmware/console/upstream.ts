// The console's words about upstream servers, one line each, keys and values named after chrony's columns.
//
//   sources   source NAME mark=* stratum= poll= reach= (octal) last= (s) offset= (ns, of our clock against the last sample)
//             error= (its bound, root distance included, ns); then one line for what they say together
//   authdata  auth NAME mode=nts keyid= type= klen= last= (s) atmp= nak= cook= clen= failure= reason= (words, to the line's end)

import { putDecimal } from '../bytes/ascii'
import { ClockState, clockNow, clockState } from '../clock/clock'
import { upstreamAssociation, upstreamCount, upstreamOption, upstreamSelect } from '../net/upstream'
import { ErrandFailure } from '../net/upstream_errand'
import {
  Association,
  AssociationFlag,
  associationFilter,
  associationHas,
  associationPoll,
  associationSession,
} from '../ntp/association'
import { filterNewest } from '../ntp/clock_filter'
import { Mark, Selection, sourceAt } from '../ntp/select'
import { TICKS_PER_SECOND } from '../ntp/ticks'
import { jarCookieLength, jarCount } from '../nts/cookie_jar'
import { putKeFailure } from '../nts/ke_client'
import { sessionJar } from '../nts/session'
import { Instant, nanosFromFraction } from '../time/instant'
import { say, sayBytes, sayLine, sayNumber, saySigned } from './text'

const THEN = changetype<Instant>(memory.data(16, 8))
const OCTAL: usize = memory.data(8, 4)
/** As long as putKeFailure's longest sentence. */
const WORDS: usize = memory.data(80, 4)

/** Answers `sources`. `now` in ticks. */
export function saySources(now: u64): void {
  sayNobody()
  const together = upstreamSelect(now)
  for (let i: u32 = 0; i < upstreamCount(); i++) saySource(i, now)
  saySelection(together)
}

/** Answers `authdata`. */
export function sayAuthData(now: u64): void {
  sayNobody()
  for (let i: u32 = 0; i < upstreamCount(); i++) {
    const a = upstreamAssociation(i)
    sayName('auth ', i)
    if (associationHas(a, AssociationFlag.Nts)) sayKeys(a, now)
    else say(' mode=-')
    sayLine()
  }
}

/** An empty answer would be a riddle. */
function sayNobody(): void {
  if (upstreamCount() !== 0) return
  say('no upstream servers')
  sayLine()
}

function saySource(index: u32, now: u64): void {
  const a = upstreamAssociation(index)
  sayName('source ', index)
  say(' mark=')
  sayMark(sourceAt(index).mark)
  item(' stratum=', a.stratum)
  say(' poll=')
  saySigned(associationPoll(a).poll)
  say(' reach=')
  sayOctal(a.reach)
  sayAge(' last=', a.heardAt, now)
  saySample(a)
  item(' sent=', a.sent)
  item(' good=', a.good)
  item(' ignored=', a.ignored)
  item(' useless=', a.useless)
  item(' kisses=', a.kisses)
  sayLine()
}

/** Our clock's offset against the newest sample, if there are both. */
function saySample(a: Association): void {
  const sample = filterNewest(associationFilter(a))
  if (sample === 0) return
  if (clockState() !== ClockState.Unknown) {
    clockNow(THEN, load<u64>(sample))
    say(' offset=')
    saySigned(THEN.seconds * 1_000_000_000 + <i64>nanosFromFraction(THEN.fraction) - load<i64>(sample, 8))
  }
  item(' delay=', load<u64>(sample, 16))
  // As chrony: with what the server says of the way to its own reference.
  const root = <u64>((a.rootDelay >> 1) + a.rootDispersion)
  item(' error=', load<u64>(sample, 24) + (load<u64>(sample, 16) >> 1) + root)
}

function saySelection(s: Selection): void {
  item('selection candidates=', s.candidates)
  item(' agreeing=', s.agreeing)
  item(' survivors=', s.survivors)
  item(' authenticated=', s.authenticated)
  item(' stratum=', s.stratum)
  item(' leap=', s.leap)
  if (s.agreeing !== 0) {
    item(' width=', <u64>(s.high - s.low))
    if (clockState() !== ClockState.Unknown) {
      clockNow(THEN, s.ticks)
      say(' offset=')
      saySigned(THEN.seconds * 1_000_000_000 + <i64>nanosFromFraction(THEN.fraction) - s.utc)
    }
  }
  sayLine()
}

function sayKeys(a: Association, now: u64): void {
  const session = associationSession(a)
  say(' mode=nts')
  item(' keyid=', a.keCount)
  item(' type=', session.aead)
  item(' klen=', session.keyLength * 8)
  sayAge(' last=', a.keAt, now)
  item(' atmp=', a.keAttempts)
  item(' nak=', a.naks)
  item(' cook=', jarCount(sessionJar(session)))
  item(' clen=', jarCookieLength(sessionJar(session)))
  item(' failure=', a.keFailure)
  if (a.keFailure !== 0) sayReason(a.keFailure)
}

/** Why the last key exchange failed. */
function sayReason(failure: u32): void {
  say(' reason=')
  if (failure === ErrandFailure.NoAddress) say('no address for the name')
  else if (failure === ErrandFailure.NoConnection) say('no TCP connection')
  else if (failure === ErrandFailure.TimedOut) say('it took too long')
  else if (failure === ErrandFailure.NoServer) say('no address for the NTP server that it named')
  else sayBytes(WORDS, putKeFailure(WORDS, failure) - WORDS)
}

function sayName(what: string, index: u32): void {
  const option = upstreamOption(index)
  say(what)
  if (changetype<usize>(option) !== 0) sayBytes(option.name, option.nameLength)
}

function sayMark(mark: u32): void {
  if (mark === Mark.Best) say('*')
  else if (mark === Mark.Combined) say('+')
  else if (mark === Mark.Outlier) say('-')
  else if (mark === Mark.Falseticker) say('x')
  else say('?')
}

function sayOctal(reach: u32): void {
  const digits = ((reach >> 6) & 7) * 100 + ((reach >> 3) & 7) * 10 + (reach & 7)
  sayBytes(OCTAL, putDecimal(OCTAL, digits) - OCTAL)
}

/** Seconds since a tick; `-` when it never was. */
function sayAge(name: string, at: u64, now: u64): void {
  say(name)
  if (at === 0) say('-')
  else sayNumber((now - at) / TICKS_PER_SECOND)
}

function item(name: string, value: u64): void {
  say(name)
  sayNumber(value)
}
