// Wokwi's automation scenarios: YAML text in, checked steps out. A fault is told with the line that it is on.
// https://docs.wokwi.com/wokwi-ci/automation-scenarios
//
// Stricter than Wokwi, which takes the first action of a step and ignores the others: a step has exactly one.

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'

export type Action =
  | { kind: 'delay'; nanos: number }
  | { kind: 'wait-serial'; text: string }
  | { kind: 'write-serial'; bytes: Uint8Array }
  | { kind: 'set-control'; part: string; name: string; value: number }
  | { kind: 'expect-pin'; part: string; name: string; value: number }
  | { kind: 'expect-chip-output'; text: string }

export interface Step {
  /** Line in the file, from 1. */
  line: number
  /** What the file calls it. */
  name: string | undefined
  action: Action
}

export interface Scenario {
  name: string
  steps: Step[]
}

/** Steps that Wokwi knows and that need a part with a screen, which our diagram does not have. */
const SCREEN_STEPS = ['take-screenshot', 'touch', 'touch-press', 'touch-move', 'touch-release']
const UNITS: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 }

/** Message: `FILE:LINE: what is wrong`. */
export class ScenarioError extends Error {}

export function parseScenario(text: string, file = 'scenario'): Scenario {
  return new Parser(text, file).parse()
}

class Parser {
  private readonly lines = new LineCounter()

  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {}

  parse(): Scenario {
    const document = parseDocument(this.text, { lineCounter: this.lines })
    const [error] = document.errors
    if (error) throw this.fault(error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''), error.pos[0])
    const top = document.contents
    if (!isMap(top)) throw this.fault('a scenario is a mapping with name, version and steps', 0)
    this.keys(top, ['name', 'version', 'author', 'steps'])
    const version = this.node(top, 'version')
    if (value(version) !== 1) throw this.fault(`version ${value(version)} is not supported: 1 is`, version)
    const steps = this.node(top, 'steps')
    if (!isSeq(steps)) throw this.fault('steps must be a list', steps)
    if (steps.items.length === 0) throw this.fault('the scenario has no steps', steps)
    return { name: this.string(top, 'name'), steps: steps.items.map((step) => this.step(step as Node)) }
  }

  private step(step: Node): Step {
    if (!isMap(step)) throw this.fault('a step must be a mapping', step)
    const names = step.items.map(({ key }) => String(value(key as Node)))
    const actions = names.filter((name) => name !== 'name')
    if (actions.length !== 1) throw this.fault(`a step has one action, this one has ${actions.length || 'none'}`, step)
    const kind = actions[0]!
    const line = this.lineOf(step)
    return {
      line,
      name: names.includes('name') ? this.string(step, 'name') : undefined,
      action: this.action(step, kind),
    }
  }

  private action(step: YAMLMap, kind: string): Action {
    switch (kind) {
      case 'delay':
        return { kind, nanos: this.duration(step) }
      case 'wait-serial':
      case 'expect-chip-output':
        return { kind, text: this.string(step, kind) }
      case 'write-serial':
        return { kind, bytes: this.bytes(this.node(step, kind)) }
      case 'set-control':
        return { kind, ...this.target(step, kind, 'control') }
      case 'expect-pin':
        return { kind, ...this.target(step, kind, 'pin') }
    }
    if (SCREEN_STEPS.includes(kind)) throw this.fault(`${kind} needs a part with a screen: the diagram has none`, step)
    throw this.fault(`there is no step "${kind}"`, step)
  }

  private duration(step: YAMLMap): number {
    const node = this.node(step, 'delay')
    const [, count, unit = ''] = /^(\d+(?:\.\d+)?) *(ns|us|ms|s)$/.exec(String(value(node))) ?? []
    if (!count) throw this.fault(`"${value(node)}" is no duration: a number with ns, us, ms or s is needed`, node)
    return Number(count) * UNITS[unit]!
  }

  private bytes(node: Node): Uint8Array {
    if (isSeq(node)) {
      const numbers = node.items.map((item) => value(item as Node))
      if (numbers.every((each) => Number.isInteger(each) && (each as number) >= 0 && (each as number) < 256))
        return Uint8Array.from(numbers as number[])
    } else if (typeof value(node) === 'string') return new TextEncoder().encode(value(node) as string)
    throw this.fault('write-serial takes a text or a list of bytes', node)
  }

  /** part-id, name (or its older word) and value. */
  private target(step: YAMLMap, kind: string, older: string): { part: string; name: string; value: number } {
    const map = this.node(step, kind)
    if (!isMap(map)) throw this.fault(`${kind} takes part-id, name and value`, map)
    this.keys(map, ['part-id', 'name', older, 'value'])
    const number = this.node(map, 'value')
    if (typeof value(number) !== 'number') throw this.fault(`${kind}: value must be a number`, number)
    return {
      part: this.string(map, 'part-id'),
      name: this.string(map, map.has(older) ? older : 'name'),
      value: value(number) as number,
    }
  }

  private keys(map: YAMLMap, known: string[]): void {
    for (const { key } of map.items)
      if (!known.includes(String(value(key as Node))))
        throw this.fault(`"${value(key as Node)}" is not known here`, key as Node)
  }

  private node(map: YAMLMap, key: string): Node {
    const node = map.get(key, true) as Node | undefined
    if (!node) throw this.fault(`${key} is missing`, map)
    return node
  }

  private string(map: YAMLMap, key: string): string {
    const node = this.node(map, key)
    const text = value(node)
    if (typeof text === 'number') return String(text)
    if (typeof text !== 'string' || text === '') throw this.fault(`${key} must be a text`, node)
    return text
  }

  private lineOf(at: Node | number): number {
    return this.lines.linePos(typeof at === 'number' ? at : (at.range?.[0] ?? 0)).line
  }

  private fault(sentence: string, at: Node | number): ScenarioError {
    return new ScenarioError(`${this.file}:${this.lineOf(at)}: ${sentence}`)
  }
}

function value(node: Node): unknown {
  return isScalar(node) ? node.value : undefined
}
