// A story: what happens to a board in virtual time, and what must be true of the time that it serves meanwhile. YAML in,
// checked data out. A fault is told with the file and the line that it is on.
//
//   name: an hour without the sky        seed: 1        hours: 6  or  lasts: 20min
//   cold: false                          the receiver knows nothing from before power-on
//   sqw: true                            the RTC's square wave is wired
//   world: { ppm: 8, tempco: 0.1, daily: 3, heating: 0.5 }
//   events:
//     - { at: 4h, sky: lost, for: 1h }
//     - { at: 2h, power: cut, for: 5min }
//     - { at: 1h, cable: out, for: 10min }
//     - { at: 1h, wave: silent, for: 10min }       the wire of the RTC's square wave comes off
//     - { at: 1h, spoof: 100ms, for: 10min }       pulses come early by that much, dates and all
//     - { at: 1h, drag: 1us, for: 1h }             they come earlier by that much more every second
//     - { at: 1h, seconds: 1, for: 1h }            the receiver's dates are ahead by whole seconds
//     - { at: 1h, weeks: -1024, for: 1h }
//     - { at: 1h, ahead: 1, for: 1h }               the whole sky is ahead by whole seconds: time of week, dates, all
//     - { at: 1h, announces: insert, for: 1h }      it announces a leap second at the month's end (or delete)
//     - { at: 1h, warns: spoofed, for: 1h }         the receiver itself says that it is spoofed, or jammed
//     - { at: 1h, reset: device }  or { at: 1h, reset: receiver }
//   limits: { median: 100ns, p99: 1us, worst: 5us, coverage: 0.999, served: 0.99 }

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'

export type Happening =
  | { kind: 'sky' }
  | { kind: 'power' }
  | { kind: 'cable' }
  | { kind: 'wave' }
  | { kind: 'spoof'; nanos: number }
  | { kind: 'drag'; nanos: number }
  | { kind: 'seconds'; seconds: number }
  | { kind: 'weeks'; weeks: number }
  | { kind: 'ahead'; seconds: number }
  | { kind: 'announces'; change: 1 | -1 }
  | { kind: 'warns'; of: 'spoofed' | 'jammed' }
  | { kind: 'reset'; what: 'device' | 'receiver' }

export interface Event {
  /** Nanoseconds after power-on, and how long it lasts. */
  at: number
  lasts: number
  what: Happening
}

/** Nanoseconds, but for the two parts of 1. Undefined: no limit. */
export interface Limits {
  /** Of the served error's absolute value, over all answers that claim to be synchronised. */
  median?: number
  p99?: number
  worst?: number
  /** Part of those answers whose error was within what they said. */
  coverage?: number
  /** Part of all questions that got such an answer. */
  served?: number
}

export interface Story {
  name: string
  seed: number
  /** Nanoseconds. */
  lasts: number
  cold: boolean
  sqw: boolean
  /** POSIX second of UTC at power-on, if the story wants one. */
  begins: number | undefined
  world: { ppm?: number; tempco?: number; daily?: number; heating?: number; heatingPeriod?: number }
  events: Event[]
  limits: Limits
  /** What the caller of `parseStory` asked for besides: as YAML has it, unchecked. */
  more: Record<string, unknown>
}

/** Message: `FILE:LINE: what is wrong`. */
export class StoryError extends Error {}

const UNITS: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 60e9, h: 3600e9, d: 86_400e9 }
const KEYS = ['name', 'about', 'seed', 'hours', 'lasts', 'cold', 'sqw', 'begins', 'world', 'events', 'limits']
const WORLD = ['ppm', 'tempco', 'daily', 'heating', 'heatingPeriod'] as const
const TIMES = ['median', 'p99', 'worst'] as const
const PARTS = ['coverage', 'served'] as const
/** These last for a while and need `for`. */
const LASTING = ['sky', 'power', 'cable', 'wave', 'spoof', 'drag', 'seconds', 'weeks', 'ahead', 'announces', 'warns']

/** `more`: further keys that the caller understands. */
export function parseStory(text: string, file = 'story', more: readonly string[] = []): Story {
  return new Parser(text, file, more).parse()
}

/** `90s`, `10min`, `1.5h`: nanoseconds; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(-?\d+(?:\.\d+)?) ?(ns|us|ms|s|min|h|d)$/.exec(text)
  return match ? Number(match[1]) * UNITS[match[2]!]! : undefined
}

class Parser {
  private readonly lines = new LineCounter()

  constructor(
    private readonly text: string,
    private readonly file: string,
    private readonly more: readonly string[],
  ) {}

  parse(): Story {
    const document = parseDocument(this.text, { lineCounter: this.lines })
    const [error] = document.errors
    if (error) throw this.fault(error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''), error.pos[0])
    const top = document.contents
    if (!isMap(top)) throw this.fault('a story is a mapping with name, hours, events and limits', 0)
    this.keys(top, [...KEYS, ...this.more])
    const lasts = this.duration(top, 'lasts') ?? (this.number(top, 'hours') ?? 0) * UNITS['h']!
    if (lasts <= 0) throw this.fault('hours: how long the story lasts, above 0', top)
    const all = top.toJSON() as Record<string, unknown>
    return {
      name: this.word(top, 'name'),
      seed: this.number(top, 'seed') ?? 1,
      lasts,
      cold: this.flag(top, 'cold', false),
      sqw: this.flag(top, 'sqw', true),
      begins: this.date(top, 'begins'),
      world: this.world(top),
      events: this.events(top),
      limits: this.limits(top),
      more: Object.fromEntries(this.more.filter((key) => key in all).map((key) => [key, all[key]])),
    }
  }

  private world(top: YAMLMap): Story['world'] {
    const map = this.map(top, 'world', WORLD)
    const world: Story['world'] = {}
    for (const key of WORLD) {
      const value = map && this.number(map, key)
      if (value !== undefined) world[key] = value
    }
    return world
  }

  private limits(top: YAMLMap): Limits {
    const map = this.map(top, 'limits', [...TIMES, ...PARTS])
    const limits: Limits = {}
    if (!map) return limits
    for (const key of TIMES) {
      const nanos = this.duration(map, key)
      if (nanos !== undefined) limits[key] = nanos
    }
    for (const key of PARTS) {
      const part = this.number(map, key)
      if (part === undefined) continue
      if (part < 0 || part > 1) throw this.fault(`${key} is a part of 1`, map)
      limits[key] = part
    }
    return limits
  }

  private events(top: YAMLMap): Event[] {
    const list = top.get('events', true) as Node | undefined
    if (list === undefined) return []
    if (!isSeq(list)) throw this.fault('events must be a list', list)
    return list.items.map((item) => this.event(item as Node)).sort((a, b) => a.at - b.at)
  }

  private event(node: Node): Event {
    if (!isMap(node)) throw this.fault('an event is a mapping: at, what happens, for', node)
    this.keys(node, ['at', 'for', 'reset', ...LASTING])
    const at = this.duration(node, 'at')
    if (at === undefined || at < 0) throw this.fault('at: when it happens after power-on, such as 4h', node)
    const kinds = [...LASTING, 'reset'].filter((key) => node.has(key))
    if (kinds.length !== 1) throw this.fault(`an event is exactly one of ${[...LASTING, 'reset'].join(', ')}`, node)
    const kind = kinds[0]!
    const lasts = this.duration(node, 'for')
    if (LASTING.includes(kind) && !(lasts !== undefined && lasts > 0))
      throw this.fault(`${kind} lasts for a while: for: 10min`, node)
    return { at, lasts: lasts ?? 0, what: this.happening(node, kind) }
  }

  private happening(node: YAMLMap, kind: string): Happening {
    if (kind === 'spoof' || kind === 'drag') {
      const nanos = this.duration(node, kind)
      if (nanos === undefined) throw this.fault(`${kind} is a time, such as 100ms`, node)
      return { kind, nanos }
    }
    if (kind === 'seconds' || kind === 'weeks' || kind === 'ahead') {
      const count = this.number(node, kind)
      if (count === undefined || !Number.isInteger(count)) throw this.fault(`${kind} is a whole number`, node)
      return kind === 'weeks' ? { kind, weeks: count } : { kind, seconds: count }
    }
    const word = this.word(node, kind)
    const choose = (...words: string[]) => {
      if (!words.includes(word)) throw this.fault(`${kind} is ${words.join(' or ')}`, node)
    }
    if (kind === 'reset') {
      choose('device', 'receiver')
      return { kind, what: word as 'device' | 'receiver' }
    }
    if (kind === 'announces') {
      choose('insert', 'delete')
      return { kind, change: word === 'insert' ? 1 : -1 }
    }
    if (kind === 'warns') {
      choose('spoofed', 'jammed')
      return { kind, of: word as 'spoofed' | 'jammed' }
    }
    const words = { sky: 'lost', power: 'cut', cable: 'out', wave: 'silent' }
    choose(words[kind as keyof typeof words])
    return { kind: kind as keyof typeof words }
  }

  private map(top: YAMLMap, key: string, keys: readonly string[]): YAMLMap | undefined {
    const node = top.get(key, true) as Node | undefined
    if (node === undefined) return undefined
    if (!isMap(node)) throw this.fault(`${key} must be a mapping`, node)
    this.keys(node, keys)
    return node
  }

  private keys(map: YAMLMap, allowed: readonly string[]): void {
    for (const { key } of map.items) {
      const name = String(isScalar(key) ? key.value : key)
      if (!allowed.includes(name)) throw this.fault(`${name} is not known here: ${allowed.join(', ')} are`, key as Node)
    }
  }

  private value(map: YAMLMap, key: string): unknown {
    const node = map.get(key, true) as Node | undefined
    if (node !== undefined && !isScalar(node)) throw this.fault(`${key} is a single value`, node)
    return node?.value
  }

  private word(map: YAMLMap, key: string): string {
    const value = this.value(map, key)
    if (typeof value !== 'string' || value === '') throw this.fault(`${key} is missing or no text`, map)
    return value
  }

  private flag(map: YAMLMap, key: string, otherwise: boolean): boolean {
    const value = this.value(map, key)
    if (value !== undefined && typeof value !== 'boolean') throw this.fault(`${key} is true or false`, map)
    return (value as boolean | undefined) ?? otherwise
  }

  private number(map: YAMLMap, key: string): number | undefined {
    const value = this.value(map, key)
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.fault(`${key} is a number`, map)
    return value
  }

  private duration(map: YAMLMap, key: string): number | undefined {
    const value = this.value(map, key)
    if (value === undefined) return undefined
    const nanos = typeof value === 'string' ? parseDuration(value) : value === 0 ? 0 : undefined
    if (nanos === undefined) throw this.fault(`${key}: ${String(value)} is no time with its unit, such as 10min`, map)
    return nanos
  }

  private date(map: YAMLMap, key: string): number | undefined {
    const value = this.value(map, key)
    if (value === undefined) return undefined
    const millis = typeof value === 'string' ? Date.parse(value) : Number.NaN
    if (!Number.isFinite(millis)) throw this.fault(`${key} is a date, such as 2026-11-22T00:00:00Z`, map)
    return Math.floor(millis / 1000)
  }

  private fault(what: string, at: Node | YAMLMap | number | null): StoryError {
    const offset = typeof at === 'number' ? at : (at?.range?.[0] ?? 0)
    return new StoryError(`${this.file}:${this.lines.linePos(offset).line}: ${what}`)
  }
}
