// DNS messages, for the test beside this file.

import { dnsAddress, dnsAddressCount, dnsAnswer, dnsQuery } from '../../firmware/net/dns'
import { dottedQuad } from '../../firmware/net/upstream_resolve'

export { dnsAddress, dnsAddressCount }

const TEXT: usize = memory.data(512, 8)
const QUERY: usize = memory.data(512, 8)
const MESSAGE: usize = memory.data(1024, 8)

export function text(): usize {
  return TEXT
}
export function queryAt(): usize {
  return QUERY
}
export function message(): usize {
  return MESSAGE
}
export function query(id: u32, length: u32): u32 {
  return dnsQuery(QUERY, id, TEXT, length)
}
export function answer(length: u32, queryLength: u32): u32 {
  return dnsAnswer(MESSAGE, length, QUERY, queryLength)
}
export function quad(length: u32): u32 {
  return dottedQuad(TEXT, length)
}
