// The scripted LAN's TLS client for a test that carries its bytes to a real server.

import { TlsClient } from '../../sim/wokwi/chips/tls_client.entry'

let client: TlsClient = changetype<TlsClient>(0)
const INPUT: usize = memory.data(8192, 8)

/** Begins; returns where bytes for `receive` and `send` are put. */
export function start(): usize {
  client = new TlsClient()
  client.start()
  return INPUT
}

export function receive(length: i32): i32 {
  client.receive(INPUT, length)
  return client.stage
}

export function send(length: i32): void {
  client.send(INPUT, length)
}

export function output(): usize {
  return client.out.at
}

export function outputLength(): i32 {
  return client.out.length
}

export function outputSent(): void {
  client.out.length = 0
}

export function data(): usize {
  return client.data.at
}

export function dataLength(): i32 {
  return client.data.length
}

/** 32 exported bytes at the input buffer, for NTS's label and context. */
export function exportKey(direction: i32): usize {
  store<u32>(INPUT, 0x0f00_0000)
  store<u8>(INPUT + 4, <u8>direction)
  client.export('EXPORTER-network-time-security', INPUT, 5, INPUT + 64, 32)
  return INPUT + 64
}
