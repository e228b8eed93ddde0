// The flash image as a client of an NTS server, on the simulated ESP32-C3: from its first boot through a key exchange with a chain
// of RSA-2048 (leaf, intermediate, anchor in flash) to a reach of 377, with every poll() counted.

import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anchorImage, makeAnchor } from '../../src/anchor_image'
import { stackUsed, watchPolls } from '../../src/poll_watch'
import { lines } from '../net/lan_servers'
import { Certificates, honestServer, NtsServers, RESOLVER } from '../scenarios/boot_servers'
import { asLanBoard } from '../soc/board'
import { AKI, CA, OPENSSL, serverFor, Workshop } from '../tls/x509_openssl'
import { expectNothingStrange, image, makeC3, missingEsp32c3 } from './esp32c3_board'

const SECOND = 1e9
const NAME = 'time.example'
const BEGIN = 1_577_836_800
const END = 4_102_444_800
/** No poll() of the appliance may take longer. */
const POLL_LIMIT = 40_000
/** But for those that write a record of a session or an identity into the flash. */
const WRITE_LIMIT = 135_000
/** Of the stack, as in esp32c3_budget.test.ts, which holds the image's RAM too. */
const STACK_LIMIT = 2048
/** A whole key exchange, of the appliance's own. */
const EXCHANGE_LIMIT = 25_000_000

class RsaCertificates extends Certificates {
  private readonly rsa = new Workshop(BEGIN)
  private readonly dates = { notBefore: BEGIN, notAfter: END }
  private readonly root = this.rsa.make('Root', { key: 'rsa2048:root', extensions: CA, ...this.dates })
  private readonly between = this.rsa.make('Intermediate', {
    key: 'rsa2048:between',
    issuer: this.root,
    extensions: [...CA, AKI],
    ...this.dates,
  })
  private readonly leaf = this.rsa.make(NAME, {
    key: 'rsa2048:leaf',
    issuer: this.between,
    extensions: [...serverFor(`DNS:${NAME}`), AKI],
    ...this.dates,
  })

  override anchors(): Uint8Array {
    const made = makeAnchor(this.root.der, '', BEGIN)
    if (!('anchor' in made)) throw new Error(made.reason)
    return anchorImage([made.anchor])
  }

  override server(): Uint8Array[] {
    return [this.leaf.der, this.between.der]
  }

  override key(): KeyObject {
    return createPrivateKey(readFileSync(this.rsa.key('rsa2048:leaf')))
  }

  override dispose(): void {
    super.dispose()
    this.rsa.dispose()
  }
}

describe.skipIf(missingEsp32c3 || !OPENSSL)('the image', () => {
  let certificates: RsaCertificates
  beforeAll(() => {
    certificates = new RsaCertificates()
  })
  afterAll(() => certificates.dispose())

  it('exchanges keys with an RSA-2048 chain and is told the time, no poll() above 40,000 instructions', () => {
    const servers = new NtsServers([honestServer(NAME, BEGIN, END)], certificates, 1)
    const board = makeC3({
      machine: {
        anchors: certificates.anchors(),
        settings: {
          address: '192.168.7.1',
          mask: '255.255.255.0',
          gateway: '192.168.7.254',
          names: ['noonmark.local', 'localhost'],
          options: [`server=${NAME} nts minpoll 1 maxpoll 1`, `dns=${RESOLVER}`],
        },
      },
    })
    servers.attach(asLanBoard(board))
    let spent = 0
    let longest = 0
    let longestWriting = 0
    let programmed = 0
    watchPolls(board, image(), ({ instructions }) => {
      spent += instructions
      // A write to the flash's log is a unit of its own: docs/decisions/0011-instruction-budget.md.
      if (board.machine.flash.programmed === programmed) longest = Math.max(longest, instructions)
      else longestWriting = Math.max(longestWriting, instructions)
      programmed = board.machine.flash.programmed
    })
    while (servers.exchanges === 0 && board.now < 30 * SECOND) board.advance(0.01 * SECOND)
    const exchange = spent
    board.advance(SECOND)
    expect(servers.exchanges, board.ask('authdata')).toBe(1)
    const first = { longest, longestWriting }

    // The first polls with a pulse are long, and nobody is served before them.
    expect(board.runUntilSaid('ready', 60), board.ask('authdata')).toBe(true)
    board.advance(3 * SECOND)
    longest = 0
    longestWriting = 0
    for (let i = 0; i < 30 && lines(board.ask('sources'), 'source')[0]?.['reach'] !== '377'; i++) board.advance(SECOND)
    board.ask('sources')
    board.advance(0.1 * SECOND)
    const [source] = lines(board.consoleText, 'source')
    board.ask('authdata')
    board.advance(0.1 * SECOND)
    const [auth] = lines(board.consoleText, 'auth')
    expect(source, JSON.stringify(auth)).toMatchObject({ reach: '377', mark: '*', stratum: '1' })
    expect(Math.abs(Number(source?.['offset']))).toBeLessThan(50_000)
    expect(auth).toMatchObject({ mode: 'nts', keyid: '1', type: '15', klen: '256', atmp: '0', nak: '0', cook: '8' })
    expect(board.ask('tracking')).toMatch(/Alarm +: none/)
    board.advance(10 * SECOND)
    if (process.env['DEBUG'])
      console.log({ exchange, first, longest, longestWriting, stack: stackUsed(board, image()) })
    // Besides the exchange, the name's resolution and what an appliance does in its first fifth of a second.
    expect(exchange).toBeGreaterThan(1_000_000)
    expect(exchange).toBeLessThanOrEqual(EXCHANGE_LIMIT)
    expect(first.longest).toBeLessThanOrEqual(POLL_LIMIT)
    expect(longest).toBeLessThanOrEqual(POLL_LIMIT)
    expect(first.longestWriting).toBeLessThanOrEqual(WRITE_LIMIT)
    expect(longestWriting).toBeLessThanOrEqual(WRITE_LIMIT)
    expect(stackUsed(board, image())).toBeLessThanOrEqual(STACK_LIMIT)
    expect(board.machine.counters.traps).toBe(0)
    expectNothingStrange(board)
  })
})
