// `noonmark up`: a board in real time, on the host's own sockets: the virtual board, or, with `--board esp32c3`, the flash
// image on the simulated chip.
//
// On stdout: one `ready` line for programs, the line to paste, then a status line a minute. Everything else is on stderr.

import { getServers } from 'node:dns'
import { isIPv4 } from 'node:net'
import { w5500 } from '../hal/virtual/ethernet'
import { VirtualMachine } from '../hal/virtual/machine'
import { ublox } from '../hal/virtual/receiver'
import type { UbloxReceiver } from '../sim/chips/ublox'
import { RealClock } from '../sim/clock/clock'
import { type BridgeProblem, LoopbackBridge } from '../sim/lan/bridge'
import type { Machine, Trap } from '../sim/machine'
import { Esp32c3Machine } from '../sim/soc/machine'
import { World } from '../sim/world/world'
import { firmware, loopbackBoard } from './board'
import { ControlSocket } from './control'
import { type Esp32c3Firmware, esp32c3Firmware } from './esp32c3'
import { ntpQuery } from './nts/query'
import { StateError, StateFolder, VIRTUAL_FLASH } from './state'

export interface UpOptions {
  board: 'virtual' | 'esp32c3'
  state: string
  address: string
  ntpPort: number
  kePort: number
  seed: number
  cold: boolean
  /** False: the antenna sees nothing. */
  sky: boolean
  /** `key=value` each, for the board. */
  option: string[]
  console: boolean
}

/** A receiver that was switched off a moment ago has its first fix after a second (u-blox: hot start). */
const HOT_FIX = 1

/** Queries before `ready`. */
const TRIALS = 50

const MINUTE = 60_000

/** Runs until Ctrl-C; resolves to the exit status. */
export async function up(options: UpOptions): Promise<number> {
  if (!isIPv4(options.address)) return complain(`${options.address} is not an IPv4 address`)
  let state: StateFolder
  let chip: Esp32c3Firmware | undefined
  try {
    if (options.board === 'esp32c3') chip = await esp32c3Firmware()
    state = new StateFolder(
      options.state,
      chip ? { name: 'flash-esp32c3.bin', size: chip.board.flash.size } : VIRTUAL_FLASH,
    )
  } catch (error) {
    if (error instanceof StateError || options.board === 'esp32c3') return complain((error as Error).message)
    throw error
  }
  const appliance = new Appliance(options, state, chip)
  try {
    return await appliance.run()
  } finally {
    await appliance.close()
  }
}

/** The board has no gateway that could be its resolver: it is told this machine's. */
function withResolver(options: string[]): string[] {
  const resolver = getServers().find((address) => isIPv4(address))
  const wanted =
    options.some((option) => option.startsWith('server=')) && !options.some((option) => option.startsWith('dns='))
  return wanted && resolver !== undefined ? [...options, `dns=${resolver}`] : options
}

function hot(chip: UbloxReceiver): void {
  chip.warmFix = HOT_FIX
}

class Appliance {
  private readonly clock = new RealClock()
  private readonly bridge: LoopbackBridge
  private readonly machine: Machine
  private readonly timers: NodeJS.Timeout[] = []
  /** Status lines that are still to come for stdout. */
  private asked = 0
  private control: ControlSocket | undefined
  private line = ''
  private pem = ''
  private announced = false
  private end: (status: number) => void = () => {}

  constructor(
    private readonly options: UpOptions,
    private readonly state: StateFolder,
    private readonly chip: Esp32c3Firmware | undefined,
  ) {
    this.bridge = new LoopbackBridge({
      now: () => this.clock.now(),
      onArrival: () => this.machine.wake(),
      onProblem: (problem) => this.trouble(problem),
    })
    this.machine = this.makeMachine()
  }

  /** Without its own ports the board is of no use; a port of an errand is tried again with another number. */
  private trouble(problem: BridgeProblem): void {
    const { ntpPort, kePort } = this.options
    if (problem.port === (problem.what === 'udp' ? ntpPort : kePort)) this.end(complain(explain(problem)))
  }

  private makeMachine(): Machine {
    const { options, state, chip } = this
    const rtc = state.loadRtc()
    const anchors = state.loadAnchors()
    const settings = loopbackBoard(options.address, options.ntpPort, options.kePort, withResolver(options.option))
    const common = {
      world: new World({
        unixOrigin: this.clock.unixOrigin,
        seed: options.seed,
        outages: options.sky ? [] : [{ from: 0, to: Number.MAX_VALUE }],
      }),
      clock: this.clock,
      flash: state.flash,
      onFlash: (offset: number, length: number) => state.flashChanged(offset, length),
      ...(rtc === undefined ? {} : { rtc }),
      ...(anchors === undefined ? {} : { anchors }),
      receiver: ublox({ warm: !options.cold, setup: hot }),
      ethernet: w5500({ lan: this.bridge, setup: (part) => this.bridge.attach(part) }),
      onConsole: (text: string) => this.hear(text),
      onTrap: (trap: Trap) =>
        console.error(`noonmark: the firmware trapped and restarts: ${trap.message}\n${trap.stack}`),
    }
    if (chip === undefined) return new VirtualMachine({ ...common, wasm: firmware(), board: settings })
    return new Esp32c3Machine({
      ...common,
      ...chip,
      settings,
      onReport: (sentence) => console.error(`noonmark: the simulated chip: ${sentence}`),
    })
  }

  run(): Promise<number> {
    return new Promise((resolve) => {
      this.end = resolve
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(0))
      console.error(
        `noonmark: booting the ${this.chip ? 'simulated ESP32-C3' : 'virtual board'} (state in ${this.state.path}); waiting for ${this.awaited()}`,
      )
      this.control = ControlSocket.open(
        this.state.path,
        (text) => this.machine.type(text),
        (sentence) => console.error(`noonmark: ${sentence}`),
      )
      this.machine.start()
      this.timers.push(setInterval(() => this.everyMinute(), MINUTE))
    })
  }

  private awaited(): string {
    if (this.options.sky) return 'the sky'
    const servers = this.options.option.some((option) => option.startsWith('server='))
    return servers ? 'its upstream servers' : 'nobody: without a sky, --option server=... must name upstream servers'
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer)
    if (this.announced) await this.lastWords()
    this.machine.stop()
    this.control?.close()
    this.keepTime()
    await this.bridge.dispose()
    this.state.close()
  }

  /** One status line for stdout. */
  private askStatus(): void {
    this.asked++
    this.machine.type('status\n')
  }

  /** A last status line: what was served. */
  private async lastWords(): Promise<void> {
    this.askStatus()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }

  private everyMinute(): void {
    this.keepTime()
    this.askStatus()
  }

  /** Saves the RTC. A full disk costs the time across a restart, not the service. */
  private keepTime(): void {
    try {
      this.state.saveRtc(this.machine.saveRtc())
    } catch (error) {
      console.error(`noonmark: the time is not kept for a restart: ${(error as Error).message}`)
    }
  }

  /** The console's lines: the firmware's words are the only way to know how it is. */
  private hear(text: string): void {
    if (this.options.console) process.stderr.write(text)
    this.control?.print(text)
    const lines = (this.line + text).split('\n')
    this.line = lines.pop() ?? ''
    for (const line of lines) this.heard(line)
  }

  private heard(line: string): void {
    if (line === 'ready') this.machine.type('ca\n')
    else if (line.startsWith('status ')) this.statusKnown(line)
    else if (line.startsWith('fault')) console.error(`noonmark: the device says: ${line}`)
    else if (line === '-----BEGIN CERTIFICATE-----') this.pem = `${line}\n`
    else if (this.pem !== '') {
      this.pem += `${line}\n`
      if (line === '-----END CERTIFICATE-----') this.authorityKnown()
    }
  }

  /** `noonmark status` asks too: its answers are not for our stdout. */
  private statusKnown(line: string): void {
    if (this.asked === 0) return
    this.asked--
    console.log(line)
  }

  private authorityKnown(): void {
    try {
      this.state.saveCa(this.pem)
    } catch (error) {
      this.end(complain(`ca.pem cannot be written: ${(error as Error).message}`))
      return
    }
    this.pem = ''
    if (this.announced) return
    this.announced = true
    this.tryOut().then(
      () => this.announce(),
      (error: Error) => this.end(complain(`the board does not answer on its own port: ${error.message}`)),
    )
  }

  /** Asks the board for the time as any client would: `ready` is said of what has been seen to work, and is warm. */
  private async tryOut(): Promise<void> {
    const { address, ntpPort } = this.options
    for (let i = 0; i < TRIALS; i++) await ntpQuery({ host: address, port: ntpPort })
  }

  private announce(): void {
    const { address, ntpPort, kePort } = this.options
    const { caFile } = this.state
    console.log(`ready ntp=${address}:${ntpPort} ke=${address}:${kePort} ca=${caFile} name=localhost`)
    console.log(
      `chronyd -Q -t 10 'server ${clientName(address)} port ${ntpPort} nts ntsport ${kePort} iburst maxsamples 4' ` +
        `'ntstrustedcerts ${caFile}'`,
    )
    this.askStatus()
  }
}

/** What a client on this machine calls the board, by a name that its certificate has. */
function clientName(address: string): string {
  return address === '127.0.0.1' || address === '0.0.0.0' ? 'localhost' : address
}

function explain(problem: BridgeProblem): string {
  const option = problem.what === 'udp' ? '--ntp-port' : '--ke-port'
  const advice = problem.code === 'EADDRNOTAVAIL' ? 'name another with --address' : `name another with ${option}`
  return `${problem.message.replace(/\.$/, '')}; ${advice}`
}

function complain(sentence: string): number {
  console.error(`noonmark: ${sentence}`)
  return 1
}
