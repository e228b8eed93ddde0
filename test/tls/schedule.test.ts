// Owners of every temper: whatever order the server's functions are called in, nothing is lost, nothing traps, and it
// comes to rest.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { ScriptedClient } from './scripted_client'
import { Alert, Group, Message, message, Suite, Type, u8 } from './scripted_end'
import { LEAF, loadTls, State, TlsServer } from './tls_server'

let entry: Entry
beforeAll(async () => {
  entry = await loadTls()
})

/** xorshift32 */
function random(seed: number): (below: number) => number {
  let state = seed * 2654435761 || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

describe('a connection', () => {
  it('may be closed at any step of the handshake, and forgets its secrets', () => {
    for (let steps = 0; ; steps += 1 + (steps >> 6)) {
      const server = new TlsServer(entry)
      const client = new ScriptedClient()
      server.offer(client.sendHello({ suites: [Suite.Aes128], groups: [Group.P256] }))
      let busy = true
      for (let i = 0; i < steps && busy; i++) busy = server.step()
      server.close()
      while (server.step()) {}
      expect(server.state).toBe(State.Closed)
      expect(server.take().length).toBeGreaterThan(0)
      expect(server.step()).toBe(false)
      server.offer(new Uint8Array(100))
      expect(server.pending).toBe(0)
      if (!busy) break
    }
  })

  it('that is closed with its flight unread sends the flight and close_notify under the right keys', () => {
    const server = new TlsServer(entry)
    const client = new ScriptedClient(LEAF.publicKey)
    server.offer(client.sendHello())
    while (server.step()) {}
    server.close()
    client.read(server.deliver())
    expect(client.authenticated).toBe(true)
    expect(client.alertRead).toBe(Alert.CloseNotify)
  })

  it('may be wiped at any step and begun anew in the same memory', () => {
    for (let steps = 1; steps < 1000; steps += 50) {
      const first = new TlsServer(entry)
      first.offer(new ScriptedClient().sendHello({ groups: [Group.P256] }))
      for (let i = 0; i < steps; i++) first.step()
      first.wipe()
      expect(first.state).toBe(State.Closed)
      const server = new TlsServer(entry)
      const client = new ScriptedClient(LEAF.publicKey)
      client.read(server.deliver(client.sendHello()))
      server.deliver(client.sendFinished())
      expect(server.state).toBe(State.Open)
    }
  })

  it('loses nothing, whatever the order of writing, reading, stepping, sending, exporting and key updates', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const pick = random(seed)
      const server = new TlsServer(entry)
      const client = new ScriptedClient(LEAF.publicKey)
      client.read(
        server.deliver(client.sendHello({ suites: [[Suite.Aes128, Suite.Aes256, Suite.ChaCha20][pick(3)]!] })),
      )
      server.deliver(client.sendFinished())
      let said = ''
      let heard = ''
      let written = ''
      for (let turn = 0; turn < 120; turn++) {
        const line = `${seed}:${turn}${'.'.repeat(pick(400))};`
        switch (pick(7)) {
          case 0:
            server.offer(client.protect(Type.ApplicationData, line, pick(60)))
            said += line
            break
          case 1:
            if (server.write(line)) written += line
            break
          case 2:
            for (let steps = pick(12); steps > 0; steps--) server.step()
            break
          case 3:
            client.read(server.take(pick(600)))
            break
          case 4:
            heard += Buffer.from(server.read(pick(300))).toString()
            server.offer(new Uint8Array())
            break
          case 5:
            if (pick(3) !== 0) break
            server.offer(client.protect(Type.Handshake, message(Message.KeyUpdate, u8(pick(2)))))
            client.updateWrite()
            break
          default:
            if (pick(4) !== 0) break
            expect(Buffer.from(server.export('EXPORTER-x', u8(turn), 40))).toEqual(
              client.exportKeyingMaterial('EXPORTER-x', u8(turn), 40),
            )
        }
      }
      for (let turn = 0; turn < 300; turn++) {
        client.read(server.deliver())
        heard += Buffer.from(server.read()).toString()
      }
      expect(server.pending).toBe(0)
      expect(heard).toBe(said)
      expect(Buffer.from(client.data).toString()).toBe(written)
      expect(server.state).toBe(State.Open)
    }
  })
})
