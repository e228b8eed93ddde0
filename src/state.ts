// The state folder of a virtual board: what survives a restart, as the parts themselves would keep it.
//
//   flash.bin   the NOR flash, byte for byte (flash-esp32c3.bin: that of the simulated ESP32-C3, with image and settings).
//               Holds private keys: readable by its owner only
//   rtc.json    the DS3231's registers and the time at which they were saved; its battery does the rest
//   ca.pem      the certificate of the board's own authority, for clients; public

import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { SavedRtc } from '../hal/virtual/machine'

/** The flash of a machine: its file's name and size. */
export interface FlashFile {
  name: string
  size: number
}

/** The virtual board's flash is its log area alone. */
export const VIRTUAL_FLASH: FlashFile = { name: 'flash.bin', size: 16 * 4096 }

/** A sentence for the user. */
export class StateError extends Error {}

export class StateFolder {
  readonly path: string
  readonly caFile: string
  readonly flash: Uint8Array
  private readonly descriptor: number

  constructor(folder: string, flash: FlashFile = VIRTUAL_FLASH) {
    this.path = resolve(folder)
    this.caFile = join(this.path, 'ca.pem')
    try {
      mkdirSync(this.path, { recursive: true })
      const file = join(this.path, flash.name)
      if (!existsSync(file)) writeFileSync(file, new Uint8Array(flash.size).fill(0xff), { mode: 0o600 })
      this.flash = new Uint8Array(readFileSync(file))
      this.descriptor = openSync(file, 'r+')
    } catch (error) {
      throw new StateError(`the state folder ${this.path} cannot be used: ${(error as Error).message}`)
    }
    if (this.flash.length !== flash.size) {
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
  }
}

/** Readers see the old file or the new one, never half of it. */
function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.part`, text)
  renameSync(`${file}.part`, file)
}
