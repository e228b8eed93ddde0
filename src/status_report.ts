// What a console says of itself, for people (chronyc's tables) and for programs (JSON).
//
//   in    the lines of `status`, `tracking`, `sources`, `authdata`; what others had typed or the device said meanwhile is left out
//   out   text in chronyc's columns, or an object

import type { Answers } from './status'

type Pairs = Record<string, string>

export interface Report {
  version: string
  status: Pairs
  /** Labels and values as the console has them. */
  tracking: [label: string, value: string][]
  sources: Pairs[]
  selection: Pairs | undefined
  authdata: Pairs[]
}

export function parseReport(answers: Answers): Report {
  const find = (lines: string[], what: string): Pairs[] =>
    lines.filter((line) => line.startsWith(`${what} `)).map((line) => pairs(line.slice(what.length + 1)))
  return {
    version: answers.version[0] ?? '',
    status: find(answers.status, 'status').pop() ?? {},
    tracking: answers.tracking.flatMap((line) => {
      const [, label, value] = /^([A-Z][^:]*?) *: (.*)$/.exec(line) ?? []
      return label === undefined || value === undefined ? [] : [[label, value] as [string, string]]
    }),
    sources: find(answers.sources, 'source'),
    selection: find(answers.sources, 'selection').pop(),
    authdata: find(answers.authdata, 'auth'),
  }
}

/** `NAME key=value ...`; `reason=` takes the rest of the line. */
function pairs(line: string): Pairs {
  const [before = '', reason] = line.split(/ reason=(.*)/)
  const found: Pairs = {}
  for (const word of before.split(' ')) {
    const at = word.indexOf('=')
    if (at > 0) found[word.slice(0, at)] = word.slice(at + 1)
    else if (word !== '') found['name'] = word
  }
  return reason === undefined ? found : { ...found, reason }
}

// ---- For programs

export function reportJson(report: Report): unknown {
  const { version, status, tracking, sources, selection, authdata } = report
  return {
    version,
    status: numbers(status),
    tracking: Object.fromEntries(tracking),
    sources: sources.map(numbers),
    selection: selection && numbers(selection),
    authdata: authdata.map(numbers),
  }
}

/** Numbers as such; `reach` stays octal text, as everybody writes it. */
function numbers(from: Pairs): Record<string, string | number | null> {
  return Object.fromEntries(
    Object.entries(from).map(([key, value]) => {
      if (value === '-') return [key, key === 'mark' || key === 'mode' ? value : null]
      return [key, /^-?\d{1,15}$/.test(value) && key !== 'reach' && key !== 'name' ? Number(value) : value]
    }),
  )
}

// ---- For people

export function reportText(report: Report): string {
  return [headline(report), trackingText(report), sourcesText(report), authdataText(report)]
    .filter((part) => part !== '')
    .join('\n\n')
}

function headline({ version, status }: Report): string {
  const served = `answered since the start: ${status['ntp']} NTP, ${status['nts']} NTS, ${status['ke']} key exchanges`
  const synchronised = status['stratum'] === '16' ? 'not synchronised' : `serves stratum ${status['stratum']}`
  const time = status['state'] === 'unknown' ? 'it does not know the time' : `its time is ${status['time']}`
  return `Noonmark ${version}: ${status['state']}, ${synchronised}; ${time}\n${served}`
}

function trackingText({ tracking }: Report): string {
  return tracking.map(([label, value]) => `${label.padEnd(16)}: ${humanNanos(value)}`).join('\n')
}

/** `123456 ns` is written as chronyc writes times. */
function humanNanos(text: string): string {
  return text.replace(/(-?\d+) ns\b/g, (_, digits: string) => duration(Number(digits)))
}

const MARKS = '   (* best, + combined, - outvoted by better ones, x contradicts the majority, ? not usable)'

function sourcesText({ sources, selection }: Report): string {
  if (sources.length === 0) return 'No upstream servers: the option `server=` names them (docs/operating.md).'
  const rows = sources.map((source) => {
    const name = clip(source['name'] ?? '', 27).padEnd(27)
    const poll = (source['poll'] ?? '').padStart(4)
    const reach = (source['reach'] ?? '').padStart(5)
    const stratum = (source['stratum'] ?? '').padStart(7)
    const last = age(source['last']).padStart(6)
    return `^${source['mark']} ${name} ${stratum} ${poll} ${reach} ${last}   ${sample(source)}`.trimEnd()
  })
  const legend = sources.some(({ mark }) => mark !== '*' && mark !== '+') ? [MARKS] : []
  return table('MS Name/IP address             Stratum Poll Reach LastRx   Last sample', [
    ...rows,
    ...legend,
    ...(selection ? ['', selected(selection)] : []),
  ])
}

/** Our clock against the server's; positive: ours is ahead. */
function sample({ offset, error }: Pairs): string {
  if (error === undefined) return 'none yet'
  const ours = offset === undefined ? 'no time of our own' : duration(Number(offset), true)
  return `${ours} +/- ${duration(Number(error))}`
}

function selected({ candidates, agreeing, authenticated, width, offset }: Pairs): string {
  const voters = Number(candidates)
  if (voters === 0) return 'None of them can be used yet: three good answers of a server are needed.'
  if (Number(agreeing) === 0) return `${voters} could be used, but no majority of them agrees.`
  const how = authenticated === '1' ? 'authenticated by NTS' : 'NOT authenticated, so nothing is believed on their word'
  const ours = Number(offset)
  const off =
    offset === undefined ? '' : `; our clock is ${duration(Math.abs(ours))} ${ours < 0 ? 'behind' : 'ahead of'} them`
  return `${agreeing} of ${voters} usable servers agree, ${how}, to within ${duration(Number(width))}${off}.`
}

function authdataText({ authdata }: Report): string {
  if (authdata.length === 0) return ''
  const rows = authdata.map((auth) => {
    const nts = auth['mode'] === 'nts'
    const number = (key: string, width: number): string => (nts ? (auth[key] ?? '') : '0').padStart(width)
    const name = clip(auth['name'] ?? '', 27).padEnd(27)
    const last = age(nts ? auth['last'] : '-').padStart(4)
    return `${name} ${(nts ? 'NTS' : '-').padStart(4)} ${number('keyid', 5)} ${number('type', 4)} ${number('klen', 4)} ${last} ${number('atmp', 4)} ${number('nak', 4)} ${number('cook', 4)} ${number('clen', 4)}`
  })
  const failures = authdata
    .filter(({ reason }) => reason !== undefined)
    .map(({ name, reason }) => `${name}: the last key exchange failed: ${reason}`)
  return table('Name/IP address             Mode KeyID Type KLen Last Atmp  NAK Cook CLen', [
    ...rows,
    ...(failures.length > 0 ? ['', ...failures] : []),
  ])
}

function table(head: string, rows: string[]): string {
  return [head, '='.repeat(Math.max(head.length, 79)), ...rows].join('\n')
}

function clip(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}>` : text
}

/** Seconds as chronyc shows them: 12, 17m, 3h, 2d. */
function age(seconds: string | undefined): string {
  if (seconds === undefined || seconds === '-') return '-'
  const value = Number(seconds)
  if (value < 1000) return `${value}`
  if (value < 60_000) return `${Math.round(value / 60)}m`
  if (value < 172_800) return `${Math.round(value / 3600)}h`
  return `${Math.round(value / 86_400)}d`
}

/** Nanoseconds in the unit that leaves at most four digits. */
function duration(nanos: number, sign = false): string {
  const size = Math.abs(nanos)
  const mark = nanos < 0 ? '-' : sign ? '+' : ''
  if (size < 10_000) return `${mark}${Math.round(size)}ns`
  if (size < 10_000_000) return `${mark}${Math.round(size / 1e3)}us`
  if (size < 10_000_000_000) return `${mark}${Math.round(size / 1e6)}ms`
  return `${mark}${Math.round(size / 1e9)}s`
}
