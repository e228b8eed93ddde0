// npm run build:esp32c3: build/noonmark.wasm -> build/esp32c3/noonmark.elf and noonmark.bin, an image for direct boot.
//
//   wasm2c turns the module, unchanged, into C; its functions get their AssemblyScript names from build/noonmark.wat
//   one constant is put into the C: the memory's size, in the bounds check
//   gcc compiles it with hal/esp32c3/*.c; hal/esp32c3/hot.txt says which functions run from RAM
//   at the end: sizes against the board's budget; over budget is a failure
//
// The same sources make the same bytes: no dates, no paths. Needs gcc-riscv64-unknown-elf, picolibc-riscv64-unknown-elf
// and wabt: taken from this machine, else fetched from Debian and unpacked beside the build.
//
//   node bin/build_esp32c3.mjs [--board FILE] [--wasm FILE] [--out FOLDER]

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { boardHeader, DEFAULT_BOARD_FILE, readBoard } from './board.mjs'
import { DEBIAN_ROOT, debianEnvironment, fetchDebianPackages } from './debian.mjs'
import { buildFirmware, fail, installPackages, ROOT } from './setup.mjs'

const MACHINE = join(ROOT, 'hal/esp32c3')
const PACKAGES = ['gcc-riscv64-unknown-elf', 'picolibc-riscv64-unknown-elf', 'wabt']
const PREFIX = 'riscv64-unknown-elf-'
const PICOLIBC = 'usr/lib/picolibc/riscv64-unknown-elf'

/** rv32imc; the older ISA spec keeps CSR instructions in it, so that the rv32im libraries are chosen. */
const TARGET = ['-march=rv32imc', '-misa-spec=2.2', '-mabi=ilp32']
/** Flags of every file of the image. */
export const COMPILE = [
  ...TARGET,
  '-std=gnu11',
  '-O3',
  '-fno-schedule-insns',
  '-ffreestanding',
  '-fbuiltin',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-common',
  '-DNDEBUG',
  '-ftls-model=local-exec',
  '-Wall',
  '-Wextra',
  '-Werror',
]
/** wasm2c writes helpers and labels that this module has no use for. */
const GENERATED = ['-Wno-unused', '-Wno-sign-compare']

/** POLYVAL: what is called with constant addresses, whose bounds checks vanish, and what is called for each block. */
const INLINED = ['multiply', 'polyvalBlock', 'ghashBlock', 'sums', 'timesX'].map(
  (name) => `firmware/crypto/ghash/${name}`,
)

/** Called from poll(), which runs from RAM: what is not in hot.txt stays out of it, although it has no other caller. */
const APART = ['main/', 'net/', 'console/', 'clock/', 'drivers/', 'gnss/', 'tls/identity_keeper/'].map(
  (prefix) => `firmware/${prefix}`,
)

/** Exported functions keep the name of their export. */
const EXPORTED_HOT = ['w2c_poll']

const DIRECT_BOOT_MAGIC = 0xaedb041d

/** Makes the image; returns its sizes. Throws an Error that says in a sentence what is wrong. */
export async function buildImage(options = {}) {
  const board = readBoard(options.board ?? DEFAULT_BOARD_FILE)
  const wasm = resolve(options.wasm ?? join(ROOT, 'build/noonmark.wasm'))
  const out = resolve(options.out ?? join(ROOT, 'build/esp32c3'))
  const tools = findTools()
  const memorySize = generateC(tools, wasm, out)
  writeFileSync(join(out, 'board.h'), boardHeader(board))
  await compileAll(tools, out, memorySize)
  link(tools, out, board)
  checkHeader(join(out, 'noonmark.bin'))
  return measure(tools, out, board, memorySize)
}

/** gcc, binutils and wasm2c, with the include path and libraries of picolibc. Throws when they are not to be had. */
export function findTools() {
  const holding = (file) => ['/', DEBIAN_ROOT].find((root) => existsSync(join(root, file)))
  for (const attempt of [0, 1]) {
    const root = holding(`usr/bin/${PREFIX}gcc`)
    const libc = holding(PICOLIBC)
    const wabt = holding('usr/bin/wasm2c')
    if (root && libc && wabt) return toolsAt(root, join(libc, PICOLIBC), join(wabt, 'usr/bin/wasm2c'))
    const reason = attempt === 0 ? fetchDebianPackages(PACKAGES) : undefined
    if (reason)
      throw new Error(`${reason}. Needed: ${PACKAGES.join(', ')}; as root: apt-get install ${PACKAGES.join(' ')}`)
  }
  throw new Error(
    `the packages ${PACKAGES.join(', ')} hold no compiler; as root: apt-get install ${PACKAGES.join(' ')}`,
  )
}

function toolsAt(root, libc, wasm2c) {
  const gcc = join(root, `usr/bin/${PREFIX}gcc`)
  const env = existsSync(DEBIAN_ROOT) ? debianEnvironment() : process.env
  const run = (program, args, options = {}) => {
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      encoding: 'utf8',
      env,
      maxBuffer: 1 << 28,
      ...options,
    })
    if (status !== 0) throw new Error(`${program} failed:\n${error?.message ?? stderr}`)
    return stdout
  }
  // An unpacked gcc looks for its assembler and linker below /usr: it is told where they are.
  const here =
    root === '/' ? [] : [`-B${join(root, `usr/lib/${PREFIX.slice(0, -1)}/bin`)}`, `-B${join(root, 'usr/bin', PREFIX)}`]
  const multilib = run(gcc, [...here, ...TARGET, '-print-multi-directory']).trim()
  return {
    run,
    env,
    wasm2c,
    gcc,
    here,
    binutils: (name) => join(root, `usr/bin/${PREFIX}${name}`),
    include: join(libc, 'include'),
    libraries: join(libc, 'lib', multilib),
    version: run(gcc, [...here, '--version']).split('\n')[0],
  }
}

/** noonmark.c and noonmark.h in `out`; returns the bytes of memory that the module uses. */
export function generateC(tools, wasm, out) {
  mkdirSync(out, { recursive: true })
  copyFileSync(wasm, join(out, 'noonmark.wasm'))
  tools.run(tools.wasm2c, ['noonmark.wasm', '-o', 'noonmark.c'], { cwd: out })
  const memorySize = memoryUsed(readFileSync(wasm))
  const wat = wasm.replace(/\.wasm$/, '.wat')
  const names = existsSync(wat) ? functionNames(readFileSync(wat, 'utf8')) : new Map()
  const raw = readFileSync(join(out, 'noonmark.c'), 'utf8')
  const aligned = markUnaligned(constantBounds(raw), disassembly(tools, out))
  writeFileSync(join(out, 'noonmark.c'), rename(placeHot(aligned, names), names))
  return memorySize
}

/** The bounds checks compare with constants instead of a field of the instance: the memory cannot grow. */
function constantBounds(text) {
  const checks = [
    [
      'if (UNLIKELY(offset + (uint64_t)len > mem->size))',
      'if (UNLIKELY(offset + (uint64_t)len > WASM_RT_MEMORY_SIZE))',
    ],
    [
      '#define MEMCHECK(mem, a, t) RANGE_CHECK(mem, a, sizeof(t))',
      '#define MEMCHECK(mem, a, t) if (UNLIKELY((a) > (uint64_t)WASM_RT_MEMORY_SIZE - sizeof(t))) TRAP(OOB);',
    ],
  ]
  for (const [theirs, ours] of checks) {
    const parts = text.split(theirs)
    if (parts.length !== 2)
      throw new Error("wasm2c's bounds check is not the one that this build knows (WABT 1.0.32 as Debian 12 has it)")
    text = parts.join(ours)
  }
  return text
}

/** The loads and stores of each function in the order of its code, with the logarithm of the alignment that they promise. */
function disassembly(tools, out) {
  const text = tools.run(join(tools.wasm2c, '../wasm-objdump'), ['-d', 'noonmark.wasm'], { cwd: out })
  const functions = []
  for (const line of text.split('\n')) {
    if (/^[0-9a-f]+ func\[/.test(line)) functions.push([])
    const access = /\| +([if]\d\d)\.((?:load|store)\w*) (\d) /.exec(line)
    if (access) functions.at(-1).push({ name: `${access[1]}_${access[2]}`, align: Number(access[3]) })
  }
  return functions
}

/** Bytes of a load or store, as a logarithm. */
function naturalAlign(name) {
  const bits = /(?:load|store)(\d+)/.exec(name)?.[1] ?? name.slice(1, 3)
  return Math.log2(Number(bits) / 8)
}

/**
 * wasm2c drops the alignment that the module promises. Copies of a few bytes, which the AssemblyScript compiler turns into loads
 * and stores, promise none: those get helpers of their own, `i64_load_unaligned`. The others are one instruction.
 */
function markUnaligned(text, functions) {
  const used = new Set()
  let index = -1
  let accesses = []
  const lines = text.split('\n').map((line) => {
    if (/^static \S+ w2c_\w+\(Z_noonmark_instance_t\* instance/.test(line)) {
      if (accesses.length > 0)
        throw new Error(`function ${index} of wasm2c's C has fewer loads and stores than the module's`)
      accesses = functions[++index]
    }
    return line.replace(/\b([if]\d\d_(?:load|store)\w*)\(&instance->w2c_memory/g, (call, name) => {
      const access = accesses.shift()
      if (access?.name !== name)
        throw new Error(`function ${index} of wasm2c's C is not the module's: ${name}, ${access?.name}`)
      if (access.align >= naturalAlign(name)) return call
      used.add(name)
      return call.replace(name, `${name}_unaligned`)
    })
  })
  if (index + 1 !== functions.length) throw new Error("wasm2c's C has another number of functions than the module")
  return lines
    .join('\n')
    .replace(/((?:^DEFINE_(?:LOAD|STORE)\(.*\)\n)+)/m, (helpers) => helpers + unalignedHelpers(helpers, used))
}

function unalignedHelpers(helpers, used) {
  const copies = helpers
    .split('\n')
    .filter((line) => used.has(/\((\w+),/.exec(line)?.[1] ?? ''))
    .map((line) => line.replace(/\((\w+),/, '($1_unaligned,'))
  return ['#undef wasm_rt_memcpy', '#define wasm_rt_memcpy __builtin_memcpy', ...copies, ''].join('\n')
}

/** Index of each defined function -> its name in the text format, `firmware/ntp/server/ntpServe`. */
function functionNames(wat) {
  const names = new Map()
  let index = 0
  for (const [, imported, name] of wat.matchAll(/^ (\(import "[^"]*" "[^"]*" )?\(func \$(\S+)/gm)) {
    if (!imported) names.set(index, name)
    index++
  }
  return names
}

const identifier = (name) => `w_${name.replace(/^firmware\//, '').replace(/[^A-Za-z0-9]+/g, '_')}`

/** w2c_f21 -> w_console_text_say, so that the image's symbols can be read. */
function rename(text, names) {
  const taken = new Map()
  const symbols = new Map()
  for (const [index, name] of names) {
    const first = identifier(name)
    const symbol = taken.has(first) ? `${first}_${index}` : first
    taken.set(first, index)
    symbols.set(`w2c_f${index}`, symbol)
  }
  return text.replace(/\bw2c_f\d+\b/g, (old) => symbols.get(old) ?? old)
}

/** Puts the functions that hot.txt names into sections that the linker script places in RAM. */
function placeHot(text, names) {
  const prefixes = readFileSync(join(MACHINE, 'hot.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const hot = new Set(EXPORTED_HOT)
  const inlined = new Set()
  const apart = new Set()
  for (const [index, name] of names) {
    if (INLINED.includes(name)) inlined.add(`w2c_f${index}`)
    if (prefixes.some((prefix) => name.startsWith(prefix))) hot.add(`w2c_f${index}`)
    else if (APART.some((prefix) => name.startsWith(prefix))) apart.add(`w2c_f${index}`)
  }
  // The prototypes come first, one a line; poll() gets its from this one.
  const poll = 'u64 Z_noonmarkZ_poll(Z_noonmark_instance_t* instance) {'
  return text
    .replace(/^static \S+ (w2c_\w+)(?=\(Z_noonmark_instance_t\*[,)])/gm, (line, symbol) =>
      inlined.has(symbol)
        ? `INLINED ${line}`
        : hot.has(symbol)
          ? `HOT(${symbol}) ${line}`
          : apart.has(symbol)
            ? `APART ${line}`
            : line,
    )
    .replace(poll, `HOT(poll) ${poll}`)
}

/** Bytes of memory that the module uses, in whole words of 16 bytes, as it says itself; a module that does not say uses all. */
function memoryUsed(wasm) {
  const module = new WebAssembly.Module(wasm)
  const abi = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => 0]))
  const { memory, memory_end } = new WebAssembly.Instance(module, { abi }).exports
  if (!memory) throw new Error('the module has no memory')
  const all = memory.buffer.byteLength
  return Math.min(all, ((memory_end?.() ?? all) + 15) & ~15)
}

/** Compiles what is stale, two at a time. */
async function compileAll(tools, out, memorySize) {
  const sources = readdirSync(MACHINE)
    .filter((name) => /\.(c|S)$/.test(name))
    .map((name) => join(MACHINE, name))
  const jobs = [join(out, 'noonmark.c'), ...sources].map((source) => () => compile(tools, source, out, memorySize))
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) await job()
  }
  await Promise.all([worker(), worker()])
}

const objectOf = (source, out) =>
  join(
    out,
    `${source
      .split('/')
      .at(-1)
      .replace(/\.\w+$/, '')}.o`,
  )

async function compile(tools, source, out, memorySize) {
  const object = objectOf(source, out)
  const generated = source.endsWith('noonmark.c')
  const flags = [
    ...tools.here,
    ...COMPILE,
    ...(generated ? GENERATED : []),
    `-DWASM_RT_MEMORY_SIZE=${memorySize}`,
    `-ffile-prefix-map=${out}=build`,
    `-ffile-prefix-map=${ROOT.replace(/\/$/, '')}=.`,
    '-isystem',
    tools.include,
    `-I${MACHINE}`,
    `-I${out}`,
  ]
  const digest = createHash('sha256').update(tools.version).update(flags.join('\0')).update(readFileSync(source))
  for (const header of headersOf(out)) digest.update(readFileSync(header))
  const stamp = `${object}.stamp`
  const wanted = digest.digest('hex')
  if (existsSync(object) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  await new Promise((done, failed) => {
    let text = ''
    const gcc = spawn(tools.gcc, [...flags, '-c', source, '-o', object], { env: tools.env })
    gcc.stderr.on('data', (part) => {
      text += part
    })
    gcc.on('error', failed)
    gcc.on('close', (status) => (status === 0 ? done() : failed(new Error(`${source} does not compile:\n${text}`))))
  })
  writeFileSync(stamp, wanted)
}

const headersOf = (out) => [
  ...readdirSync(MACHINE)
    .filter((name) => name.endsWith('.h'))
    .map((name) => join(MACHINE, name)),
  join(out, 'noonmark.h'),
  join(out, 'board.h'),
]

function link(tools, out, board) {
  const objects = [
    'start',
    'main',
    ...readdirSync(MACHINE)
      .filter((name) => name.endsWith('.c'))
      .map((name) => name.slice(0, -2))
      .filter((name) => name !== 'main')
      .sort(),
    'noonmark',
  ].map((name) => `${name}.o`)
  tools.run(
    tools.gcc,
    [
      ...tools.here,
      ...TARGET,
      '-nostdlib',
      '-static',
      `-Wl,-T,${join(MACHINE, 'link.ld')}`,
      `-Wl,--defsym=STACK_SIZE=${board.stack}`,
      `-Wl,--defsym=FLASH_IMAGE_SIZE=${board.flash.image.size}`,
      '-Wl,--gc-sections',
      '-Wl,--strip-debug',
      '-Wl,--build-id=none',
      '-Wl,--no-warn-rwx-segments',
      '-Wl,-Map,noonmark.map',
      ...objects,
      `-L${tools.libraries}`,
      '-Wl,--start-group',
      '-lc',
      '-lm',
      '-lgcc',
      '-Wl,--end-group',
      '-o',
      'noonmark.elf',
    ],
    { cwd: out },
  )
  tools.run(tools.binutils('objcopy'), ['-O', 'binary', 'noonmark.elf', 'noonmark.bin'], { cwd: out })
}

function checkHeader(file) {
  const image = readFileSync(file)
  if (image.readUInt32LE(0) !== DIRECT_BOOT_MAGIC || image.readUInt32LE(4) !== DIRECT_BOOT_MAGIC) {
    throw new Error(`${file} does not begin with the words that direct boot looks for`)
  }
}

/** Sizes in bytes: of the image in flash, and of everything that is static in RAM. */
function measure(tools, out, board, memorySize) {
  const sections = new Map()
  const text = tools.run(tools.binutils('objdump'), ['-h', '-w', 'noonmark.elf'], { cwd: out })
  for (const [, name, size] of text.matchAll(/^\s*\d+ (\.\w+)\s+([0-9a-f]{8}) /gm))
    sections.set(name, Number.parseInt(size, 16))
  const of = (name) => sections.get(name) ?? 0
  const rows = [
    ['code run from flash', of('.text'), 0],
    ['constants', of('.rodata'), 0],
    ['code run from RAM', of('.hot'), of('.hot')],
    ['initialised data', of('.data'), of('.data')],
    ["the module's memory", 0, memorySize],
    ["the machine's other data", 0, of('.bss') - memorySize],
    ['stack', 0, of('.stack')],
  ]
  const flash = rows.reduce((sum, row) => sum + row[1], 0)
  const ram = rows.reduce((sum, row) => sum + row[2], 0)
  return { rows, flash, ram, budget: board.budget, bin: join(out, 'noonmark.bin'), elf: join(out, 'noonmark.elf') }
}

/** The table as text. */
export function sizeTable({ rows, flash, ram, budget }) {
  const line = (name, a, b) => `${name.padEnd(26)}${String(a || '').padStart(10)}${String(b || '').padStart(10)}`
  return [
    line('bytes', 'flash', 'RAM'),
    ...rows.map(([name, a, b]) => line(name, a, b)),
    line('sum', flash, ram),
    line('budget', budget.flash, budget.ram),
  ].join('\n')
}

/** One sentence for each budget that is exceeded. */
export function budgetFaults({ flash, ram, budget }) {
  const faults = []
  if (flash > budget.flash)
    faults.push(`the image takes ${flash} bytes of flash, ${flash - budget.flash} over the budget`)
  if (ram > budget.ram) faults.push(`static RAM is ${ram} bytes, ${ram - budget.ram} over the budget`)
  return faults
}

async function main() {
  const { values } = parseArgs({
    options: { board: { type: 'string' }, wasm: { type: 'string' }, out: { type: 'string' } },
  })
  if (values.wasm === undefined) {
    installPackages()
    await buildFirmware()
  }
  const sizes = await buildImage(values)
  console.log(sizeTable(sizes))
  const faults = budgetFaults(sizes)
  if (faults.length > 0) fail(`${faults.join('; ')}.`)
  const digest = createHash('sha256').update(readFileSync(sizes.bin)).digest('hex')
  console.log(`${sizes.bin}\nsha256 ${digest}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => fail(error.message))
}
