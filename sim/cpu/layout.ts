// The core's linear memory, as the AssemblyScript side (rv32/) and the host (core.ts) both see it. All addresses in bytes.
//
//        0x400  registers x0..x31 as u32, then one slot that takes writes to x0
//        0x500  machine state, one u32 a field (below)
//        0x800  machine CSRs that are plain storage: 16 pmpaddr, 4 pmpcfg
//       0x1000  hooked program counters, HOOKS_MAX x u32
//      0x10000  jump cache: program counter -> block, JUMPS x 8, direct mapped (pc, block)
//      0x40000  buckets: heads of the chains of all decoded blocks, BUCKETS x u32
//     0x100000  page tables of 2 MB each: READ, WRITE, EXECUTE. One u32 a guest page of 8 KB: what to add to
//               a guest address to get its address here; 0 where nothing is mapped
//     0x800000  decoded blocks (16-byte header, then 8 bytes an operation)
//    0x1000000  side records, 16 bytes an operation: read only off the fast path
//    0x2000000  marks: a byte for every half-word of the arena (address >>> 1), bits of `Mark`
//    0x4000000  arena: the guest's memories, placed by the host

export const REGISTERS: u32 = 0x400
/** Where writes to x0 go: an index into REGISTERS, in bytes. */
export const DISCARD: u32 = 128

export const PC: u32 = 0x500
/** Instructions left in this slice: up to date whenever the host is called. */
export const BUDGET: u32 = 0x504
/** Why the fast path must be left: bits of `Attention`. */
export const ATTENTION: u32 = 0x508
/** Number of the interrupt that the host's interrupt matrix presents; 0: none. */
export const PENDING: u32 = 0x50c
/** 3 in machine mode, 0 in user mode. */
export const PRIVILEGE: u32 = 0x510
/** Bits of `Option`. */
export const OPTIONS: u32 = 0x514
export const REASON: u32 = 0x518
/** The operation whose jump had no block yet, to be linked; 0: none. */
export const LINK: u32 = 0x51c
/** Number of entries at HOOKS. */
export const HOOK_COUNT: u32 = 0x520
/** Nonzero: the hook at this program counter has been seen; the next run passes over it. */
export const HOOK_SEEN: u32 = 0x524
/** Decoded blocks were thrown away this many times. */
export const FLUSHES: u32 = 0x528
/** Exceptions taken; interrupts taken. */
export const EXCEPTIONS: u32 = 0x52c
export const INTERRUPTS: u32 = 0x530

export const MSTATUS: u32 = 0x540
export const MTVEC: u32 = 0x544
export const MSCRATCH: u32 = 0x548
export const MEPC: u32 = 0x54c
export const MCAUSE: u32 = 0x550
export const MTVAL: u32 = 0x554
export const MIE: u32 = 0x558
/** The ESP32-C3's performance counter: event, mode. */
export const MPCER: u32 = 0x55c
export const MPCMR: u32 = 0x560
export const MCOUNTEREN: u32 = 0x564

/** Count of instructions (u64) at which the slice in progress ends: retired = SLICE_END - BUDGET. */
export const SLICE_END: u32 = 0x580
/** Cycles (u64) to be added to the count of instructions: idle time, and what the guest wrote to a counter. */
export const CYCLES_EXTRA: u32 = 0x588
/** What the guest wrote to minstret, less the count then (u64). */
export const INSTRET_EXTRA: u32 = 0x590

export const PMP: u32 = 0x800
export const HOOKS: u32 = 0x1000
export const HOOKS_MAX: u32 = 1024
export const JUMP_CACHE: u32 = 0x1_0000
export const JUMPS: u32 = 0x4000
export const BUCKET_TABLE: u32 = 0x4_0000
export const BUCKETS: u32 = 0x1_0000
export const READ_TABLE: u32 = 0x10_0000
export const WRITE_TABLE: u32 = 0x30_0000
export const EXECUTE_TABLE: u32 = 0x50_0000
export const PAGE_SHIFT: u32 = 13
export const CODE: u32 = 0x80_0000
export const CODE_END: u32 = 0x100_0000
export const SIDE: u32 = 0x100_0000
export const ARENA: u32 = 0x400_0000
export const ARENA_MAX: u32 = 0x400_0000

/** Why `run` came back. */
export const enum Reason {
  None = 0,
  /** The budget is used up. */
  Budget = 1,
  /** WFI with nothing pending; the program counter is behind it. */
  Wfi = 2,
  /** The program counter is where nothing executable is mapped. */
  Fetch = 3,
  /** An exception was taken (only with `Option.StopOnException`). */
  Exception = 4,
  /** A hook asked for it; the hooked instruction is not executed yet. */
  Hook = 5,
  /** The host asked for it by `Attention.Stop`. */
  Stop = 6,
}

export const enum Attention {
  /** Leave the block after this instruction: an interrupt may be due. */
  Interrupt = 1,
  /** Leave `run` after this instruction. */
  Stop = 2,
  /** The access that the host was asked for is to trap. */
  Fault = 4,
  /** Decoded blocks were thrown away: leave the one in progress. */
  Flushed = 8,
}

/** What a store to a half-word must not do on the fast path. */
export const enum Mark {
  /** It was decoded as code. */
  Code = 1,
  /** The host wants to know. */
  Watched = 2,
}

export const enum Option {
  /** Misaligned loads and stores work instead of trapping. */
  Misaligned = 1,
  /** CSRs and mtvec as in the privileged specification, not as in the ESP32-C3. */
  Standard = 2,
  StopOnException = 4,
}

/** Exception causes (mcause, Privileged Architecture table 3.6). */
export const enum Cause {
  InstructionAccess = 1,
  IllegalInstruction = 2,
  Breakpoint = 3,
  LoadMisaligned = 4,
  LoadAccess = 5,
  StoreMisaligned = 6,
  StoreAccess = 7,
  UserCall = 8,
  MachineCall = 11,
}

/** Operations of decoded blocks. The operation's three bytes and one word are written a, b, c, imm. */
export const enum Op {
  /** x[a] = imm */
  Set,
  Addi,
  Slti,
  Sltiu,
  Xori,
  Ori,
  Andi,
  Slli,
  Srli,
  Srai,
  Add,
  Sub,
  Sll,
  Slt,
  Sltu,
  Xor,
  Srl,
  Sra,
  Or,
  And,
  Mul,
  Mulh,
  Mulhsu,
  Mulhu,
  Div,
  Divu,
  Rem,
  Remu,
  /** x[a] = memory[x[b] + imm] */
  Lb,
  Lh,
  Lw,
  Lbu,
  Lhu,
  /** memory[x[b] + imm] = x[c] */
  Sb,
  Sh,
  Sw,
  /** if x[a] ? x[b], go to block imm, having executed c instructions of this one. */
  Beq,
  Bne,
  Blt,
  Bge,
  Bltu,
  Bgeu,
  /** Go to block imm, having executed c instructions. */
  Goto,
  /** Go to x[b] + imm, having executed c instructions. */
  Jump,
  /** The same with a link, where the link register is also the base: rare. */
  JumpLink,
  /** x[a] = x[b] */
  Move,
  /** A CSR instruction; imm holds its bits. */
  Csr,
  /** SYSTEM without a CSR; imm holds its bits. */
  System,
  /** imm holds the offending bits. */
  Illegal,
  Hook,
  /** Leave before this operation's instruction, having executed c instructions: put into a block for one run of it. */
  Stop,
}
