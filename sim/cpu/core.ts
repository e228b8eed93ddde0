// An RV32IMC processor core for the host: wraps build/rv32.wasm (sources in rv32/).
//
// In: memories that are mapped, bytes that are loaded, an interrupt number, a budget of instructions. Out: the reason why
// the core came back, exact counts, registers, and calls to the host for every access that no mapped memory answers.
// The core knows nothing of time: a host that wants time multiplies `cycles`.

import {
  ARENA,
  ARENA_MAX,
  ATTENTION,
  Attention,
  BUDGET,
  Cause,
  CYCLES_EXTRA,
  EXCEPTIONS,
  EXECUTE_TABLE,
  FLUSHES,
  HOOK_COUNT,
  HOOK_SEEN,
  HOOKS,
  HOOKS_MAX,
  INTERRUPTS,
  Mark,
  MPCER,
  MPCMR,
  OPTIONS,
  Option,
  PAGE_SHIFT,
  PC,
  PENDING,
  PRIVILEGE,
  READ_TABLE,
  REASON,
  REGISTERS,
  Reason,
  SLICE_END,
  WRITE_TABLE,
} from './layout'

/** Why `run` came back. */
export type StopReason =
  /** The budget of instructions is used up. */
  | 'budget'
  /** WFI, and no interrupt is pending. The program counter is behind it. */
  | 'wfi'
  /** The program counter is in the ROM, where nothing is mapped: the host does the function's work and returns to ra. */
  | 'rom'
  /** An exception was taken; the program counter is at the handler. Only with `stopOnException`. */
  | 'trap'
  /** An exception was taken, and nothing is executable at the handler: the program cannot go on. */
  | 'halted'
  /** A hook returned true; the instruction there is not executed yet, and the next `run` passes the hook. */
  | 'breakpoint'
  /** `stop()` was called. */
  | 'stopped'

/** What the core asks of its host. Inside a call `instructions`, `cycles`, `pc` and the registers are up to date. */
export interface CpuHost {
  /** Reads a device: 1, 2 or 4 bytes. */
  mmioRead(address: number, size: number): number
  /** Writes a device. `value` is unsigned. */
  mmioWrite(address: number, value: number, size: number): void
  /** The ESP32-C3's dedicated GPIO: 0x803 output enable, 0x804 input, 0x805 output. */
  csrRead?(csr: number): number
  csrWrite?(csr: number, value: number): void
  /** Called before the instruction at a hooked address; true stops the run there. */
  hook?(pc: number): boolean
  /** Called after a store to a watched address. */
  watched?(address: number, size: number): void
}

export interface CpuOptions {
  /** CSRs, mtvec and mie as in the privileged specification. Without it: the ESP32-C3's. */
  readonly standard?: boolean
  /** Misaligned loads and stores work. Without it they trap, causes 4 and 6. */
  readonly misaligned?: boolean
  /** `run` returns 'trap' after each exception. */
  readonly stopOnException?: boolean
  /** Jumps to here return 'rom' where nothing is mapped. */
  readonly rom?: { readonly start: number; readonly end: number }
}

/** Bits of what the guest may do with a page. */
export const enum Access {
  Read = 1,
  Write = 2,
  Execute = 4,
  All = 7,
}

/** Unit of mappings, in bytes. */
export const PAGE = 1 << PAGE_SHIFT
/** Instructions in one `run` at most. */
export const RUN_MAX = 1 << 30

interface Exports {
  run(budget: number): Reason
  flush(): void
  raise(cause: number, value: number, pc: number): void
  readCsr(csr: number): number
  writeCsr(csr: number, value: number): void
}

export class Cpu {
  readonly #memory: WebAssembly.Memory
  readonly #exports: Exports
  readonly #rom: { readonly start: number; readonly end: number }
  #words: Int32Array
  #bytes: Uint8Array
  #end: number = ARENA

  /** `wasm` is build/rv32.wasm. */
  constructor(wasm: Uint8Array, host: CpuHost, options: CpuOptions = {}) {
    this.#memory = new WebAssembly.Memory({ initial: ARENA >>> 16, maximum: (ARENA + ARENA_MAX) >>> 16 })
    const imports = {
      mmio_read: (address: number, size: number) => host.mmioRead(address >>> 0, size),
      mmio_write: (address: number, value: number, size: number) => host.mmioWrite(address >>> 0, value >>> 0, size),
      csr_read: (csr: number) => host.csrRead?.(csr) ?? 0,
      csr_write: (csr: number, value: number) => host.csrWrite?.(csr, value >>> 0),
      hook: (pc: number) => (host.hook?.(pc >>> 0) ? 1 : 0),
      watched: (address: number, size: number) => host.watched?.(address >>> 0, size),
    }
    const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource), {
      env: { memory: this.#memory },
      'host.entry': imports,
    })
    this.#exports = instance.exports as unknown as Exports
    this.#words = new Int32Array(this.#memory.buffer)
    this.#bytes = new Uint8Array(this.#memory.buffer)
    this.#rom = options.rom ?? { start: 0, end: 0 }
    let bits = 0
    if (options.misaligned) bits |= Option.Misaligned
    if (options.standard) bits |= Option.Standard
    if (options.stopOnException) bits |= Option.StopOnException
    this.#put(OPTIONS, bits)
    this.flush()
    this.reset(0, 0)
  }

  /**
   * Lets the guest see `size` bytes of memory at `address` (both multiples of PAGE): at `place` in the core's own memory,
   * which an earlier `map` returned, or in a new, zeroed place. Returns the place. Two mappings of one place are aliases.
   */
  map(address: number, size: number, access: Access, place = this.#allocate(address, size)): number {
    if ((address | size | place) & (PAGE - 1)) throw new RangeError(`mappings are in units of ${PAGE} bytes`)
    for (let offset = 0; offset < size; offset += PAGE) {
      const entry = ((address + offset) >>> PAGE_SHIFT) << 2
      const delta = place - address
      this.#put(READ_TABLE + entry, access & Access.Read ? delta : 0)
      this.#put(WRITE_TABLE + entry, access & Access.Write ? delta : 0)
      this.#put(EXECUTE_TABLE + entry, access & Access.Execute ? delta : 0)
    }
    this.flush()
    return place
  }

  /** Takes `size` bytes at `address` away from the guest. */
  unmap(address: number, size: number): void {
    this.map(address, size, 0 as Access, ARENA)
  }

  /** The bytes at a place that `map` returned. Valid until a `map` takes a new place. Code that is changed here needs `flush()`. */
  bytes(place: number, length: number): Uint8Array {
    return this.#bytes.subarray(place, place + length)
  }

  /** Copies bytes to mapped guest memory, whether the guest may write it or not. Code may be among them. */
  write(address: number, data: Uint8Array): void {
    let wasCode = false
    for (let i = 0; i < data.length; ) {
      const [place, length] = this.#resolve(address + i, data.length - i)
      this.#bytes.set(data.subarray(i, i + length), place)
      const marks = this.#bytes.subarray(place >>> 1, ((place + length - 1) >>> 1) + 1)
      wasCode ||= marks.some((mark) => (mark & Mark.Code) !== 0)
      i += length
    }
    if (wasCode) this.flush()
  }

  /** Copies bytes from mapped guest memory. */
  read(address: number, length: number): Uint8Array {
    const data = new Uint8Array(length)
    for (let i = 0; i < length; ) {
      const [place, count] = this.#resolve(address + i, length - i)
      data.set(this.#bytes.subarray(place, place + count), i)
      i += count
    }
    return data
  }

  /** True where the guest can read memory, rather than a device, at `address`. */
  isMapped(address: number): boolean {
    return this.#words[(READ_TABLE >>> 2) + (address >>> PAGE_SHIFT)] !== 0
  }

  /** Registers and CSRs as after a reset: machine mode, interrupts off. Memory and the count of instructions stay. */
  reset(pc: number, sp: number): void {
    this.#words.fill(0, REGISTERS >>> 2, (REGISTERS >>> 2) + 33)
    this.#put(ATTENTION, 0)
    this.#put(PENDING, 0)
    this.#put(HOOK_SEEN, 0)
    this.#put(PRIVILEGE, 3)
    for (const csr of [0x300, 0x304, 0x305, 0x340, 0x341, 0x342, 0x343]) this.#exports.writeCsr(csr, 0)
    for (let i = 0; i < 4; i++) this.#exports.writeCsr(0x3a0 + i, 0)
    for (let i = 0; i < 16; i++) this.#exports.writeCsr(0x3b0 + i, 0)
    // As the ESP32-C3's ROM leaves them: counting cycles.
    this.#put(MPCER, 1)
    this.#put(MPCMR, 1)
    this.pc = pc
    this.setRegister(2, sp)
  }

  /** Runs at most `maxInstructions` (up to RUN_MAX). Counts are exact; an instruction that traps counts as one. */
  run(maxInstructions: number): StopReason {
    let budget = Math.min(maxInstructions, RUN_MAX)
    while (true) {
      const reason = this.#exports.run(budget)
      if (reason !== Reason.Fetch) return NAMES[reason] ?? 'stopped'
      const pc = this.pc
      if (pc >= this.#rom.start && pc < this.#rom.end) return 'rom'
      this.#exports.raise(Cause.InstructionAccess, pc, pc)
      if (!this.#isExecutable(this.pc)) return 'halted'
      if (this.#get(REASON) === Reason.Exception) return 'trap'
      budget = this.#get(BUDGET)
    }
  }

  get pc(): number {
    return this.#get(PC) >>> 0
  }

  set pc(value: number) {
    this.#put(PC, value & ~1)
  }

  /** Register x0 to x31, unsigned. */
  register(n: number): number {
    return this.#get(REGISTERS + 4 * n) >>> 0
  }

  setRegister(n: number, value: number): void {
    if (n !== 0) this.#put(REGISTERS + 4 * n, value)
  }

  /** A CSR, unsigned; 0 for one that does not exist. */
  readCsr(csr: number): number {
    return this.#exports.readCsr(csr) >>> 0
  }

  writeCsr(csr: number, value: number): void {
    this.#exports.writeCsr(csr, value)
  }

  /** 3: machine mode; 0: user mode. */
  get privilege(): number {
    return this.#get(PRIVILEGE)
  }

  /** Instructions executed since construction. */
  get instructions(): number {
    return this.#get64(SLICE_END) - this.#get(BUDGET)
  }

  /** What mpccr counts: the instructions, and the cycles that the host added. */
  get cycles(): number {
    return this.instructions + this.#get64(CYCLES_EXTRA)
  }

  /** Lets `count` idle cycles pass. */
  addCycles(count: number): void {
    const sum = this.#get64(CYCLES_EXTRA) + count
    this.#put(CYCLES_EXTRA, sum >>> 0)
    this.#put(CYCLES_EXTRA + 4, Math.floor(sum / 2 ** 32))
  }

  /**
   * Presents interrupt `n` (1 to 31), the one that the interrupt matrix chose, until 0 or another is presented. It is
   * taken as soon as mstatus.MIE allows: after the access in progress, or when `run` is called.
   */
  setInterrupt(n: number): void {
    this.#put(PENDING, n)
    if (n !== 0) this.#attend(Attention.Interrupt)
  }

  /** The interrupt presented. */
  get pendingInterrupt(): number {
    return this.#get(PENDING)
  }

  /** Ends the run after the instruction in progress: `run` returns 'stopped'. */
  stop(): void {
    this.#attend(Attention.Stop)
  }

  /** Inside mmioRead or mmioWrite: the access traps, cause 5 or 7. */
  fault(): void {
    this.#attend(Attention.Fault)
  }

  /** The addresses at which `host.hook` is called. Without any they cost nothing. */
  setHooks(addresses: Iterable<number>): void {
    const sorted = [...new Set(addresses)]
    if (sorted.length > HOOKS_MAX) throw new RangeError(`more than ${HOOKS_MAX} hooks`)
    for (const [i, address] of sorted.entries()) this.#put(HOOKS + 4 * i, address)
    this.#put(HOOK_COUNT, sorted.length)
    this.flush()
  }

  /** Lets `host.watched` know of stores to the mapped half-word at `address`. Without any watches they cost nothing. */
  watch(address: number): void {
    const [place] = this.#resolve(address, 1)
    this.#bytes[place >>> 1]! |= Mark.Watched
  }

  /** Forgets decoded instructions. Needed after code was changed by anyone but the guest's stores and `write`. */
  flush(): void {
    this.#exports.flush()
  }

  /** Exceptions and interrupts taken, and how often decoded instructions were thrown away. */
  get statistics(): { exceptions: number; interrupts: number; flushes: number } {
    return { exceptions: this.#get(EXCEPTIONS), interrupts: this.#get(INTERRUPTS), flushes: this.#get(FLUSHES) }
  }

  #isExecutable(address: number): boolean {
    return this.#get(EXECUTE_TABLE + ((address >>> PAGE_SHIFT) << 2)) !== 0
  }

  /** A new place for `size` bytes. Never the guest's own address: a difference of 0 means unmapped. */
  #allocate(address: number, size: number): number {
    let place = this.#end
    if (place === address) place += PAGE
    if (place + size > ARENA + ARENA_MAX) throw new RangeError(`the core holds ${ARENA_MAX >>> 20} MB at most`)
    this.#end = place + size
    const missing = Math.ceil((this.#end - this.#memory.buffer.byteLength) / 65536)
    if (missing > 0) {
      this.#memory.grow(missing)
      this.#words = new Int32Array(this.#memory.buffer)
      this.#bytes = new Uint8Array(this.#memory.buffer)
    }
    return place
  }

  #resolve(address: number, length: number): [place: number, length: number] {
    const entry = (address >>> PAGE_SHIFT) << 2
    const delta = this.#get(READ_TABLE + entry) || this.#get(WRITE_TABLE + entry) || this.#get(EXECUTE_TABLE + entry)
    if (delta === 0) throw new RangeError(`nothing is mapped at 0x${(address >>> 0).toString(16)}`)
    return [(address + delta) >>> 0, Math.min(length, PAGE - (address & (PAGE - 1)))]
  }

  #attend(bit: Attention): void {
    this.#put(ATTENTION, this.#get(ATTENTION) | bit)
  }

  #get(address: number): number {
    return this.#words[address >>> 2]!
  }

  #get64(address: number): number {
    return (this.#get(address) >>> 0) + this.#get(address + 4) * 2 ** 32
  }

  #put(address: number, value: number): void {
    this.#words[address >>> 2] = value
  }
}

const NAMES: Partial<Record<Reason, StopReason>> = {
  [Reason.Budget]: 'budget',
  [Reason.Wfi]: 'wfi',
  [Reason.Exception]: 'trap',
  [Reason.Hook]: 'breakpoint',
  [Reason.Stop]: 'stopped',
}
