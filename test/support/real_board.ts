// The virtual board in real time and in this process, on the host's own sockets, with its console at hand.

import { DEFAULT_BOARD } from '../../hal/virtual/board'
import { w5500 } from '../../hal/virtual/ethernet'
import { VirtualMachine } from '../../hal/virtual/machine'
import { ublox } from '../../hal/virtual/receiver'
import { RealClock } from '../../sim/clock/clock'
import { type BridgeProblem, LoopbackBridge } from '../../sim/lan/bridge'
import { World } from '../../sim/world/world'
import { firmware } from '../../src/board'

export interface RealBoardOptions {
  ntpPort: number
  kePort: number
  options: string[]
  flash: Uint8Array
  anchors?: Uint8Array
  /** False: the antenna sees nothing. */
  sky?: boolean
}

export class RealBoard {
  said = ''
  readonly problems: BridgeProblem[] = []
  readonly machine: VirtualMachine
  private readonly bridge: LoopbackBridge

  constructor(wasm: Uint8Array, options: RealBoardOptions) {
    const clock = new RealClock()
    this.bridge = new LoopbackBridge({
      now: () => clock.now(),
      onArrival: () => this.machine.wake(),
      onProblem: (problem) => this.problems.push(problem),
    })
    const { ntpPort, kePort } = options
    this.machine = new VirtualMachine({
      wasm,
      world: new World({
        unixOrigin: clock.unixOrigin,
        seed: 1,
        ...(options.sky === false ? { outages: [{ from: 0, to: 1e18 }] } : {}),
      }),
      clock,
      flash: options.flash,
      ...(options.anchors ? { anchors: options.anchors } : {}),
      board: { ...DEFAULT_BOARD, ntpPort, kePort, names: ['noonmark.local', 'localhost'], options: options.options },
      receiver: ublox({
        warm: true,
        setup: (chip) => {
          chip.warmFix = 1
        },
      }),
      ethernet: w5500({ lan: this.bridge, setup: (chip) => this.bridge.attach(chip) }),
      onConsole: (text) => {
        this.said += text
      },
      onTrap: (trap) => {
        this.said += `trap: ${trap.message}\n${trap.stack}`
      },
    })
    this.machine.start()
  }

  /** Types a command and returns what the console says within a moment. */
  async ask(command: string): Promise<string> {
    this.said = ''
    this.machine.type(`${command}\n`)
    await new Promise((resolve) => setTimeout(resolve, 60))
    return this.said
  }

  /** Asks until the answer is good, at most `seconds`; returns the last answer. */
  async askUntil(command: string, good: (answer: string) => boolean, seconds: number): Promise<string> {
    const end = performance.now() + seconds * 1000
    for (;;) {
      const answer = await this.ask(command)
      if (good(answer) || performance.now() > end) return answer
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  async stop(): Promise<void> {
    this.machine.stop()
    await this.bridge.dispose()
  }
}

export { firmware }
