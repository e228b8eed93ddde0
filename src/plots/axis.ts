// Axes: from values to pixels, which values get a mark, and how they are written.

export interface Axis {
  from: number
  to: number
  log: boolean
  /** Where marks are, and what they say. */
  marks: readonly { value: number; label: string }[]
}

/** Part of the axis, 0 at `from` and 1 at `to`; values outside are put on the ends. */
export function place(axis: Axis, value: number): number {
  const { from, to, log } = axis
  const part = log ? Math.log(Math.max(value, from) / from) / Math.log(to / from) : (value - from) / (to - from)
  return Math.min(1, Math.max(0, part))
}

/** Whole decades from `from` to `to`. */
export function decades(from: number, to: number, label: (value: number) => string): Axis {
  const first = Math.floor(Math.log10(from) + 1e-9)
  const last = Math.ceil(Math.log10(to) - 1e-9)
  const values = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i))
  return {
    from: values[0]!,
    to: values.at(-1)!,
    log: true,
    marks: values.map((value) => ({ value, label: label(value) })),
  }
}

/** Equal steps of 1, 2 or 5 times a power of ten, at most `count` of them. */
export function steps(from: number, to: number, count: number, label: (value: number) => string): Axis {
  const rough = (to - from) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10)
  const marks: { value: number; label: string }[] = []
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++)
    marks.push({ value: i * step, label: label(i * step) })
  return { from, to, log: false, marks }
}

/** Marks at every `step`. */
export function every(from: number, to: number, step: number, label: (value: number) => string): Axis {
  const marks: { value: number; label: string }[] = []
  for (let value = Math.ceil(from / step) * step; value <= to; value += step) marks.push({ value, label: label(value) })
  return { from, to, log: false, marks }
}

/** 20 ns, 1 µs, 10 ms. */
export function nanosLabel(nanos: number): string {
  const size = Math.abs(nanos)
  if (size === 0) return '0'
  const [unit, name] =
    size < 999.5 ? [1, 'ns'] : size < 999.5e3 ? [1e3, 'µs'] : size < 999.5e6 ? [1e6, 'ms'] : [1e9, 's']
  return `${minus(Number((nanos / unit).toPrecision(3)))} ${name}`
}

/** 1 s, 10 min, 2 h. */
export function secondsLabel(seconds: number): string {
  if (seconds === 0) return '0'
  if (seconds % 3600 === 0) return `${minus(seconds / 3600)} h`
  if (seconds % 60 === 0) return `${minus(seconds / 60)} min`
  return `${minus(Number(seconds.toPrecision(3)))} s`
}

/** 10⁻⁹. */
export function powerLabel(value: number): string {
  const signs = '⁰¹²³⁴⁵⁶⁷⁸⁹'
  const exponent = Math.round(Math.log10(value))
  const digits = [...String(Math.abs(exponent))].map((digit) => signs[Number(digit)]).join('')
  return `10${exponent < 0 ? '⁻' : ''}${digits}`
}

/** With a real minus sign. */
export function minus(value: number): string {
  return value < 0 ? `−${-value}` : String(value)
}
