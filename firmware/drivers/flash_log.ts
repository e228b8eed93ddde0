// The flash log: values by key, in an append-only ring of flash sectors. What was committed is never lost, whatever the
// byte at which power fails; wear goes round all sectors.
//
//   in    keys (u16, not 0xFFFF), values of up to LOG_VALUE_MAX bytes
//   out   the newest committed value of each key
//
//   sector   magic u32 | sequence u32 | check u32 | record ... record | 0xFF ...
//   record   key u16 | length u16 | data crc u32 | head check u32 | data, padded with 0xFF to 4 bytes
//
// All fields little-endian, all records 4-aligned. `check` covers the words before it. A record counts from the moment
// its last byte is programmed: then the CRC over key, length and data holds. A torn record with a sound head is
// stepped over; after a torn head the rest of the sector is given up.
//
// Sectors are used in the order of their sequence numbers; the newest is written to. `logWrite` may open an erased sector
// but never the last one. `logMaintain` keeps erased sectors in stock: it copies what is still alive in the oldest sector
// to the newest, then retires and erases the oldest. One call does one record or one erase (45 ms, at most 400 ms, in
// which an ESP32-C3 cannot run code from flash), so that the caller may choose the moment. A copy says what its original
// says, so a cut between the two does no harm. A sector is retired by programming its magic to 0 before the erase: what a
// torn erase leaves can then not pass for a sector.
//
// Values in all may take up `logCapacity()`: half of all sectors but two, since two neighbouring records that do not fit
// into one sector fill two by more than half.

import { flash_erase, flash_read, flash_size, flash_write } from '../../hal/abi'

/** Longest value. */
export const LOG_VALUE_MAX: u32 = 3072

/** Number of keys that can be in use. */
export const LOG_KEYS: u32 = 16

/** Most sectors that are used, and least that there must be. */
const SECTORS_MAX: u32 = 64
const SECTORS_MIN: u32 = 4

const SECTOR: u32 = 4096
const MAGIC: u32 = 0x4e4d_4c31
const SECTOR_HEAD: u32 = 12
const RECORD_HEAD: u32 = 12
const BLANK: u32 = 0xffff_ffff
const NO_KEY: u32 = 0xffff

/** Sequence of a sector that is erased and ready, and of one that must be erased first. */
const ERASED: u32 = 0
const DIRTY: u32 = 0xffff_ffff

/** Sequence number of each sector. */
const SEQUENCES: usize = memory.data(64 * 4, 8)

/** Index of the newest values: `key u32 | length u32 | offset of the record u32 | 0`, 16 bytes each. */
const INDEX: usize = memory.data(16 * 16, 8)
const ENTRY: usize = 16

const CHUNK_SIZE: u32 = 256
const CHUNK: usize = memory.data(256, 8)
const HEAD: usize = memory.data(16, 8)

/** What `moveOne` found. */
const enum Move {
  Nothing = 0,
  Done = 1,
  Failed = 2,
}

let sectors: u32 = 0
let keys: u32 = 0
/** The sector that is written to, and the offset in it of the next record; SECTOR when it takes no more. */
let active: u32 = 0
let position: u32 = 0
let newest: u32 = 0
let alive: u32 = 0
let faults: u32 = 0

/** Reads the whole log. False when the flash is too small or does not answer. An empty or foreign flash is an empty log. */
export function logMount(): bool {
  sectors = flash_size() / SECTOR
  if (sectors > SECTORS_MAX) sectors = SECTORS_MAX
  keys = 0
  alive = 0
  newest = 0
  active = 0
  position = SECTOR
  faults = 0
  if (sectors < SECTORS_MIN) return false
  for (let i: u32 = 0; i < sectors; i++) if (!inspect(i)) return false
  // In the order of age, so that newer records replace older ones in the index.
  for (let sequence = oldestAfter(0); sequence !== 0; sequence = oldestAfter(sequence)) scan(sectorOf(sequence))
  return true
}

/** Copies the value of `key` to `out`; returns its length, or -1 when there is none or it is longer than `capacity`. */
export function logRead(key: u32, out: usize, capacity: u32): i32 {
  const entry = find(key)
  if (entry === 0) return -1
  const length = entryLength(entry)
  if (length > capacity) return -1
  return flash_read(entryOffset(entry) + RECORD_HEAD, out, length) === 0 ? <i32>length : -1
}

/** Length of the value of `key`, -1 when there is none. */
export function logLength(key: u32): i32 {
  const entry = find(key)
  return entry === 0 ? -1 : <i32>entryLength(entry)
}

/**
 * Stores a value. True: it is committed. False: nothing has changed, and either the value does not fit into the log at
 * all (`logFits`), or `logMaintain` must run first, or the flash is faulty.
 */
export function logWrite(key: u32, data: usize, length: u32): bool {
  if (!logFits(key, length)) return false
  for (let tries = 0; tries < 3; tries++) {
    if (position + recordSize(length) > SECTOR && !openSector(2)) return false
    if (append(key, data, 0, length)) return true
  }
  return false
}

/** True when the log has room for this value besides all others. */
export function logFits(key: u32, length: u32): bool {
  if (sectors < SECTORS_MIN || key >= NO_KEY || length > LOG_VALUE_MAX) return false
  const entry = find(key)
  if (entry === 0 && keys >= LOG_KEYS) return false
  const replaced = entry === 0 ? 0 : recordSize(entryLength(entry))
  return alive - replaced + recordSize(length) <= logCapacity()
}

/** Bytes that all records together may take, 12 for each record's head. */
export function logCapacity(): u32 {
  return (sectors - 2) * ((SECTOR - SECTOR_HEAD) / 2)
}

/** Bytes of `logCapacity` that are not taken. */
export function logSpare(): u32 {
  return logCapacity() - alive
}

/** Writes and reads that the flash refused since the mount. */
export function logFaults(): u32 {
  return faults
}

/** Does one piece of upkeep. Returns true when it did something: call again. May take as long as an erase. */
export function logMaintain(): bool {
  if (sectors < SECTORS_MIN) return false
  const dirty = sectorOf(DIRTY)
  if (dirty < sectors) return wipe(dirty)
  if (erasedCount() >= 2) return false
  const oldest = sectorOf(oldestAfter(0))
  if (oldest >= sectors || oldest === active) return false
  const moved = moveOne(oldest)
  if (moved === Move.Nothing) return wipe(oldest)
  return moved === Move.Done
}

// ---- Sectors

function sequenceOf(sector: u32): u32 {
  return load<u32>(SEQUENCES + ((<usize>sector) << 2))
}

function setSequence(sector: u32, sequence: u32): void {
  store<u32>(SEQUENCES + ((<usize>sector) << 2), sequence)
}

/** Reads a sector's head. A sector that is not ours but blank throughout is erased; else it is dirty. */
function inspect(sector: u32): bool {
  if (flash_read(sector * SECTOR, HEAD, SECTOR_HEAD) !== 0) return false
  const sequence = load<u32>(HEAD, 4)
  const sound = load<u32>(HEAD) === MAGIC && load<u32>(HEAD, 8) === crc32(HEAD, 8, 0)
  if (sound && sequence !== ERASED && sequence !== DIRTY) {
    setSequence(sector, sequence)
    if (sequence > newest) newest = sequence
  } else {
    setSequence(sector, blank(sector) ? ERASED : DIRTY)
  }
  return true
}

function blank(sector: u32): bool {
  for (let offset: u32 = 0; offset < SECTOR; offset += CHUNK_SIZE) {
    if (flash_read(sector * SECTOR + offset, CHUNK, CHUNK_SIZE) !== 0) return false
    for (let i: u32 = 0; i < CHUNK_SIZE; i += 4) if (load<u32>(CHUNK + i) !== BLANK) return false
  }
  return true
}

/** The least sequence number greater than `sequence` that is in use; 0 when there is none. */
function oldestAfter(sequence: u32): u32 {
  let least: u32 = DIRTY
  for (let i: u32 = 0; i < sectors; i++) {
    const other = sequenceOf(i)
    if (other > sequence && other < least) least = other
  }
  return least === DIRTY ? 0 : least
}

/** The first sector with this sequence number; `sectors` when there is none. */
function sectorOf(sequence: u32): u32 {
  let sector: u32 = 0
  while (sector < sectors && sequenceOf(sector) !== sequence) sector++
  return sector
}

function erasedCount(): u32 {
  let count: u32 = 0
  for (let i: u32 = 0; i < sectors; i++) if (sequenceOf(i) === ERASED) count++
  return count
}

/** Makes an erased sector the active one, if at least `stock` are erased. The one after the present one is taken first. */
function openSector(stock: u32): bool {
  if (erasedCount() < stock) return false
  let sector = active
  do sector = sector + 1 < sectors ? sector + 1 : 0
  while (sequenceOf(sector) !== ERASED)
  store<u32>(HEAD, MAGIC)
  store<u32>(HEAD, newest + 1, 4)
  store<u32>(HEAD, crc32(HEAD, 8, 0), 8)
  if (flash_write(sector * SECTOR, HEAD, SECTOR_HEAD) !== 0) {
    faults++
    setSequence(sector, DIRTY)
    return false
  }
  newest++
  setSequence(sector, newest)
  active = sector
  position = SECTOR_HEAD
  return true
}

/** Retires and erases a sector. */
function wipe(sector: u32): bool {
  setSequence(sector, DIRTY)
  store<u32>(HEAD, 0)
  if (flash_write(sector * SECTOR, HEAD, 4) !== 0 || flash_erase(sector * SECTOR) !== 0) {
    faults++
    return false
  }
  setSequence(sector, ERASED)
  return true
}

// ---- Records

function recordSize(length: u32): u32 {
  return RECORD_HEAD + ((length + 3) & ~3)
}

/** Takes all records of a sector into the index; the sector becomes the active one. */
function scan(sector: u32): void {
  const base = sector * SECTOR
  let offset: u32 = SECTOR_HEAD
  while (offset + RECORD_HEAD <= SECTOR) {
    if (flash_read(base + offset, HEAD, RECORD_HEAD) !== 0 || headIsBlank()) break
    const key = load<u32>(HEAD) & 0xffff
    const length = load<u32>(HEAD) >> 16
    const crc = load<u32>(HEAD, 4)
    const sound = load<u32>(HEAD, 8) === crc32(HEAD, 8, 0) && length <= LOG_VALUE_MAX
    if (!sound || offset + recordSize(length) > SECTOR) {
      offset = SECTOR
      break
    }
    if (dataCrc(base + offset, key, length) === crc) note(key, length, base + offset)
    offset += recordSize(length)
  }
  // A tear may have left bits of a next record's head or data behind a blank start.
  if (offset < SECTOR && !blankFrom(base, offset)) offset = SECTOR
  active = sector
  position = offset
}

function headIsBlank(): bool {
  return (load<u32>(HEAD) & load<u32>(HEAD, 4) & load<u32>(HEAD, 8)) === BLANK
}

function blankFrom(base: u32, offset: u32): bool {
  for (let at = offset; at < SECTOR; at += 4) {
    if (flash_read(base + at, CHUNK, 4) !== 0 || load<u32>(CHUNK) !== BLANK) return false
  }
  return true
}

/** CRC over key, length and data of the record at `offset` in the flash. */
function dataCrc(offset: u32, key: u32, length: u32): u32 {
  store<u32>(CHUNK, key | (length << 16))
  let crc = crc32(CHUNK, 4, 0)
  for (let done: u32 = 0; done < length; done += CHUNK_SIZE) {
    const part = length - done < CHUNK_SIZE ? length - done : CHUNK_SIZE
    if (flash_read(offset + RECORD_HEAD + done, CHUNK, part) !== 0) return ~crc
    crc = crc32(CHUNK, part, crc)
  }
  return crc
}

/** Programs a record from memory (`data`) or, when that is 0, from the flash (`source`: offset of a record to copy). */
function append(key: u32, data: usize, source: u32, length: u32): bool {
  const offset = active * SECTOR + position
  store<u32>(HEAD, key | (length << 16))
  if (data !== 0) store<u32>(HEAD, crc32(data, length, crc32(HEAD, 4, 0)), 4)
  else store<u32>(HEAD, dataCrc(source, key, length), 4)
  store<u32>(HEAD, crc32(HEAD, 8, 0), 8)
  position += recordSize(length)
  if (flash_write(offset, HEAD, RECORD_HEAD) !== 0 || !programData(offset + RECORD_HEAD, data, source, length)) {
    faults++
    position = SECTOR
    return false
  }
  note(key, length, offset)
  return true
}

/** In chunks through a buffer of whole words, as the flash controller wants them. */
function programData(offset: u32, data: usize, source: u32, length: u32): bool {
  for (let done: u32 = 0; done < length; done += CHUNK_SIZE) {
    const part = length - done < CHUNK_SIZE ? length - done : CHUNK_SIZE
    memory.fill(CHUNK, 0xff, CHUNK_SIZE)
    if (data !== 0) memory.copy(CHUNK, data + done, part)
    else if (flash_read(source + RECORD_HEAD + done, CHUNK, part) !== 0) return false
    if (flash_write(offset + done, CHUNK, (part + 3) & ~3) !== 0) return false
  }
  return true
}

/** Copies one record that lives in `sector` to the active sector. */
function moveOne(sector: u32): Move {
  for (let i: u32 = 0; i < keys; i++) {
    const entry = INDEX + <usize>i * ENTRY
    const offset = entryOffset(entry)
    if (offset / SECTOR !== sector) continue
    const length = entryLength(entry)
    if (position + recordSize(length) > SECTOR && !openSector(1)) return Move.Failed
    return append(entryKey(entry), 0, offset, length) ? Move.Done : Move.Failed
  }
  return Move.Nothing
}

// ---- Index

function entryKey(entry: usize): u32 {
  return load<u32>(entry)
}

function entryLength(entry: usize): u32 {
  return load<u32>(entry, 4)
}

function entryOffset(entry: usize): u32 {
  return load<u32>(entry, 8)
}

/** The entry of a key, 0 when there is none. */
function find(key: u32): usize {
  for (let i: u32 = 0; i < keys; i++) {
    const entry = INDEX + <usize>i * ENTRY
    if (entryKey(entry) === key) return entry
  }
  return 0
}

/** The newest value of `key` is the record at `offset`. A key too many is ignored: only a foreign log has one. */
function note(key: u32, length: u32, offset: u32): void {
  let entry = find(key)
  if (entry === 0) {
    if (keys >= LOG_KEYS) return
    entry = INDEX + <usize>keys * ENTRY
    keys++
    store<u32>(entry, key)
  } else {
    alive -= recordSize(entryLength(entry))
  }
  alive += recordSize(length)
  store<u32>(entry, length, 4)
  store<u32>(entry, offset, 8)
}

// ---- CRC-32 (IEEE 802.3, reflected), by nibbles

const NIBBLES: StaticArray<u32> = [
  0x0000_0000, 0x1db7_1064, 0x3b6e_20c8, 0x26d9_30ac, 0x76dc_4190, 0x6b6b_51f4, 0x4db2_6158, 0x5005_713c, 0xedb8_8320,
  0xf00f_9344, 0xd6d6_a3e8, 0xcb61_b38c, 0x9b64_c2b0, 0x86d3_d2d4, 0xa00a_e278, 0xbdbd_f21c,
]

/** CRC-32 of `length` bytes, going on from `crc` (0 to begin). */
export function crc32(data: usize, length: u32, crc: u32): u32 {
  let value = ~crc
  for (let i: u32 = 0; i < length; i++) {
    value ^= <u32>load<u8>(data + i)
    value = unchecked(NIBBLES[value & 15]) ^ (value >> 4)
    value = unchecked(NIBBLES[value & 15]) ^ (value >> 4)
  }
  return ~value
}
