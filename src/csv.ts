// Comma-separated numbers with a header, read in pieces: files of many hours are larger than is good to hold at once.
//
// Columns are chosen by name; the others are not looked at. No quotes: these files hold numbers.

import { closeSync, openSync, readSync } from 'node:fs'

const PIECE = 1 << 20

/** What is wrong with a file that somebody gave us: the message names the file, and the line if there is one. */
export class InputError extends Error {}

/** The rows of a file after its header, one at a time. */
export class CsvReader {
  /** The line that `next` returned last; the header is line 1. */
  line = 0

  private readonly descriptor: number
  private readonly columns: number[]
  private readonly widest: number
  private readonly buffer = Buffer.alloc(PIECE)
  private text = ''
  private at = 0
  private ended = false
  private readonly fields: (string | undefined)[]

  /** Opens a file that must have the columns `needed`, and may have those of `wanted`. */
  constructor(
    readonly file: string,
    needed: readonly string[],
    wanted: readonly string[] = [],
  ) {
    this.descriptor = open(file)
    const header = this.readLine()
    if (header === undefined) throw this.fault('the file is empty: a header is expected')
    const names = header.split(',').map((name) => name.trim())
    for (const name of needed)
      if (!names.includes(name)) throw this.fault(`the column ${name} is missing; there are ${names.join(', ')}`)
    this.columns = [...needed, ...wanted].map((name) => names.indexOf(name))
    this.widest = Math.max(...this.columns)
    this.fields = this.columns.map(() => undefined)
  }

  /** The fields of the next row, in the order of the constructor's names (undefined: no such column); the array is used again. */
  next(): readonly (string | undefined)[] | undefined {
    const line = this.readLine()
    if (line === undefined) return undefined
    const cells = line.split(',')
    if (cells.length <= this.widest) throw this.fault(`${cells.length} fields are too few`)
    for (let i = 0; i < this.columns.length; i++) {
      const column = this.columns[i]!
      this.fields[i] = column < 0 ? undefined : cells[column]
    }
    return this.fields
  }

  /** A decimal number, or an InputError that says where. */
  number(text: string | undefined, name: string): number {
    const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text)
    if (!Number.isFinite(value)) throw this.fault(`${name} is not a number: ${JSON.stringify(text ?? '')}`)
    return value
  }

  fault(sentence: string): InputError {
    return new InputError(`${this.file}:${this.line}: ${sentence}`)
  }

  close(): void {
    closeSync(this.descriptor)
  }

  /** Blank lines are passed over. */
  private readLine(): string | undefined {
    for (;;) {
      const end = this.text.indexOf('\n', this.at)
      if (end >= 0 || (this.ended && this.at < this.text.length)) {
        const line = this.text.slice(this.at, end < 0 ? undefined : end).trimEnd()
        this.at = end < 0 ? this.text.length : end + 1
        this.line++
        if (line !== '') return line
      } else if (this.ended) {
        return undefined
      } else {
        this.readPiece()
      }
    }
  }

  private readPiece(): void {
    const length = readSync(this.descriptor, this.buffer, 0, PIECE, null)
    this.text = this.text.slice(this.at) + this.buffer.toString('latin1', 0, length)
    this.at = 0
    if (length === 0) this.ended = true
  }
}

function open(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (error) {
    throw new InputError(`${file}: ${reasonOf(error)}`)
  }
}

/** A sentence's end for what the file system refuses. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'there is no such file or folder'
  if (code === 'EACCES') return 'it may not be opened'
  if (code === 'EISDIR') return 'it is a folder'
  return error instanceof Error ? error.message : String(error)
}
