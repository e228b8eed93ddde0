// What `noonmark flash` has written to the flash of a fake chip, started on the simulated ESP32-C3: it has the address, the names and the
// upstream server of the settings sector, and believes that server by the anchors.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { flash } from '../../src/flash'
import { Certificates, honestServer, NtsServers, RESOLVER } from '../scenarios/boot_servers'
import { asLanBoard } from '../soc/board'
import { FakeEsp32c3 } from '../src/fake_esp32c3'
import { OPENSSL } from '../tls/x509_openssl'
import { expectNothingStrange, image, makeC3, missingEsp32c3 } from './esp32c3_board'

const SECOND = 1e9
const NAME = 'time.example'
const SERVER = honestServer(NAME, 1_577_836_800, 4_102_444_800)

describe.skipIf(missingEsp32c3 || !OPENSSL)('a flashed board', () => {
  let folder: string
  let certificates: Certificates
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'noonmark-flashed-'))
    certificates = new Certificates()
  })
  afterAll(() => {
    certificates?.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  function file(name: string, bytes: string | Uint8Array): string {
    const path = join(folder, name)
    writeFileSync(path, bytes)
    return path
  }

  it('starts with the settings and the anchors that were written', async () => {
    const chip = new FakeEsp32c3()
    const complaints: string[] = []
    const own = {
      address: '192.168.7.1',
      mask: '255.255.255.0',
      gateway: '192.168.7.254',
      names: ['flashed.example'],
      options: [`server=${NAME} nts minpoll 1 maxpoll 1`, `dns=${RESOLVER}`],
    }
    const status = await flash(
      chip.path,
      {
        image: file('image.bin', image().image),
        anchors: file('anchors.bin', certificates.anchors()),
        settings: file('settings.json', JSON.stringify(own)),
        baud: 460_800,
        erase: true,
        list: false,
      },
      {
        serial: chip.serial,
        say: () => {},
        complain: (line) => complaints.push(line),
        progress: () => {},
        attempts: 1,
      },
    )
    expect(complaints).toEqual([])
    expect(status).toBe(0)

    const board = makeC3({ machine: { flash: chip.flash, settings: undefined } })
    const servers = new NtsServers([SERVER], certificates, 1)
    servers.attach(asLanBoard(board))
    while (servers.exchanges === 0 && board.now < 30 * SECOND) board.advance(0.1 * SECOND)
    board.advance(SECOND)
    expect(servers.exchanges, board.ask('authdata')).toBe(1)
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    const ca = board.authority()
    await expect(board.keyExchange({ ca, host: 'flashed.example' })).resolves.toBeDefined()
    await expect(board.keyExchange({ ca, host: 'noonmark.local' })).rejects.toThrow()
    expectNothingStrange(board)
  })
})
