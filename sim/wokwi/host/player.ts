// Plays a scenario, step by step, on whatever can: the simulated board here (`LocalStage`), Wokwi's servers
// (src/wokwi_remote.ts). A step that waits begins with what comes after the step before it, as in Wokwi.

import type { WokwiMachine } from './machine'
import { type Action, type Scenario, ScenarioError } from './scenario'

/** Where a scenario is played. Each call ends when simulated time stands at the event. */
export interface Stage {
  readonly nanos: number
  delay(nanos: number): Promise<void>
  waitSerial(text: string): Promise<void>
  writeSerial(bytes: Uint8Array): Promise<void>
  setControl(part: string, name: string, value: number): Promise<void>
  pin(part: string, name: string): Promise<number>
  waitChipOutput(text: string): Promise<void>
}

/** Throws a ScenarioError with the step's line and the time when a step fails. */
export async function play(scenario: Scenario, stage: Stage, file: string, log: (text: string) => void): Promise<void> {
  for (const { line, name, action } of scenario.steps) {
    log(name ?? describe(action))
    try {
      await act(action, stage)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new ScenarioError(`${file}:${line}: ${(stage.nanos / 1e9).toFixed(3)} s: ${message}`)
    }
  }
}

async function act(action: Action, stage: Stage): Promise<void> {
  switch (action.kind) {
    case 'delay':
      return stage.delay(action.nanos)
    case 'wait-serial':
      return stage.waitSerial(action.text)
    case 'write-serial':
      return stage.writeSerial(action.bytes)
    case 'set-control':
      return stage.setControl(action.part, action.name, action.value)
    case 'expect-chip-output':
      return stage.waitChipOutput(action.text)
    case 'expect-pin': {
      const { part, name, value } = action
      const found = await stage.pin(part, name)
      if (found !== value) throw new Error(`${part}:${name} is ${found}, not ${value}`)
    }
  }
}

function describe(action: Action): string {
  if (action.kind === 'delay') return `delay ${action.nanos / 1e6} ms`
  if (action.kind === 'wait-serial' || action.kind === 'expect-chip-output') return `${action.kind} "${action.text}"`
  if (action.kind === 'write-serial') return 'write-serial'
  return `${action.kind} ${action.part}:${action.name} ${action.value}`
}

/** The longest slice of simulated time between two looks at the limit. */
const SLICE = 100e6

export class LocalStage implements Stage {
  /** Everything that the board and the chips said. */
  serial = ''
  chipOutput = ''
  onSerial: (text: string) => void = () => {}
  onChipOutput: (part: string, text: string) => void = () => {}
  private seen: () => boolean = () => false
  /** How far serial text has been looked at: a wait begins right behind the text that the one before found. */
  private serialFrom = 0

  /** `limit`: simulated nanoseconds that the whole may take. */
  constructor(
    readonly machine: WokwiMachine,
    private readonly limit: number,
  ) {
    const decoder = new TextDecoder()
    machine.onSerial = (bytes) => {
      const text = decoder.decode(bytes, { stream: true })
      this.serial += text
      this.onSerial(text)
      if (this.seen()) machine.stop()
    }
    machine.onPrint = (part, text) => {
      this.chipOutput += `${text}\n`
      this.onChipOutput(part, text)
      if (this.seen()) machine.stop()
    }
  }

  get nanos(): number {
    return this.machine.now
  }

  async delay(nanos: number): Promise<void> {
    this.run(this.nanos + nanos, () => false)
  }

  async waitSerial(text: string): Promise<void> {
    const from = this.serialFrom
    this.run(Number.POSITIVE_INFINITY, () => this.serial.includes(text, from))
    this.serialFrom = this.serial.indexOf(text, from) + text.length
  }

  async writeSerial(bytes: Uint8Array): Promise<void> {
    this.machine.type(bytes)
  }

  async setControl(part: string, name: string, value: number): Promise<void> {
    if (!this.machine.circuit.setControl(part, name, value)) throw new Error(`${part} has no control ${name}`)
  }

  async pin(part: string, name: string): Promise<number> {
    const level = this.machine.circuit.probe(part, name)
    if (level === undefined) throw new Error(`${part} has no pin ${name} with a wire`)
    return level
  }

  async waitChipOutput(text: string): Promise<void> {
    const from = this.chipOutput.length
    this.run(Number.POSITIVE_INFINITY, () => this.chipOutput.includes(text, from))
  }

  private run(until: number, seen: () => boolean): void {
    this.seen = seen
    while (!seen() && this.nanos < until) {
      if (this.nanos >= this.limit) throw new Error(`nothing came in ${this.limit / 1e9} s`)
      this.machine.runUntil(Math.min(until, this.limit, this.nanos + SLICE))
    }
    this.seen = () => false
    this.serialFrom = this.serial.length
  }
}
