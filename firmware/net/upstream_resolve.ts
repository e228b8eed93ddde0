// An errand: a name to IPv4 addresses, by asking the resolver over UDP.
//
//   resolveBegin(name) -> resolvePoll until Done or Failed -> resolveAddress
//
// The resolver is the option `dns=ADDRESS [port P]`, else the gateway. A literal address needs no resolver. Each of three
// tries has a port and an id of its own and waits twice as long as the one before.

import {
  optionFind,
  optionRefuse,
  optionWord,
  optionWordAddress,
  optionWordIs,
  optionWordNumber,
} from '../drivers/board_options'
import { settingsGateway } from '../drivers/board_settings'
import { MILLISECOND } from '../drivers/w5500'
import { NO_PARTNER } from '../drivers/w5500_socket'
import { Route, udpClose, udpOpen, udpPrepare, udpReady, udpReceive, udpSend, udpWaiting } from '../drivers/w5500_udp'
import { DNS_ANSWER_MAX, DnsVerdict, dnsAddress, dnsAddressCount, dnsAnswer, dnsQuery } from './dns'
import { SOCKET_UPSTREAM } from './sockets'
import { ERRAND_SCRATCH, Progress, random16, randomPort } from './upstream_errand'

const DNS_PORT: u32 = 53
const TRIES: u32 = 3
const PATIENCE: u64 = MILLISECOND * 1000

const enum Phase {
  Opening = 0,
  Waiting = 1,
  Over = 2,
}

let resolver: u32 = 0
let resolverPort: u32 = 53

let phase: Phase = Phase.Over
let name: usize = 0
let nameLength: u32 = 0
let id: u32 = 0
let tries: u32 = 0
let deadline: u64 = 0
/** A literal address; 0: the answer's are meant. */
let literal: u32 = 0

/** Reads the option; in boot(). */
export function resolveInit(): void {
  resolver = settingsGateway()
  resolverPort = DNS_PORT
  if (!optionFind('dns')) return
  const address = optionWord(0) ? optionWordAddress() : 0
  let port: i64 = DNS_PORT
  if (optionWord(1)) port = optionWordIs('port') && optionWord(2) ? optionWordNumber() : -1
  if (address === 0 || port < 1 || port > 0xffff) {
    optionRefuse()
    return
  }
  resolver = address
  resolverPort = <u32>port
}

/** Begins. The name is borrowed until the errand is over. */
export function resolveBegin(text: usize, length: u32, now: u64): Progress {
  literal = dottedQuad(text, length)
  if (literal !== 0) return Progress.Done
  if (resolver === 0) return Progress.Failed
  name = text
  nameLength = length
  tries = 0
  open(now)
  return Progress.Waiting
}

export function resolvePoll(now: u64): Progress {
  if (phase === Phase.Opening && udpReady(SOCKET_UPSTREAM, now) && !ask(now)) return end(Progress.Failed)
  if (phase === Phase.Waiting && udpWaiting(SOCKET_UPSTREAM)) {
    const verdict = hear(now)
    if (verdict === DnsVerdict.Found) return end(Progress.Done)
    if (verdict === DnsVerdict.Nothing) return end(Progress.Failed)
    if (verdict === DnsVerdict.Refused) deadline = now
  }
  if (now < deadline) return Progress.Waiting
  tries++
  if (tries >= TRIES) return end(Progress.Failed)
  open(now)
  return Progress.Waiting
}

export function resolveDue(now: u64): u64 {
  return udpWaiting(SOCKET_UPSTREAM) || (phase === Phase.Opening && udpReady(SOCKET_UPSTREAM, now)) ? now : deadline
}

/** One of the addresses: `turn` says which, so that a server's addresses take turns. */
export function resolveAddress(turn: u32): u32 {
  return literal !== 0 ? literal : dnsAddress(turn % dnsAddressCount())
}

function open(now: u64): void {
  udpOpen(SOCKET_UPSTREAM, NO_PARTNER, randomPort())
  phase = Phase.Opening
  deadline = now + (PATIENCE << tries)
}

/** False: it is not a name that DNS could know. */
function ask(now: u64): bool {
  id = random16()
  const length = dnsQuery(ERRAND_SCRATCH, id, name, nameLength)
  if (length === 0) return false
  phase = Phase.Waiting
  if (udpPrepare(SOCKET_UPSTREAM, resolver, resolverPort, now) === Route.None) return true
  udpSend(ERRAND_SCRATCH, length)
  return true
}

function hear(now: u64): DnsVerdict {
  const datagram = udpReceive(SOCKET_UPSTREAM, DNS_ANSWER_MAX, now)
  if (changetype<usize>(datagram) === 0) return DnsVerdict.Ignored
  if (datagram.ip !== resolver || datagram.port !== resolverPort) return DnsVerdict.Ignored
  const length = dnsQuery(ERRAND_SCRATCH, id, name, nameLength)
  return dnsAnswer(datagram.data, datagram.length, ERRAND_SCRATCH, length)
}

function end(progress: Progress): Progress {
  phase = Phase.Over
  udpClose(SOCKET_UPSTREAM)
  return progress
}

/** `a.b.c.d` as an address in host order; 0 when it is not one. */
export function dottedQuad(text: usize, length: u32): u32 {
  let address: u32 = 0
  let number: u32 = 0
  let digits: u32 = 0
  let parts: u32 = 0
  for (let i: u32 = 0; i <= length; i++) {
    const character = i < length ? <u32>load<u8>(text + i) : 0x2e
    if (character === 0x2e) {
      if (digits === 0 || number > 255 || parts === 4) return 0
      address = (address << 8) | number
      parts++
      number = 0
      digits = 0
    } else {
      if (character < 0x30 || character > 0x39 || digits === 3) return 0
      number = number * 10 + (character - 0x30)
      digits++
    }
  }
  return parts === 4 ? address : 0
}
