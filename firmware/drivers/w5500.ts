// WIZnet W5500: registers, SPI frames and bring-up. The sockets are in w5500_socket.ts and its neighbours.
//
//   in    addresses (`w5500Configure`), the time; out: a chip that is up, or the reason why not
//
// Nothing here waits: bring-up is a step machine, `w5500Step(now)`, that is called again at `w5500StepDue()`.
// Register names and pages: W5500 datasheet 1.0.9, chapter 4. Registers are big-endian; addresses in host order.

import { Channel, Pin, pin_read, pin_write, spi_read, spi_write, TICK_HZ } from '../../hal/abi'
import { loadU16be, storeU16be, storeU32be } from '../bytes/endian'

export const MICROSECOND: u64 = <u64>TICK_HZ / 1_000_000
export const MILLISECOND: u64 = <u64>TICK_HZ / 1000

/** Common registers, page 32. */
export const enum Common {
  MR = 0x00,
  GAR = 0x01,
  SUBR = 0x05,
  SHAR = 0x09,
  SIPR = 0x0f,
  INTLEVEL = 0x13,
  IR = 0x15,
  IMR = 0x16,
  SIR = 0x17,
  SIMR = 0x18,
  RTR = 0x19,
  RCR = 0x1b,
  PHYCFGR = 0x2e,
  VERSIONR = 0x39,
}

/** Socket registers, page 44. */
export const enum Sn {
  MR = 0x00,
  CR = 0x01,
  IR = 0x02,
  SR = 0x03,
  PORT = 0x04,
  DHAR = 0x06,
  DIPR = 0x0c,
  DPORT = 0x10,
  RXBUF_SIZE = 0x1e,
  TXBUF_SIZE = 0x1f,
  TX_FSR = 0x20,
  TX_RD = 0x22,
  TX_WR = 0x24,
  RX_RSR = 0x26,
  RX_RD = 0x28,
  RX_WR = 0x2a,
  IMR = 0x2c,
  KPALVTR = 0x2f,
}

/** Sn_CR, page 46. */
export const enum Command {
  OPEN = 0x01,
  LISTEN = 0x02,
  CONNECT = 0x04,
  DISCON = 0x08,
  CLOSE = 0x10,
  SEND = 0x20,
  SEND_MAC = 0x21,
  RECV = 0x40,
}

/** Sn_IR, page 48. */
export const enum Cause {
  CON = 1,
  DISCON = 2,
  RECV = 4,
  TIMEOUT = 8,
  SENDOK = 16,
}

/** Sn_SR, page 49. */
export const enum Status {
  CLOSED = 0x00,
  INIT = 0x13,
  LISTEN = 0x14,
  SYNSENT = 0x15,
  SYNRECV = 0x16,
  ESTABLISHED = 0x17,
  CLOSE_WAIT = 0x1c,
  UDP = 0x22,
}

export const SOCKETS: u32 = 8

/** Where the chip is on its way to service. */
export const enum Bringup {
  /** Not configured yet. */
  Off = 0,
  /** RSTn is low. */
  Reset = 1,
  /** RSTn is high, the PLL locks. */
  Settle = 2,
  /** VERSIONR is asked for. */
  Probe = 3,
  Up = 4,
  /** No W5500 answered; tried again every second. */
  Absent = 5,
}

/** Counters and state for the console; 32 bytes. */
@unmanaged
export class W5500Status {
  /** `Bringup` */
  state: u32
  /** Times that the chip was brought up. Sockets of an earlier generation are gone. */
  generation: u32
  /** The last VERSIONR read. */
  version: u32
  /** 1: the PHY has a link. Looked at twice a second. */
  link: u32
  /** The registers did not read back as written. */
  mismatches: u32
  /** The chip had forgotten its registers, or a command was never accepted: brought up again. */
  restarts: u32
  /** Nobody answered to VERSIONR. */
  absences: u32
  /** PHYCFGR: DPX full duplex (bit 2), SPD 100 Mbit/s (bit 1), LNK (bit 0). */
  phy: u32
}

const STATUS: usize = memory.data(32, 8)
/** GAR, SUBR, SHAR, SIPR as they lie in the chip: 4 + 4 + 6 + 4 bytes. */
const ADDRESSES: usize = memory.data(24, 8)
const SCRATCH: usize = memory.data(24, 8)
const ADDRESSES_LENGTH: u32 = 18

/** RX and TX buffer sizes in KB of sockets 0..7; each direction sums to 16. */
const RX_SIZES: usize = memory.data<u8>([4, 2, 2, 2, 2, 1, 1, 2])
const TX_SIZES: usize = memory.data<u8>([2, 2, 2, 2, 2, 2, 2, 2])

/**
 * RTR and RCR: an ARP that nobody answers takes (RCR + 1) * RTR = 80 ms; TCP doubles RTR each time and gives up after
 * 2.55 s. Both are common to all sockets.
 */
const RTR_UNITS: u32 = 100
const RCR_COUNT: u32 = 7
export const ARP_LIMIT: u64 = MILLISECOND * 80

const RESET_LOW: u64 = MILLISECOND
const RESET_SETTLE: u64 = MILLISECOND * 3
const PROBE_INTERVAL: u64 = MILLISECOND
const PROBES: u32 = 100
const ABSENT_INTERVAL: u64 = <u64>TICK_HZ
const HEALTH_INTERVAL: u64 = <u64>TICK_HZ / 2

let ipAddress: u32 = 0
let subnetMask: u32 = 0
let gatewayAddress: u32 = 0
let interruptMask: u32 = 0
let due: u64 = 0
let probes: u32 = 0

// ---- SPI frames: 16-bit address, then control: block (5 bits), write (1 bit), variable length (00).

export function readCommon(address: u32, out: usize, length: u32): void {
  spi_read(address << 8, 3, out, length)
}

export function writeCommon(address: u32, data: usize, length: u32): void {
  spi_write((address << 8) | 4, 3, data, length)
}

export function readSocket(n: u32, address: u32, out: usize, length: u32): void {
  spi_read((address << 8) | (((n << 2) | 1) << 3), 3, out, length)
}

export function writeSocket(n: u32, address: u32, data: usize, length: u32): void {
  spi_write((address << 8) | (((n << 2) | 1) << 3) | 4, 3, data, length)
}

/** Writes into the TX buffer at a 16-bit pointer; the chip wraps at the buffer's end. */
export function writeTx(n: u32, pointer: u32, data: usize, length: u32): void {
  spi_write(((pointer & 0xffff) << 8) | (((n << 2) | 2) << 3) | 4, 3, data, length)
}

/** Reads from the RX buffer at a 16-bit pointer; the chip wraps at the buffer's end. */
export function readRx(n: u32, pointer: u32, out: usize, length: u32): void {
  spi_read(((pointer & 0xffff) << 8) | (((n << 2) | 3) << 3), 3, out, length)
}

export function readSocket8(n: u32, address: u32): u32 {
  readSocket(n, address, SCRATCH, 1)
  return <u32>load<u8>(SCRATCH)
}

export function readSocket16(n: u32, address: u32): u32 {
  readSocket(n, address, SCRATCH, 2)
  return loadU16be(SCRATCH)
}

export function writeSocket8(n: u32, address: u32, value: u32): void {
  store<u8>(SCRATCH, value)
  writeSocket(n, address, SCRATCH, 1)
}

export function writeSocket16(n: u32, address: u32, value: u32): void {
  storeU16be(SCRATCH, value)
  writeSocket(n, address, SCRATCH, 2)
}

// ---- Bring-up.

/** Sets the addresses (`mac` 6 bytes) and brings the chip up with them; also to change them later. */
export function w5500Configure(mac: usize, ip: u32, mask: u32, gateway: u32, now: u64): void {
  ipAddress = ip
  subnetMask = mask
  gatewayAddress = gateway
  storeU32be(ADDRESSES, gateway)
  storeU32be(ADDRESSES + 4, mask)
  memory.copy(ADDRESSES + 8, mac, 6)
  storeU32be(ADDRESSES + 14, ip)
  beginReset(now)
}

/** Goes on with the bring-up, and looks after a chip that is up. True while the chip is up. */
export function w5500Step(now: u64): bool {
  const status = w5500Status()
  if (status.state === Bringup.Off) return false
  if (now < due) return status.state === Bringup.Up
  if (status.state === Bringup.Reset) {
    pin_write(Pin.EthernetReset, 1)
    enter(Bringup.Settle, now + RESET_SETTLE)
  } else if (status.state === Bringup.Absent) beginReset(now)
  else if (status.state === Bringup.Up) checkHealth(now)
  else probe(now)
  return status.state === Bringup.Up
}

/** When `w5500Step` wants to be called next. */
export function w5500StepDue(): u64 {
  return w5500Status().state === Bringup.Off ? u64.MAX_VALUE : due
}

/** The chip does not do what it must: brings it up from its reset pin. */
export function w5500Restart(now: u64): void {
  w5500Status().restarts++
  beginReset(now)
}

export function w5500Status(): W5500Status {
  return changetype<W5500Status>(STATUS)
}

export function w5500Up(): bool {
  return w5500Status().state === Bringup.Up
}

/** INTn is low: a socket of `w5500InterruptMask` has a cause. */
export function w5500Interrupt(): bool {
  return pin_read(Channel.EthernetInt) === 0
}

/** Sets SIMR: which sockets pull INTn. */
export function w5500InterruptMask(mask: u32): void {
  interruptMask = mask
  if (w5500Up()) writeCommon8(Common.SIMR, mask)
}

/** The address that a frame to `ip` goes to: itself on our network, else the gateway. */
export function nextHop(ip: u32): u32 {
  return ((ip ^ ipAddress) & subnetMask) === 0 ? ip : gatewayAddress
}

/** A host can have this address: not 0/8, multicast, reserved, or our network's broadcast. */
export function isHost(ip: u32): bool {
  if (ip < 0x0100_0000 || ip >= 0xe000_0000) return false
  const hostBits = ~subnetMask
  return (
    ((ip ^ ipAddress) & subnetMask) !== 0 || hostBits < 3 || ((ip & hostBits) !== hostBits && (ip & hostBits) !== 0)
  )
}

function enter(state: Bringup, next: u64): void {
  w5500Status().state = state
  due = next
}

function beginReset(now: u64): void {
  const status = w5500Status()
  status.link = 0
  status.phy = 0
  probes = 0
  pin_write(Pin.EthernetReset, 0)
  enter(Bringup.Reset, now + RESET_LOW)
}

/** VERSIONR may read 0 for a while after a reset. */
function probe(now: u64): void {
  const status = w5500Status()
  readCommon(Common.VERSIONR, SCRATCH, 1)
  status.version = <u32>load<u8>(SCRATCH)
  if (status.version === 4 && writeSettings()) {
    status.generation++
    enter(Bringup.Up, now + MILLISECOND)
    return
  }
  probes++
  if (probes < PROBES) {
    enter(Bringup.Probe, now + PROBE_INTERVAL)
    return
  }
  status.absences++
  enter(Bringup.Absent, now + ABSENT_INTERVAL)
}

/** Writes all that does not depend on sockets; false when it does not read back. */
function writeSettings(): bool {
  writeCommon(Common.GAR, ADDRESSES, ADDRESSES_LENGTH)
  storeU16be(SCRATCH, RTR_UNITS)
  store<u8>(SCRATCH, RCR_COUNT, 2)
  writeCommon(Common.RTR, SCRATCH, 3)
  writeCommon8(Common.IMR, 0)
  writeCommon8(Common.SIMR, interruptMask)
  for (let n: u32 = 0; n < SOCKETS; n++) {
    store<u8>(SCRATCH, load<u8>(RX_SIZES + n))
    store<u8>(SCRATCH, load<u8>(TX_SIZES + n), 1)
    writeSocket(n, Sn.RXBUF_SIZE, SCRATCH, 2)
  }
  if (addressesHold()) return true
  w5500Status().mismatches++
  return false
}

function writeCommon8(address: u32, value: u32): void {
  store<u8>(SCRATCH, value)
  writeCommon(address, SCRATCH, 1)
}

function addressesHold(): bool {
  readCommon(Common.GAR, SCRATCH, ADDRESSES_LENGTH)
  for (let i: usize = 0; i < ADDRESSES_LENGTH; i++) {
    if (load<u8>(SCRATCH + i) !== load<u8>(ADDRESSES + i)) return false
  }
  return true
}

/** Twice a second: a chip whose power failed has lost its addresses; there is no interrupt for a change of the link. */
function checkHealth(now: u64): void {
  const status = w5500Status()
  due = now + HEALTH_INTERVAL
  readCommon(Common.PHYCFGR, SCRATCH, 1)
  status.phy = <u32>load<u8>(SCRATCH) & 7
  status.link = status.phy & 1
  // One garbled transfer is no reason to drop every connection.
  if (!addressesHold() && !addressesHold()) w5500Restart(now)
}
