// `noonmark bench`: what the virtual board can do on one core, how large the firmware is, and how true the time is that the
// boards serve (bench_served.ts).
//
// The board runs in virtual time on a LAN in memory. Rates are the host's time spent inside the board (the module and the
// models of its chips), without the clients' share: they say what the code costs, not what a wire carries. They depend on
// this machine, so they are to be compared only within one run. Sizes are exact.

import { randomBytes } from 'node:crypto'
import { esp32c3Table, measureEsp32c3 } from './bench_esp32c3'
import { measureServed, type ServedRow, servedTable } from './bench_served'
import { firmware } from './board'
import { esp32c3Firmware } from './esp32c3'
import { Esp32c3LanBoard, LanBoard } from './lan_board'
import { AeadId } from './nts/aead'
import { encodeHeader } from './nts/packet'
import { ntsRequest } from './nts/query'

export interface BenchOptions {
  board: 'all' | 'virtual' | 'esp32c3'
  json: boolean
  seconds: number
}

interface Row {
  name: string
  value: number
  unit: string
}

/** Requests arrive this far apart in virtual time: longer than the modelled board needs for one. */
const SPACING = 1_000_000
const BATCH = 500

export async function bench(options: BenchOptions): Promise<number> {
  const virtual = options.board === 'esp32c3' ? [] : await measure(options.seconds)
  const virtualServed = options.board === 'esp32c3' ? [] : await served(new LanBoard({ wasm: firmware() }))
  const image = options.board === 'virtual' ? undefined : await esp32c3Firmware()
  const chip = image ? await measureEsp32c3(image) : []
  const chipServed = image ? await served(new Esp32c3LanBoard(image)) : []
  if (options.json) {
    const values = (rows: { name: string; value: number }[]) =>
      Object.fromEntries(rows.map(({ name, value }) => [name, value]))
    const errors = (rows: ServedRow[]) => Object.fromEntries(rows.map(({ name, ...row }) => [name, row]))
    const chipValues = { ...values(chip), served: errors(chipServed) }
    console.log(JSON.stringify({ ...values(virtual), served: errors(virtualServed), esp32c3: chipValues }, null, 2))
  } else {
    const lines = [
      ...(virtual.length > 0 ? [...table(virtual), ...servedTable('virtual board', virtualServed)] : []),
      ...(image ? [...esp32c3Table(chip), ...servedTable('simulated ESP32-C3', chipServed)] : []),
    ]
    for (const line of lines) console.log(line)
  }
  return 0
}

/** Exchanges of each kind whose error is measured, after a minute with the sky. */
const SERVED = 200
const SETTLED = 60e9

async function served(board: LanBoard | Esp32c3LanBoard): Promise<ServedRow[]> {
  if (!board.runUntilSaid('ready', 120)) throw new Error('the board was not ready within 120 virtual seconds')
  board.advance(SETTLED)
  return measureServed(board, SERVED)
}

async function measure(seconds: number): Promise<Row[]> {
  const wasm = firmware()
  const board = new LanBoard({ wasm })
  if (!board.runUntilSaid('ready', 120)) throw new Error('the virtual board was not ready within 120 virtual seconds')
  const ca = board.authority()
  const siv = await board.keyExchange({ ca, aeads: [AeadId.AesSivCmac256] })
  const gcm = await board.keyExchange({ ca, aeads: [AeadId.Aes128GcmSiv] })
  const plain = encodeHeader(randomBytes(8).readBigUInt64BE())
  return [
    { name: 'ntp_replies', value: replies(board, plain, seconds), unit: '1/s' },
    { name: 'nts_replies_aead_15', value: replies(board, ntsRequest(siv), seconds), unit: '1/s' },
    { name: 'nts_replies_aead_30', value: replies(board, ntsRequest(gcm), seconds), unit: '1/s' },
    { name: 'handshakes', value: await handshakes(board, ca, seconds), unit: '1/s' },
    { name: 'module_size', value: wasm.length, unit: 'bytes' },
    { name: 'static_memory', value: staticMemory(board), unit: 'bytes' },
  ]
}

/** Replies a second of the board's own time. The first batch warms the compiler and is not counted. */
function replies(board: LanBoard, request: Uint8Array, seconds: number): number {
  batch(board, request)
  let count = 0
  board.busyMillis = 0
  while (board.busyMillis < seconds * 1000) count += batch(board, request)
  return (count * 1000) / board.busyMillis
}

function batch(board: LanBoard, request: Uint8Array): number {
  const from = board.freshPort()
  for (let i = 0; i < BATCH; i++) board.lan.sendUdp(board.now + (i + 1) * SPACING, from, 123, request)
  board.takeAnswers()
  board.advance((BATCH + 2) * SPACING)
  const answered = board.takeAnswers().length
  if (answered !== BATCH) throw new Error(`${BATCH - answered} of ${BATCH} requests were not answered`)
  return answered
}

/** Whole key exchanges (TLS 1.3 handshake, request, eight cookies, close) a second of the board's own time. */
async function handshakes(board: LanBoard, ca: string, seconds: number): Promise<number> {
  for (let i = 0; i < 5; i++) await board.keyExchange({ ca })
  board.busyMillis = 0
  let count = 0
  for (; board.busyMillis < seconds * 1000; count++) await board.keyExchange({ ca })
  return (count * 1000) / board.busyMillis
}

/** The module's whole memory: it never grows. */
function staticMemory(board: LanBoard): number {
  return board.machine.memory?.buffer.byteLength ?? 0
}

function table(rows: Row[]): string[] {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const format = (value: number): string => Math.round(value).toLocaleString('en').padStart(10)
  return [
    'On this machine, one core, virtual board on a LAN in memory (time inside the board only):',
    ...rows.map(({ name, value, unit }) => `  ${name.padEnd(width)} ${format(value)} ${unit}`),
  ]
}
