// Writes ELF files for the tests: one segment, and symbols.

const HEADER = 52
const SEGMENT = 32
const SECTION = 40

export function makeElf(
  address: number,
  code: Uint8Array,
  symbols: Record<string, number> = {},
  memorySize = code.length,
): Uint8Array {
  const names = Buffer.from(`\0${Object.keys(symbols).join('\0')}\0`, 'latin1')
  const symbolCount = 1 + Object.keys(symbols).length
  const codeAt = HEADER + SEGMENT
  const symbolsAt = (codeAt + code.length + 3) & ~3
  const namesAt = symbolsAt + 16 * symbolCount
  const sectionsAt = (namesAt + names.length + 3) & ~3
  const file = new Uint8Array(sectionsAt + 3 * SECTION)
  const view = new DataView(file.buffer)
  const put = (at: number, values: readonly number[]) => {
    for (const [i, value] of values.entries()) view.setUint32(at + 4 * i, value, true)
  }
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1])
  put(16, [(243 << 16) | 2, 1, address, HEADER, sectionsAt, 1, (SEGMENT << 16) | HEADER, (SECTION << 16) | 1, 3])
  put(HEADER, [1, codeAt, address, address, code.length, memorySize, 7, 4])
  file.set(code, codeAt)
  let name = 1
  for (const [i, [text, value]] of Object.entries(symbols).entries()) {
    put(symbolsAt + 16 * (i + 1), [name, value, 4, (1 << 16) | 0x11])
    name += text.length + 1
  }
  file.set(names, namesAt)
  put(sectionsAt + SECTION, [0, 2, 0, 0, symbolsAt, 16 * symbolCount, 2, 1, 4, 16])
  put(sectionsAt + 2 * SECTION, [0, 3, 0, 0, namesAt, names.length, 0, 0, 1, 0])
  return file
}
