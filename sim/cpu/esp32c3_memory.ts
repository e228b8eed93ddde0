// The ESP32-C3's memories as its core sees them (technical reference manual, chapter 3): SRAM by two buses, flash through
// the cache's page table, RTC memory. Everything else is a device, and the ROM's functions are the host's.

import { Access, type Cpu } from './core'

/** Where the ROM's functions lie: a call there returns 'rom'. Give it to `new Cpu` as `rom`. */
export const ROM = { start: 0x4000_0000, end: 0x4006_0000 } as const

const SRAM0 = { instruction: 0x4037_c000, size: 0x4000 }
const SRAM1 = { instruction: 0x4038_0000, data: 0x3fc8_0000, size: 0x6_0000 }
const RTC_FAST = { start: 0x5000_0000, size: 0x2000 }
const FLASH = { instruction: 0x4200_0000, data: 0x3c00_0000 }
const FLASH_PAGE = 0x1_0000
/** Entries of the cache's page table. */
export const FLASH_PAGES = 128

export class Esp32c3Memory {
  readonly #cpu: Cpu
  readonly #flash: number
  readonly #sram: number
  readonly #rtc: number
  readonly #flashSize: number

  /** Maps SRAM and RTC memory, and reserves `flashSize` bytes (a multiple of 64 KB) of erased flash, not mapped yet. */
  constructor(cpu: Cpu, flashSize: number) {
    this.#cpu = cpu
    this.#flashSize = flashSize
    cpu.map(SRAM0.instruction, SRAM0.size, Access.All)
    this.#sram = cpu.map(SRAM1.data, SRAM1.size, Access.Read | Access.Write)
    cpu.map(SRAM1.instruction, SRAM1.size, Access.All, this.#sram)
    this.#rtc = cpu.map(RTC_FAST.start, RTC_FAST.size, Access.All)
    this.#flash = cpu.map(FLASH.instruction, flashSize, Access.Read | Access.Execute)
    cpu.unmap(FLASH.instruction, flashSize)
    this.flash.fill(0xff)
  }

  /** The flash chip's array. After a change `cpu.flush()` is due if it may have been code. */
  get flash(): Uint8Array {
    return this.#cpu.bytes(this.#flash, this.#flashSize)
  }

  /** SRAM1: 384 KB from 0x3FC80000 (data) and 0x40380000 (instructions). */
  get sram(): Uint8Array {
    return this.#cpu.bytes(this.#sram, SRAM1.size)
  }

  /** RTC fast memory: 8 KB from 0x50000000. */
  get rtc(): Uint8Array {
    return this.#cpu.bytes(this.#rtc, RTC_FAST.size)
  }

  /** Page table entry `entry` (0 to 127): both windows' 64 KB show flash page `page`; undefined: nothing. */
  mapFlash(entry: number, page: number | undefined): void {
    for (const [window, access] of [
      [FLASH.instruction, Access.Read | Access.Execute],
      [FLASH.data, Access.Read],
    ] as const) {
      const address = window + entry * FLASH_PAGE
      if (page === undefined || (page + 1) * FLASH_PAGE > this.#flashSize) this.#cpu.unmap(address, FLASH_PAGE)
      else this.#cpu.map(address, FLASH_PAGE, access, this.#flash + page * FLASH_PAGE)
    }
  }

  /** All entries 1:1 from flash 0, as the ROM leaves them for direct boot. */
  mapFlashForDirectBoot(): void {
    for (let entry = 0; entry < FLASH_PAGES; entry++) this.mapFlash(entry, entry)
  }
}
