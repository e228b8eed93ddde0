import { beforeEach, describe, expect, it } from 'vitest'
import { NOR_SECTOR, NorFlash, NorFlashHost } from '../../sim/chips/nor_flash'

class Host extends NorFlashHost {
  readonly changes: [number, number][] = []
  changed(offset: number, length: number): void {
    this.changes.push([offset, length])
  }
}

let host: Host
let flash: NorFlash
beforeEach(() => {
  host = new Host()
  flash = new NorFlash(host, 4 * NOR_SECTOR)
})

describe('a NOR flash', () => {
  it('programs_ones_to_zeros_and_tells_its_host', () => {
    expect(flash.program(10, Uint8Array.of(0x0f, 0xa5), 2)).toBe(0)
    expect([...flash.bytes.subarray(9, 13)]).toEqual([0xff, 0x0f, 0xa5, 0xff])
    expect(host.changes).toEqual([[10, 2]])
    expect(flash.illegalPrograms).toBe(0)
  })

  it('counts_a_zero_that_should_become_a_one_and_keeps_the_and', () => {
    flash.program(0, Uint8Array.of(0x0f), 1)
    expect(flash.program(0, Uint8Array.of(0xf0), 1)).toBe(-4)
    expect(flash.bytes[0]).toBe(0)
    expect(flash.illegalPrograms).toBe(1)
    expect(flash.program(0, Uint8Array.of(0x00), 1)).toBe(0)
  })

  it('erases_whole_sectors', () => {
    flash.program(NOR_SECTOR, new Uint8Array(100), 100)
    expect(flash.erase(NOR_SECTOR + 4)).toBe(-3)
    expect(flash.erase(NOR_SECTOR)).toBe(0)
    expect(flash.bytes.every((byte) => byte === 0xff)).toBe(true)
    expect([...flash.erases]).toEqual([0, 1, 0, 0])
  })

  it('refuses_what_lies_outside', () => {
    const out = new Uint8Array(8)
    expect(flash.read(4 * NOR_SECTOR - 4, out, 8)).toBe(-3)
    expect(flash.program(-1, out, 1)).toBe(-3)
    expect(flash.erase(4 * NOR_SECTOR)).toBe(-3)
  })

  it('loses_power_after_the_given_byte_and_comes_back_with_what_was_done', () => {
    flash.cutAfter(3)
    expect(flash.program(0, new Uint8Array(8), 8)).toBe(-4)
    expect(flash.read(0, new Uint8Array(1), 1)).toBe(-4)
    expect(flash.erase(0)).toBe(-4)
    flash.restorePower()
    expect([...flash.bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0xff, 0xff])
  })

  it('tears_an_erase_into_a_scatter_of_old_and_blank_bytes', () => {
    flash.program(0, new Uint8Array(NOR_SECTOR), NOR_SECTOR)
    flash.cutAfter(1000)
    expect(flash.erase(0)).toBe(-4)
    const blank = flash.bytes.subarray(0, NOR_SECTOR).filter((byte) => byte === 0xff).length
    expect(blank).toBe(1000)
    expect(flash.bytes.subarray(0, 2048).filter((byte) => byte === 0xff).length).toBeGreaterThan(300)
  })
})
