// The NTP room compiled with the test's clock instead of the real one, and the calls that its tests share.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'
import type { Association } from '../nts/client'
import type { Flavour } from '../support/firmware'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const ENTRY = 'test/ntp/ntp.entry.ts'
const REAL_CLOCK = 'firmware/clock/clock.ts'
const TEST_CLOCK = 'test/ntp/clock.entry.ts'
const ROOMS = ['time', 'bytes', 'crypto', 'nts', 'ntp']

/** Bytes of the reply buffer that are watched: more than any reply has. */
const GUARDED = 2048
const UNTOUCHED = new Uint8Array(GUARDED).fill(0xa5)

/** `NtpCount` of firmware/ntp/counters.ts. */
export const COUNTS = [
  'served',
  'served nts',
  'unsynchronized',
  'nak cookie',
  'nak authenticator',
  'short',
  'long',
  'version',
  'symmetric active',
  'control',
  'mode',
  'mac',
  'field',
  'nts field',
  'room',
] as const

export type Outcome = (typeof COUNTS)[number]

/** What the clock says. Fractions in 2^-32 s. */
export interface Clock {
  ticks: bigint
  seconds: bigint
  fraction: number
  leap: number
  stratum: number
  referenceId: number
  referenceSeconds: bigint
  referenceFraction: number
  rootDispersion: number
  precision: number
  steps: number
  /** What the server last added to the clock's error, nanoseconds. */
  more: bigint
}

export interface Ntp {
  readonly clock: Clock
  call(name: string, ...args: (number | bigint)[]): number
  /** The reply to `packet`, or undefined for silence; `capacity` of the reply buffer, `offset` for odd addresses. */
  serve(packet: Uint8Array, capacity?: number, offset?: number): Uint8Array | undefined
  /** The same, and what it was counted as. */
  outcome(packet: Uint8Array, capacity?: number): [Outcome, Uint8Array | undefined]
  /** A cookie for the association. */
  seal(association: Association): Uint8Array
  /** Runs one request `times` times; returns how many were answered. */
  repeat(packet: Uint8Array, times: number): number
}

/** A synchronized server with a key ring, its random generator seeded with `seed`. */
export async function loadNtp(seed: number, flavour: Flavour = 'checked'): Promise<Ntp> {
  const clock: Clock = {
    ticks: 16_000_000n,
    seconds: 1_782_043_200n,
    fraction: 0x8000_0000,
    leap: 0,
    stratum: 1,
    referenceId: 0x4750_5300,
    referenceSeconds: 1_782_043_199n,
    referenceFraction: 7,
    rootDispersion: 3,
    precision: -23,
    steps: 0,
    more: 0n,
  }
  const bytes = await compile(flavour)
  const { instance } = (await WebAssembly.instantiate(bytes as BufferSource, {
    clock: {
      ticks: () => clock.ticks,
      seconds: () => clock.seconds,
      fraction: () => clock.fraction,
      leap: () => clock.leap,
      stratum: () => clock.stratum,
      referenceId: () => clock.referenceId,
      referenceSeconds: () => clock.referenceSeconds,
      referenceFraction: () => clock.referenceFraction,
      rootDispersion: (_: bigint, more: bigint) => {
        clock.more = more
        return clock.rootDispersion
      },
      precision: () => clock.precision,
      steps: () => clock.steps,
    },
  })) as unknown as { instance: WebAssembly.Instance }
  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  const exported = instance.exports as Record<string, any>
  const memory = new Uint8Array((exported['memory'] as WebAssembly.Memory).buffer)
  const call = (name: string, ...args: (number | bigint)[]): number => Number(exported[name](...args))
  const [request, reply, keys, cookie] = ['request', 'reply', 'keys', 'cookie'].map((name) => call(name)) as [
    number,
    number,
    number,
    number,
  ]
  memory.fill(seed, request, request + 64)
  call('seed', 64)
  call('keyringCreate')
  const ntpCounter = exported['ntpCounter'] as (outcome: number) => number
  const counters = (): number[] => COUNTS.map((_, i) => ntpCounter(i))
  let counts = counters()

  const serve = (packet: Uint8Array, capacity = 2048, offset = 0): Uint8Array | undefined => {
    memory.set(packet, request + offset)
    counts = counters()
    const length = call('serve', packet.length, capacity, offset)
    return length === 0 ? undefined : memory.slice(reply + offset, reply + offset + length)
  }
  return {
    clock,
    call,
    serve,
    outcome(packet, capacity) {
      // A forgotten byte of the reply shows as 0xA5.
      memory.fill(0xa5, reply, reply + GUARDED)
      const answer = serve(packet, capacity)
      const end = answer?.length ?? 0
      const beyond = memory.subarray(reply + end, reply + GUARDED)
      if (answer && Buffer.compare(beyond, UNTOUCHED.subarray(end)) !== 0) throw new Error('wrote beyond the reply')
      const before = counts
      counts = counters()
      const changed = COUNTS.filter((_, i) => counts[i] !== before[i])
      if (changed.length !== 1) throw new Error(`counted as ${changed.join(' and ')}`)
      return [changed[0]!, answer]
    },
    seal({ aead, c2s, s2c }) {
      memory.set(c2s, keys)
      memory.set(s2c, keys + c2s.length)
      const length = call('sealCookie', aead, c2s.length)
      return memory.slice(cookie, cookie + length)
    },
    repeat(packet, times) {
      memory.set(packet, request + 2048)
      return call('serveRepeatedly', packet.length, times)
    },
  }
}

/** As test/support/firmware.ts compiles an entry, but with another clock. */
async function compile(flavour: Flavour): Promise<Uint8Array> {
  const options = ['--config', 'test/support/asconfig.json', '--runtime', 'stub', '--use', 'abort=', '--noAssert']
  options.push('--optimizeLevel', '3', '--shrinkLevel', '0')
  if (flavour === 'checked') options.push('--uncheckedBehavior', 'never')
  else options.push('--converge')
  const file = join(ROOT, 'build/test', `test-ntp-ntp-entry-${digest(options)}.wasm`)
  if (!existsSync(file)) {
    mkdirSync(join(ROOT, 'build/test'), { recursive: true })
    const part = `${file}.${process.pid}`
    const readFile = (name: string, base: string): string | null => {
      const source = relative(ROOT, resolve(base, name))
      const file = join(ROOT, source === REAL_CLOCK ? TEST_CLOCK : source)
      return existsSync(file) ? readFileSync(file, 'utf8') : null
    }
    const output = part.slice(ROOT.length)
    const { error, stderr } = await asc.main([ENTRY, '--baseDir', ROOT, '--outFile', output, ...options], { readFile })
    if (error) throw new Error(`asc ${ENTRY}: ${error.message}\n${stderr.toString()}`)
    renameSync(part, file)
  }
  return readFileSync(file)
}

function digest(options: string[]): string {
  const hash = createHash('sha256').update(options.join(' '))
  const rooms = ROOMS.map((room) => join('firmware', room))
  const files = rooms.flatMap((room) => readdirSync(join(ROOT, room)).map((name) => join(room, name)))
  for (const name of [ENTRY, TEST_CLOCK, ...files.sort()]) hash.update(name).update(readFileSync(join(ROOT, name)))
  return hash.digest('hex').slice(0, 24)
}
