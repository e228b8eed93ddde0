// `noonmark status`: the way to a board's console, and what is made of its words.

import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { ControlError, ControlSocket, controlConnect, controlPath } from '../../src/control'
import type { Serial, SerialLine } from '../../src/serial_transport'
import { askConsole, type StatusTools, status } from '../../src/status'
import { temporaryFolder } from '../support/appliance'

const STATUS =
  'status time=2026-11-22T14:56:16.542Z state=vouched stratum=2 error=1201000ns frequency=9721ppb pulses=0 ntp=50 nts=12 ke=3 dropped=0'
const TRACKING = [
  'Reference ID    : 192.0.2.1',
  'Stratum         : 2',
  'Trust           : vouched, the servers are followed; within 1201000 ns',
  'Alarm           : none',
]
const SOURCES = [
  'source time.example.org mark=* stratum=1 poll=6 reach=377 last=12 offset=-8500 delay=200000 error=1100000 sent=9 good=9',
  'source 192.0.2.77 mark=? stratum=0 poll=4 reach=0 last=- sent=3 good=0',
  'selection candidates=1 agreeing=1 survivors=1 authenticated=1 stratum=1 leap=0 width=2200000 offset=-8500',
]
const AUTHDATA = [
  'auth time.example.org mode=nts keyid=1 type=15 klen=256 last=70000 atmp=0 nak=0 cook=8 clen=100 failure=0',
  'auth 192.0.2.77 mode=nts keyid=0 type=0 klen=0 last=- atmp=4 nak=0 cook=0 clen=0 failure=2 reason=no TCP connection',
  'auth plain.example mode=-',
]

/** A board's console: words for lines. `meanwhile` is said in the middle of each answer. */
function answer(typed: string, meanwhile = ''): string {
  const words: Record<string, string[]> = {
    status: [STATUS],
    tracking: TRACKING,
    sources: SOURCES,
    authdata: AUTHDATA,
    version: ['noonmark 0.1.0'],
    '': [],
  }
  const lines = words[typed] ?? ['unknown command; try: help']
  return [lines[0], meanwhile, ...lines.slice(1)]
    .filter((line) => line)
    .map((line) => `${line}\n`)
    .join('')
}

class FakeLine extends Duplex {
  readonly isOpen = true
  private typed = ''

  constructor(private readonly meanwhile = '') {
    super()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const lines = (this.typed + chunk.toString()).split('\n')
    this.typed = lines.pop() ?? ''
    for (const line of lines) {
      const text = answer(line, this.meanwhile)
      // A serial line brings it in pieces.
      for (let i = 0; i < text.length; i += 7) this.push(text.slice(i, i + 7))
    }
    done()
  }

  set(_lines: unknown, done: (error: Error | null) => void): void {
    done(null)
  }
}

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

function folder(): string {
  const made = temporaryFolder()
  stops.push(() => made.dispose())
  return made.path
}

function open(state: string): { control: ControlSocket | undefined; complaints: string[] } {
  const complaints: string[] = []
  let typed = ''
  const control: ControlSocket | undefined = ControlSocket.open(
    state,
    (text) => {
      const lines = (typed + text).split('\n')
      typed = lines.pop() ?? ''
      for (const line of lines) control?.print(answer(line))
    },
    (sentence) => complaints.push(sentence),
  )
  stops.push(() => control?.close())
  return { control, complaints }
}

async function ask(port: string | undefined, state: string, json = false, tools: StatusTools = {}) {
  const printed: string[] = []
  const complaints: string[] = []
  const code = await status(
    port,
    { state, json },
    { print: (text) => printed.push(text), complain: (sentence) => complaints.push(sentence), ...tools },
  )
  return { code, text: printed.join('\n'), complaints }
}

describe('noonmark status', () => {
  it("prints chronyc's columns from a board's control socket", async () => {
    const state = folder()
    open(state)
    const { code, text } = await ask(undefined, state)
    expect(code).toBe(0)
    expect(text).toBe(`Noonmark 0.1.0: vouched, serves stratum 2; its time is 2026-11-22T14:56:16.542Z
answered since the start: 50 NTP, 12 NTS, 3 key exchanges

Reference ID    : 192.0.2.1
Stratum         : 2
Trust           : vouched, the servers are followed; within 1201us
Alarm           : none

MS Name/IP address             Stratum Poll Reach LastRx   Last sample
===============================================================================
^* time.example.org                  1    6   377     12   -8500ns +/- 1100us
^? 192.0.2.77                        0    4     0      -   none yet
   (* best, + combined, - outvoted by better ones, x contradicts the majority, ? not usable)

1 of 1 usable servers agree, authenticated by NTS, to within 2200us; our clock is 8500ns behind them.

Name/IP address             Mode KeyID Type KLen Last Atmp  NAK Cook CLen
===============================================================================
time.example.org             NTS     1   15  256  19h    0    0    8  100
192.0.2.77                   NTS     0    0    0    -    4    0    0    0
plain.example                  -     0    0    0    -    0    0    0    0

192.0.2.77: the last key exchange failed: no TCP connection`)
  })

  it('prints JSON with numbers, octal reach and null for what never was', async () => {
    const state = folder()
    open(state)
    const { text } = await ask(undefined, state, true)
    expect(JSON.parse(text)).toMatchObject({
      version: '0.1.0',
      status: { state: 'vouched', stratum: 2, ke: 3 },
      tracking: { Stratum: '2', Alarm: 'none' },
      sources: [
        { name: 'time.example.org', mark: '*', reach: '377', offset: -8500 },
        { name: '192.0.2.77', mark: '?', last: null },
      ],
      selection: { agreeing: 1, width: 2_200_000 },
      authdata: [{ type: 15, cook: 8, clen: 100 }, { failure: 2, reason: 'no TCP connection' }, { mode: '-' }],
    })
  })

  it('asks a real device at its serial port, whatever it says meanwhile', async () => {
    const line = new FakeLine('ready\nfault: no entropy')
    const serial: Serial = { list: async () => [], open: async () => line as unknown as SerialLine }
    const { code, text } = await ask('/dev/ttyACM0', folder(), false, { serial })
    expect(code).toBe(0)
    expect(text).toContain('^* time.example.org')
    expect(text).toContain('vouched, serves stratum 2')
    expect(line.destroyed).toBe(true)
  })

  it('says what to do when no board runs there, or one was killed and its socket stayed', async () => {
    const state = folder()
    const nobody = /^no board runs with the state folder .*`noonmark up`.*--state.*serial port/
    expect(await ask(undefined, state)).toMatchObject({ code: 1, complaints: [expect.stringMatching(nobody)] })
    writeFileSync(join(state, 'control'), '')
    expect(await ask(undefined, state)).toMatchObject({ code: 1, complaints: [expect.stringMatching(nobody)] })
    // The next board takes its place.
    open(state)
    expect((await ask(undefined, state)).code).toBe(0)
  })

  it('waits until another one has been answered', async () => {
    const state = folder()
    open(state)
    const all = await Promise.all(Array.from({ length: 5 }, () => ask(undefined, state)))
    for (const { code, text } of all) {
      expect(code).toBe(0)
      expect(text).toBe(all[0]?.text)
    }
    expect(all[0]?.text).toContain('CLen')
  })

  it('gives up on a console that says nothing', async () => {
    const silent = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
    await expect(askConsole(silent, 50)).rejects.toThrow(/does not answer/)
  })

  it('says so when the board ends meanwhile', async () => {
    const silent = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
    setTimeout(() => silent.destroy(), 20)
    await expect(askConsole(silent)).rejects.toThrow(/has ended/)
  })
})

describe.skipIf(process.platform === 'win32')('the control socket', () => {
  it('lets only its owner connect, and is gone at the end', async () => {
    const state = folder()
    const { control } = open(state)
    const path = join(state, 'control')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const listener = await controlConnect(state)
    control?.close()
    await new Promise((resolve) => listener.once('close', resolve))
    expect(existsSync(path)).toBe(false)
  })

  it('is reached from a folder near it when its own path is long, and is not made when that does not help', async () => {
    const deep = join(folder(), 'x'.repeat(90))
    mkdirSync(deep)
    expect(controlPath(deep)).toBeUndefined()
    const { control, complaints } = open(deep)
    expect(control).toBeUndefined()
    expect(complaints[0]).toMatch(/too long for a socket/)
    await expect(controlConnect(deep)).rejects.toThrow(ControlError)
    const before = process.cwd
    process.cwd = () => deep
    expect(controlPath(deep)).toBe('control')
    process.cwd = before
  })

  it('does not end the board when it cannot be had', async () => {
    const state = folder()
    mkdirSync(join(state, 'gone'))
    const { complaints } = open(join(state, 'gone/nowhere'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(complaints[0]).toMatch(/will not reach this board/)
  })

  it('gives up a listener that does not read', async () => {
    const state = folder()
    const { control } = open(state)
    const listener = await controlConnect(state)
    listener.pause()
    await new Promise((resolve) => setTimeout(resolve, 20))
    for (let i = 0; i < 400; i++) control?.print('x'.repeat(10_000))
    listener.resume()
    await new Promise((resolve) => listener.once('close', resolve))
  })
})
