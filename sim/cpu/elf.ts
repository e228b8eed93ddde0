// ELF files for 32-bit RISC-V: segments and symbols (System V ABI, chapters 4 and 5; RISC-V psABI chapter 8).

export interface Segment {
  /** Where the program finds it (p_vaddr). */
  readonly address: number
  /** Where it lies when the program starts (p_paddr): elsewhere, if the program's start-up copies it. */
  readonly loadAddress: number
  /** What the file holds; the rest of `size` is zero. */
  readonly data: Uint8Array
  readonly size: number
}

export interface Elf {
  readonly entry: number
  /** The loadable segments that take memory. */
  readonly segments: readonly Segment[]
  /** Addresses by name; functions, objects and labels alike. */
  readonly symbols: ReadonlyMap<string, number>
}

/** Why a file is not a program for this core, in a sentence. */
export class ElfError extends Error {}

const ELFCLASS32 = 1
const ELFDATA2LSB = 1
const ET_EXEC = 2
const EM_RISCV = 243
const PT_LOAD = 1
const SHT_SYMTAB = 2
const SHN_UNDEF = 0

/** Reads an executable; throws an ElfError that says what it is instead. */
export function parseElf(file: Uint8Array): Elf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  checkHeader(file, view)
  try {
    return { entry: view.getUint32(24, true), segments: readSegments(file, view), symbols: readSymbols(file, view) }
  } catch (error) {
    if (error instanceof RangeError) throw new ElfError('is cut short or damaged: a table lies outside the file')
    throw error
  }
}

function checkHeader(file: Uint8Array, view: DataView): void {
  if (file.length < 4 || view.getUint32(0, false) !== 0x7f454c46) throw new ElfError('is not an ELF file')
  if (file.length < 52) throw new ElfError('is cut short: not even an ELF header')
  if (file[4] !== ELFCLASS32)
    throw new ElfError('is a 64-bit ELF file; this core is 32-bit (compile with -march=rv32imc)')
  if (file[5] !== ELFDATA2LSB) throw new ElfError('is big-endian; RISC-V programs for this core are little-endian')
  const machine = view.getUint16(18, true)
  if (machine !== EM_RISCV)
    throw new ElfError(`is for another processor (ELF machine ${machine}; RISC-V is ${EM_RISCV})`)
  if (view.getUint16(16, true) !== ET_EXEC) throw new ElfError('is not an executable (link it, at fixed addresses)')
}

function readSegments(file: Uint8Array, view: DataView): Segment[] {
  const table = view.getUint32(28, true)
  const entrySize = view.getUint16(42, true)
  const segments: Segment[] = []
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = table + i * entrySize
    const size = view.getUint32(at + 20, true)
    if (view.getUint32(at, true) !== PT_LOAD || size === 0) continue
    const data = slice(file, view.getUint32(at + 4, true), view.getUint32(at + 16, true))
    if (data.length > size) throw new RangeError('a segment holds more bytes than it takes')
    segments.push({ address: view.getUint32(at + 8, true), loadAddress: view.getUint32(at + 12, true), data, size })
  }
  return segments
}

function readSymbols(file: Uint8Array, view: DataView): Map<string, number> {
  const symbols = new Map<string, number>()
  const table = view.getUint32(32, true)
  const entrySize = view.getUint16(46, true)
  const section = (index: number) => {
    const at = table + index * entrySize
    return {
      type: view.getUint32(at + 4, true),
      bytes: () => slice(file, view.getUint32(at + 16, true), view.getUint32(at + 20, true)),
      link: view.getUint32(at + 24, true),
    }
  }
  for (let i = 0; i < view.getUint16(48, true); i++) {
    const { type, bytes, link } = section(i)
    if (type !== SHT_SYMTAB) continue
    const names = section(link).bytes()
    const entries = bytes()
    const entry = new DataView(entries.buffer, entries.byteOffset, entries.byteLength)
    for (let at = 0; at + 16 <= entries.length; at += 16) {
      if (entry.getUint16(at + 14, true) === SHN_UNDEF) continue
      const name = nameAt(names, entry.getUint32(at, true))
      if (name) symbols.set(name, entry.getUint32(at + 4, true))
    }
  }
  return symbols
}

function nameAt(names: Uint8Array, start: number): string {
  const end = names.indexOf(0, start)
  return Buffer.from(names.subarray(start, end < 0 ? undefined : end)).toString('latin1')
}

function slice(file: Uint8Array, start: number, length: number): Uint8Array {
  if (start + length > file.length) throw new RangeError('outside the file')
  return file.subarray(start, start + length)
}
