// The C extension: each 16-bit instruction as the 32-bit instruction that it stands for (Unprivileged ISA, chapter 16).

/** The 32-bit instruction that `c` stands for; 0, which is illegal, where it stands for none in RV32C without F and D. */
export function expand(c: u32): u32 {
  switch (((c & 3) << 3) | (c >>> 13)) {
    case 0: // C.ADDI4SPN
      return c & 0x1fe0
        ? addi(
            near(c >>> 2),
            2,
            (bits(c, 11, 2) << 4) | (bits(c, 7, 4) << 6) | (bits(c, 6, 1) << 2) | (bits(c, 5, 1) << 3),
          )
        : 0
    case 2: // C.LW
      return lw(near(c >>> 2), near(c >>> 7), wordOffset(c))
    case 6: // C.SW
      return sw(near(c >>> 2), near(c >>> 7), wordOffset(c))
    case 8: // C.NOP, C.ADDI
      return addi(far(c), far(c), signed6(c))
    case 9: // C.JAL
      return jal(1, jumpOffset(c))
    case 10: // C.LI
      return addi(far(c), 0, signed6(c))
    case 11:
      return c & 0x107c ? luiOrStackPointer(c) : 0
    case 12:
      return arithmetic(c)
    case 13: // C.J
      return jal(0, jumpOffset(c))
    case 14: // C.BEQZ
      return branch(0, near(c >>> 7), branchOffset(c))
    case 15: // C.BNEZ
      return branch(1, near(c >>> 7), branchOffset(c))
    case 16: // C.SLLI
      return c & 0x1000 ? 0 : immediate(1, far(c), far(c), bits(c, 2, 5))
    case 18: // C.LWSP
      return far(c) ? lw(far(c), 2, (bits(c, 4, 3) << 2) | (bits(c, 12, 1) << 5) | (bits(c, 2, 2) << 6)) : 0
    case 20:
      return jumpOrMove(c)
    case 22: // C.SWSP
      return sw(bits(c, 2, 5), 2, (bits(c, 9, 4) << 2) | (bits(c, 7, 2) << 6))
    default:
      return 0
  }
}

/** C.ADDI16SP where rd is 2, else C.LUI. */
function luiOrStackPointer(c: u32): u32 {
  if (far(c) === 2) {
    const offset =
      (bits(c, 6, 1) << 4) |
      (bits(c, 2, 1) << 5) |
      (bits(c, 5, 1) << 6) |
      (bits(c, 3, 2) << 7) |
      (c & 0x1000 ? 0xfffffe00 : 0)
    return addi(2, 2, offset)
  }
  return (signed6(c) << 12) | (far(c) << 7) | 0x37
}

/** C.SRLI, C.SRAI, C.ANDI, C.SUB, C.XOR, C.OR, C.AND. */
function arithmetic(c: u32): u32 {
  const rd = near(c >>> 7)
  const high = c & 0x1000
  switch (bits(c, 10, 2)) {
    case 0:
      return high ? 0 : immediate(5, rd, rd, bits(c, 2, 5))
    case 1:
      return high ? 0 : immediate(5, rd, rd, 0x400 | bits(c, 2, 5))
    case 2:
      return immediate(7, rd, rd, signed6(c))
  }
  if (high) return 0
  const rs2 = near(c >>> 2)
  switch (bits(c, 5, 2)) {
    case 0:
      return register(0x20, 0, rd, rd, rs2)
    case 1:
      return register(0, 4, rd, rd, rs2)
    case 2:
      return register(0, 6, rd, rd, rs2)
    default:
      return register(0, 7, rd, rd, rs2)
  }
}

/** C.JR, C.MV, C.EBREAK, C.JALR, C.ADD. */
function jumpOrMove(c: u32): u32 {
  const rd = far(c)
  const rs2 = bits(c, 2, 5)
  const high = bits(c, 12, 1)
  if (rs2) return register(0, 0, rd, high ? rd : 0, rs2)
  if (rd) return (rd << 15) | (high << 7) | 0x67
  return high ? 0x0010_0073 : 0
}

function bits(c: u32, from: u32, count: u32): u32 {
  return (c >>> from) & ((1 << count) - 1)
}

/** A three-bit register field: x8 to x15. */
function near(field: u32): u32 {
  return 8 + (field & 7)
}

/** The five-bit register field at bit 7. */
function far(c: u32): u32 {
  return bits(c, 7, 5)
}

function signed6(c: u32): u32 {
  return bits(c, 2, 5) | (c & 0x1000 ? 0xffffffe0 : 0)
}

function wordOffset(c: u32): u32 {
  return (bits(c, 10, 3) << 3) | (bits(c, 6, 1) << 2) | (bits(c, 5, 1) << 6)
}

function jumpOffset(c: u32): u32 {
  return (
    (bits(c, 3, 3) << 1) |
    (bits(c, 11, 1) << 4) |
    (bits(c, 2, 1) << 5) |
    (bits(c, 7, 1) << 6) |
    (bits(c, 6, 1) << 7) |
    (bits(c, 9, 2) << 8) |
    (bits(c, 8, 1) << 10) |
    (c & 0x1000 ? 0xfffff800 : 0)
  )
}

function branchOffset(c: u32): u32 {
  return (
    (bits(c, 3, 2) << 1) |
    (bits(c, 10, 2) << 3) |
    (bits(c, 2, 1) << 5) |
    (bits(c, 5, 2) << 6) |
    (c & 0x1000 ? 0xffffff00 : 0)
  )
}

function immediate(funct3: u32, rd: u32, rs1: u32, value: u32): u32 {
  return (value << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | 0x13
}

function addi(rd: u32, rs1: u32, value: u32): u32 {
  return immediate(0, rd, rs1, value)
}

function lw(rd: u32, rs1: u32, offset: u32): u32 {
  return (offset << 20) | (rs1 << 15) | (2 << 12) | (rd << 7) | 0x03
}

function sw(rs2: u32, rs1: u32, offset: u32): u32 {
  return (bits(offset, 5, 7) << 25) | (rs2 << 20) | (rs1 << 15) | (2 << 12) | (bits(offset, 0, 5) << 7) | 0x23
}

function register(funct7: u32, funct3: u32, rd: u32, rs1: u32, rs2: u32): u32 {
  return (funct7 << 25) | (rs2 << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | 0x33
}

function jal(rd: u32, offset: u32): u32 {
  return (
    (bits(offset, 20, 1) << 31) |
    (bits(offset, 1, 10) << 21) |
    (bits(offset, 11, 1) << 20) |
    (bits(offset, 12, 8) << 12) |
    (rd << 7) |
    0x6f
  )
}

/** BEQ (0) or BNE (1) of `rs1` with x0. */
function branch(funct3: u32, rs1: u32, offset: u32): u32 {
  return (
    (bits(offset, 12, 1) << 31) |
    (bits(offset, 5, 6) << 25) |
    (rs1 << 15) |
    (funct3 << 12) |
    (bits(offset, 1, 4) << 8) |
    (bits(offset, 11, 1) << 7) |
    0x63
  )
}
