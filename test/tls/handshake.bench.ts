// The server's side of a handshake in V8, by suite and group: `npx vitest bench --run test/tls`.
// A run is everything from the ClientHello to the flight (what follows is two records and two keys).

import { bench, describe } from 'vitest'
import { ScriptedClient } from './scripted_client'
import { Group, Suite } from './scripted_end'
import { loadTls, TlsServer } from './tls_server'

const entry = await loadTls('release')

describe('from ClientHello to Finished', () => {
  for (const [suiteName, suite] of Object.entries(Suite)) {
    for (const [groupName, group] of [
      ['X25519', Group.X25519],
      ['secp256r1', Group.P256],
    ] as const) {
      const hello = new ScriptedClient().sendHello({ suites: [suite], groups: [group] })
      bench(`${suiteName} over ${groupName}`, () => {
        new TlsServer(entry).deliver(hello)
      })
    }
  }
})
