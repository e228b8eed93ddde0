// `noonmark up` as a command: what it prints, and what it says when it cannot.

import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { startAppliance, temporaryFolder } from '../support/appliance'
import { run } from '../support/peers'

const folder = temporaryFolder()
afterAll(() => folder.dispose())

function up(...args: string[]): ReturnType<typeof run> {
  return run(process.execPath, ['bin/noonmark.mjs', 'up', ...args], 20_000)
}

describe('noonmark up', () => {
  it('prints one ready line, the line to paste, and status lines; ends with status 0 on Ctrl-C', async () => {
    const state = join(folder.path, 'once')
    const appliance = await startAppliance(state)
    expect(appliance.readyAfter).toBeLessThan(15_000)
    expect(await appliance.stop()).toBe(0)
    const [ready, paste, ...status] = appliance.output().trimEnd().split('\n')
    const { ntpPort, kePort, ca } = appliance
    expect(ready).toBe(`ready ntp=127.0.0.1:${ntpPort} ke=127.0.0.1:${kePort} ca=${ca} name=localhost`)
    expect(paste).toBe(
      `chronyd -Q -t 10 'server localhost port ${ntpPort} nts ntsport ${kePort} iburst maxsamples 4' 'ntstrustedcerts ${ca}'`,
    )
    expect(status.length).toBeGreaterThan(0)
    for (const line of status) expect(line).toMatch(/^status time=\S+ state=locked stratum=1 error=\d+ns /)
    expect(readFileSync(ca, 'utf8')).toMatch(/^-----BEGIN CERTIFICATE-----\n[\s\S]+\n-----END CERTIFICATE-----\n$/)
  })

  it('keeps the flash, which holds private keys, from others', () => {
    expect(statSync(join(folder.path, 'once/flash.bin')).mode & 0o077).toBe(0)
  })

  it('says which port is taken and how to name another: UDP', async () => {
    const other = createSocket('udp4').bind(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address()
    const { status, output } = await up('--state', join(folder.path, 'udp'), '--ntp-port', String(port))
    other.close()
    expect(output).toMatch(new RegExp(`^noonmark: .*${port}.*--ntp-port`, 'm'))
    expect(status).toBe(1)
  })

  it('says which port is taken and how to name another: TCP', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' ? address?.port : 0
    const { status, output } = await run(
      process.execPath,
      ['bin/noonmark.mjs', 'up', '--state', join(folder.path, 'tcp'), '--ntp-port', '0'],
      20_000,
    )
    expect(output).toMatch(/port is a number from 1 to 65535/)
    expect(status).toBe(1)
    const taken = await run(
      process.execPath,
      ['bin/noonmark.mjs', 'up', '--state', join(folder.path, 'tcp'), '--ntp-port', '21123', '--ke-port', String(port)],
      30_000,
    )
    other.close()
    expect(taken.output).toMatch(new RegExp(`^noonmark: .*${port}.*--ke-port`, 'm'))
    expect(taken.status).toBe(1)
  })

  it.each([
    ['an address that is none', ['--address', 'home'], /home is not an IPv4 address/],
    ['an address of another machine', ['--address', '192.0.2.1'], /--address/],
    ['an unknown option', ['--colour'], /unknown option/],
    ['a seed that is no number', ['--seed', 'x'], /whole number/],
    ['an address of IPv6', ['--address', '::1'], /::1 is not an IPv4 address/],
  ])('refuses %s in one sentence', async (_, args, sentence) => {
    const { status, output } = await up('--state', join(folder.path, 'bad'), ...args)
    expect(output).toMatch(sentence)
    expect(output).not.toMatch(/ at .*\.ts:|Error:/)
    expect(status).not.toBe(0)
  })

  it('refuses a state folder that another board uses, but not one whose user was killed', async () => {
    const state = join(folder.path, 'shared')
    const first = spawn(process.execPath, ['bin/noonmark.mjs', 'up', '--state', state, '--ntp-port', '21124'])
    // That nobody reads what it says does not end it.
    first.stdout.destroy()
    await once(first.stderr, 'data')
    first.stderr.destroy()
    const lock = join(state, 'lock')
    await expect.poll(() => existsSync(lock), { timeout: 10_000 }).toBe(true)
    const { status, output } = await up('--state', state)
    expect(output).toMatch(
      new RegExp(`^noonmark: another noonmark \\(process ${first.pid}\\) uses the state folder`, 'm'),
    )
    expect(status).toBe(1)
    expect(readFileSync(lock, 'utf8')).toMatch(new RegExp(`^${first.pid} `))
    first.kill('SIGKILL')
    await once(first, 'exit')
    expect((await up('--state', state, '--address', '192.0.2.1')).output).toMatch(/--address/)
    expect(existsSync(lock)).toBe(false)
  })

  it('refuses a state folder that is a file, and a flash of another size, and loses neither', async () => {
    const file = join(folder.path, 'file')
    writeFileSync(file, 'mine')
    expect((await up('--state', file)).output).toMatch(/state folder .* cannot be used/)
    expect(readFileSync(file, 'utf8')).toBe('mine')
    const state = join(folder.path, 'odd')
    mkdirSync(state)
    writeFileSync(join(state, 'flash.bin'), 'short')
    const { status, output } = await up('--state', state)
    expect(output).toMatch(/not the flash of this board/)
    expect(status).toBe(1)
    expect(readFileSync(join(state, 'flash.bin'), 'utf8')).toBe('short')
  })
})
