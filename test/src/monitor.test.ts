// `noonmark monitor` against a fake port: what is printed, what is typed, a device that comes and goes.

import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type MonitorTools, monitor } from '../../src/monitor'
import { FakeEsp32c3 } from './fake_esp32c3'

class Session {
  readonly chip = new FakeEsp32c3()
  readonly input = new PassThrough() as PassThrough & { isTTY?: boolean }
  readonly output = new PassThrough()
  readonly complaints: string[] = []
  readonly end = new AbortController()
  heard = ''
  status: Promise<number>

  constructor({ tty = true } = {}) {
    this.input.isTTY = tty
    this.output.on('data', (chunk) => {
      this.heard += chunk
    })
    this.status = monitor(this.chip.path, { list: false }, this.tools())
  }

  private tools(): MonitorTools {
    const { input, output, complaints, end } = this
    const complain = (sentence: string) => complaints.push(sentence)
    return { serial: this.chip.serial, input, output, complain, end: end.signal }
  }

  /** The port is open. */
  connected = () => vi.waitFor(() => expect(this.complaints.length).toBeGreaterThan(0))
}

let session: Session

afterEach(async () => {
  session.end.abort()
  await session.status
})

describe('noonmark monitor', () => {
  it('shows_what_the_device_prints_and_sends_what_is_typed', async () => {
    session = new Session()
    await session.connected()
    session.chip.print('noonmark boot features=1\n')
    await vi.waitFor(() => expect(session.heard).toBe('noonmark boot features=1\n'))
    session.input.write('status\n')
    await vi.waitFor(() => expect(session.chip.typed).toBe('status\n'))
  })

  it('does_not_reset_the_device', async () => {
    session = new Session()
    await session.connected()
    session.chip.print('ready\n')
    await vi.waitFor(() => expect(session.heard).toBe('ready\n'))
    expect(session.chip.starts).toBe(0)
    expect(session.chip.mode).toBe('running')
  })

  it('ends_at_Ctrl_C', async () => {
    session = new Session()
    await session.connected()
    session.end.abort()
    expect(await session.status).toBe(0)
  })

  it('waits_for_a_device_that_restarts_and_keeps_what_was_typed_meanwhile', async () => {
    session = new Session()
    await session.connected()
    session.chip.unplug()
    await vi.waitFor(() => expect(session.complaints.at(-1)).toContain('is gone; waiting'))
    session.input.write('status\n')
    session.chip.plug()
    await vi.waitFor(() => expect(session.complaints.at(-1)).toContain('is back'), 3000)
    await vi.waitFor(() => expect(session.chip.typed).toBe('status\n'))
    session.chip.print('again\n')
    await vi.waitFor(() => expect(session.heard).toBe('again\n'))
  })

  it('follows_the_device_to_another_name', async () => {
    session = new Session()
    await session.connected()
    session.chip.unplug()
    session.chip.plug('/dev/another')
    await vi.waitFor(() => expect(session.complaints.at(-1)).toBe('/dev/another is back'), 3000)
  })

  it('ends_after_a_script_when_the_device_is_silent', async () => {
    session = new Session({ tty: false })
    session.input.end('ca\n')
    await vi.waitFor(() => expect(session.chip.typed).toBe('ca\n'))
    session.chip.print('-----BEGIN CERTIFICATE-----\n')
    expect(await session.status).toBe(0)
    expect(session.heard).toContain('BEGIN CERTIFICATE')
    expect(session.complaints).toEqual([])
  })
})

describe('noonmark monitor without a port that can be opened', () => {
  it('says_so_in_one_sentence', async () => {
    session = new Session()
    const complaints: string[] = []
    expect(await monitor('/dev/no-such-port', { list: false }, { complain: (text) => complaints.push(text) })).toBe(1)
    expect(complaints[0]).toContain('/dev/no-such-port does not exist')
  })
})
