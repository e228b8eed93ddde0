// The TLS client of the scripted LAN against OpenSSL (Node's tls): that it speaks TLS 1.3 and not a dialect that only our own
// server understands, and that it refuses a handshake of which anything was changed.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

const OPEN = 2
const FAILED = 4
const PEM = readFileSync(fileURLToPath(new URL('../src/certificates/good.pem', import.meta.url)))
const server = createServer({ key: PEM, cert: PEM, minVersion: 'TLSv1.3', ALPNProtocols: ['ntske/1'] })
let port = 0
let entry: Entry

beforeAll(async () => {
  entry = await loadEntry(new URL('./tls_client.entry.ts', import.meta.url), 'checked')
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => void server.close())

/** Connects; `change` may spoil what the server says. Resolves when the client is open, or has failed. */
async function handshake(change: (bytes: Buffer, offset: number) => void = () => {}) {
  const { exports } = entry
  const input = exports['start']()
  const socket: Socket = connect(port, '127.0.0.1')
  let offset = 0
  const flush = () => {
    const length = exports['outputLength']()
    if (length > 0) socket.write(entry.read(exports['output'](), length))
    exports['outputSent']()
  }
  socket.on('error', () => {})
  await once(socket, 'connect')
  flush()
  const stage = await new Promise<number>((done) => {
    socket.on('data', (bytes: Buffer) => {
      change(bytes, offset)
      offset += bytes.length
      entry.write(input, bytes)
      const now = exports['receive'](bytes.length)
      flush()
      if (now >= OPEN) done(now)
    })
    socket.on('close', () => done(FAILED))
  })
  return { stage, socket, flush, input, length: offset }
}

it('completes_a_handshake_exchanges_data_and_exports_the_keys_of_OpenSSL', async () => {
  const secured = once(server, 'secureConnection')
  const { stage, socket, flush, input } = await handshake()
  expect(stage).toBe(OPEN)
  const [peer] = (await secured) as [TLSSocket]
  expect(peer.alpnProtocol).toBe('ntske/1')
  entry.write(input, Buffer.from('hello'))
  entry.exports['send'](5)
  flush()
  expect(String((await once(peer, 'data'))[0])).toBe('hello')
  for (const direction of [0, 1]) {
    const context = Buffer.of(0, 0, 0, 15, direction)
    const expected = peer.exportKeyingMaterial(32, 'EXPORTER-network-time-security', context)
    expect(Buffer.from(entry.read(entry.exports['exportKey'](direction), 32))).toEqual(expected)
  }
  peer.write('and back')
  await expect
    .poll(() => Buffer.from(entry.read(entry.exports['data'](), entry.exports['dataLength']())).toString())
    .toBe('and back')
  socket.destroy()
})

it('refuses_a_flight_of_which_any_part_was_changed', async () => {
  const { length, socket } = await handshake()
  socket.destroy()
  // From the ServerHello's random on; its record header and the session tickets behind the flight are not protected.
  for (let at = 20; at < Math.min(length, 700); at += 37) {
    const { stage, socket: spoiled } = await handshake((bytes, offset) => {
      if (at >= offset && at < offset + bytes.length) bytes[at - offset]! ^= 0x10
    })
    spoiled.destroy()
    expect(stage, `byte ${at} of ${length}`).toBe(FAILED)
  }
})
