// The state folder of a virtual board: what survives a restart, as the parts themselves would keep it.
//
//   flash.bin   the NOR flash, byte for byte (flash-esp32c3.bin: that of the simulated ESP32-C3, with image and settings).
//               Holds private keys: readable by its owner only
//   anchors.bin the trust anchors behind the flash's log, made by `noonmark anchors`; public, and only read
//   rtc.json    the DS3231's registers and the time at which they were saved; its battery does the rest
//   ca.pem      the certificate of the board's own authority, for clients; public
//   control     while a board runs: the socket of its console (control.ts), for `noonmark status`
//   lock        who uses the folder: process id and, where the system tells it, when that process began. Two boards in one
//               folder would write over each other's flash. A lock whose process is gone (kill -9, power) counts for nothing

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import type { SavedRtc } from '../hal/virtual/machine'

/** The flash of a machine: its file's name and size. */
export interface FlashFile {
  name: string
  size: number
}

/** The virtual board's flash is its log area alone. */
export const VIRTUAL_FLASH: FlashFile = { name: 'flash.bin', size: 16 * 4096 }

/** What `noonmark anchors` writes. */
export const ANCHORS_FILE = 'anchors.bin'

/** A sentence for the user. */
export class StateError extends Error {}

export class StateFolder {
  readonly path: string
  readonly caFile: string
  readonly flash: Uint8Array
  private readonly descriptor: number
  private readonly lockFile: string

  constructor(folder: string, flash: FlashFile = VIRTUAL_FLASH) {
    this.path = resolve(folder)
    this.caFile = join(this.path, 'ca.pem')
    this.lockFile = join(this.path, 'lock')
    try {
      mkdirSync(this.path, { recursive: true })
      lock(this.lockFile, this.path)
    } catch (error) {
      throw unusable(this.path, error)
    }
    try {
      const file = join(this.path, flash.name)
      if (!existsSync(file)) replaceFile(file, new Uint8Array(flash.size).fill(0xff), 0o600)
      this.flash = new Uint8Array(readFileSync(file))
      this.descriptor = openSync(file, 'r+')
    } catch (error) {
      rmSync(this.lockFile, { force: true })
      throw unusable(this.path, error)
    }
    if (this.flash.length !== flash.size) {
      this.close()
      throw new StateError(
        `${join(this.path, flash.name)} has ${this.flash.length} bytes instead of ${flash.size}: not the flash of this board. ` +
          'Name another folder with --state, or move the file away to begin anew.',
      )
    }
  }

  /** Follows a change of the flash. */
  flashChanged(offset: number, length: number): void {
    writeSync(this.descriptor, this.flash, offset, length, offset)
  }

  /** The trust anchors; undefined when none were made. */
  loadAnchors(): Uint8Array | undefined {
    const file = join(this.path, ANCHORS_FILE)
    return existsSync(file) ? new Uint8Array(readFileSync(file)) : undefined
  }

  /** The RTC as it was saved; undefined when there is none, or none that can be read (a dead battery). */
  loadRtc(): SavedRtc | undefined {
    try {
      const saved = JSON.parse(readFileSync(join(this.path, 'rtc.json'), 'utf8'))
      return { state: Uint8Array.from(saved.state), seconds: Number(saved.seconds), nanos: Number(saved.nanos) }
    } catch {
      return undefined
    }
  }

  saveRtc(rtc: SavedRtc): void {
    const text = JSON.stringify({ state: [...rtc.state], seconds: rtc.seconds, nanos: rtc.nanos })
    replaceFile(join(this.path, 'rtc.json'), `${text}\n`)
  }

  saveCa(pem: string): void {
    if (!existsSync(this.caFile) || readFileSync(this.caFile, 'utf8') !== pem) replaceFile(this.caFile, pem)
  }

  close(): void {
    closeSync(this.descriptor)
    rmSync(this.lockFile, { force: true })
  }
}

function unusable(folder: string, error: unknown): StateError {
  if (error instanceof StateError) return error
  return new StateError(`the state folder ${folder} cannot be used: ${(error as Error).message}`)
}

/** Readers see the old file or the new one, never half of it. */
function replaceFile(file: string, content: string | Uint8Array, mode = 0o644): void {
  try {
    writeFileSync(`${file}.part`, content, { mode })
    renameSync(`${file}.part`, file)
  } catch (error) {
    rmSync(`${file}.part`, { force: true })
    throw error
  }
}

// The lock.

/** Writes our lock; throws a StateError when another living process has one. */
function lock(file: string, folder: string): void {
  try {
    writeLock(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const [pid = 0, began = ''] = readFileSync(file, 'utf8').trim().split(' ')
    if (isAlive(Number(pid), began)) {
      throw new StateError(
        `another noonmark (process ${pid}) uses the state folder ${folder}; end it, or name another folder with --state`,
      )
    }
    rmSync(file, { force: true })
    writeLock(file)
  }
}

function writeLock(file: string): void {
  writeFileSync(file, `${process.pid} ${beginning(process.pid)}\n`, { flag: 'wx' })
}

/** True when process `pid` runs, and is the one that began at `began` as far as that can be told. */
function isAlive(pid: number, began: string): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const begins = beginning(pid)
  return began === '' || begins === '' || began === begins
}

/** When a process began, so that a number that was given out again is not taken for it: Linux tells, others do not. */
function beginning(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // Field 22 of proc(5); the name, field 2, is in parentheses and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return 'ended'
    const start = fields[19] ?? ''
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    return `${boot}/${start}`
  } catch {
    return ''
  }
}
