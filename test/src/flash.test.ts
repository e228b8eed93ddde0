// `noonmark flash` against a fake ESP32-C3 (fake_esp32c3.ts): the whole of src/flash.ts, esptool-js and serialport's stream.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FlashOptions, flash, readImage } from '../../src/flash'
import { explainOpen, optional, portTable } from '../../src/serial_transport'
import { FakeEsp32c3, type FakeOptions } from './fake_esp32c3'

const MAGIC = Buffer.from('1d04dbae1d04dbae', 'hex')
const { flash: MAP } = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../boards/esp32c3-devkitm-w5500.json', import.meta.url)), 'utf8'),
)

const RTC_CNTL_WDTCONFIG0 = 0x6000_8090
const RTC_CNTL_WDTWPROTECT = 0x6000_80a8

let folder: string
let imageFile: string
/** Some sectors that deflate does not shrink, one that it does, and a ragged end. */
let image: Buffer

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'noonmark-flash-'))
  image = Buffer.concat([MAGIC, noise(20_000), Buffer.alloc(4096), noise(41)])
  imageFile = file('image.bin', image)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

function noise(length: number): Buffer {
  let state = 12345
  return Buffer.alloc(length).map(() => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 24
  }) as Buffer
}

interface Outcome {
  status: number
  said: string[]
  complaints: string[]
  chip: FakeEsp32c3
}

async function run(fake: FakeOptions = {}, options: Partial<FlashOptions> = {}): Promise<Outcome> {
  const chip = new FakeEsp32c3(fake)
  const said: string[] = []
  const complaints: string[] = []
  const status = await flash(
    chip.path,
    { image: imageFile, baud: 460_800, erase: false, list: false, ...options },
    {
      serial: chip.serial,
      say: (sentence) => said.push(sentence),
      complain: (sentence) => complaints.push(sentence),
      progress: () => {},
      attempts: 1,
    },
  )
  return { status, said, complaints, chip }
}

/** Nothing of the flash has changed. */
const untouched = ({ chip }: Outcome): boolean => chip.flash.every((byte) => byte === 0x5a)

describe('noonmark flash', () => {
  it('writes_the_image_at_0_and_leaves_the_log_and_the_settings_alone', async () => {
    const outcome = await run()
    expect(outcome.complaints).toEqual([])
    expect(outcome.status).toBe(0)
    expect(Buffer.from(outcome.chip.flash.subarray(0, image.length)).equals(image)).toBe(true)
    expect(outcome.chip.flash.subarray(MAP.log.offset).every((byte) => byte === 0x5a)).toBe(true)
    expect(outcome.said[0]).toContain('ESP32-C3 v0.4')
    expect(outcome.said.at(-1)).toMatch(/verified.*noonmark monitor/)
  })

  it('restarts_the_device_into_the_new_image', async () => {
    const { chip } = await run()
    expect(chip.mode).toBe('running')
    expect(chip.fastest).toBe(115_200)
    expect(chip.starts).toBe(1)
  })

  it('stops_the_watchdogs_before_it_writes', async () => {
    const { chip } = await run()
    const written = chip.writes.map(([address]) => address)
    const stopped = chip.writes.findIndex(([address, value]) => address === RTC_CNTL_WDTCONFIG0 && value === 0)
    expect(chip.writes[stopped - 1]).toEqual([RTC_CNTL_WDTWPROTECT, 0x50d8_3aa1])
    expect(written.indexOf(RTC_CNTL_WDTCONFIG0)).toBeLessThan(5)
  })

  it('works_through_a_bridge_whose_baud_rate_counts', async () => {
    const outcome = await run({ usb: false })
    expect(outcome.complaints).toEqual([])
    expect(outcome.chip.fastest).toBe(460_800)
    expect(Buffer.from(outcome.chip.flash.subarray(0, image.length)).equals(image)).toBe(true)
  })

  it('empties_the_whole_flash_when_told_to_and_says_what_is_lost', async () => {
    const outcome = await run({}, { erase: true })
    expect(outcome.status).toBe(0)
    expect(outcome.said.join('\n')).toContain('keys, certificates and settings are lost')
    expect(outcome.chip.flash.subarray(MAP.log.offset).every((byte) => byte === 0xff)).toBe(true)
  })

  it('repeats_a_block_that_the_chip_did_not_take', async () => {
    const outcome = await run({ failFirstWrite: true })
    expect(outcome.status).toBe(0)
    expect(Buffer.from(outcome.chip.flash.subarray(0, image.length)).equals(image)).toBe(true)
  })
})

describe('noonmark flash says in one sentence', () => {
  async function failure(fake: FakeOptions, options: Partial<FlashOptions> = {}): Promise<Outcome> {
    const outcome = await run(fake, options)
    expect(outcome.status).toBe(1)
    expect(outcome.complaints).toHaveLength(1)
    expect(outcome.complaints[0]).not.toContain('\n')
    return outcome
  }

  it('that_nothing_answers', async () => {
    const outcome = await failure({ mute: true })
    expect(outcome.complaints[0]).toMatch(/nothing answers .* hold BOOT/)
    expect(untouched(outcome)).toBe(true)
  })

  it('that_the_chip_is_another_one', async () => {
    const outcome = await failure({ chipId: 13 })
    expect(outcome.complaints[0]).toBe('the chip is an ESP32-C6; the image is for an ESP32-C3')
    expect(outcome.chip.writes).toEqual([])
  })

  it('that_nobody_knows_the_chip', async () => {
    expect((await failure({ chipId: 999 })).complaints[0]).toContain('not one that this program knows')
  })

  it('that_the_revision_is_too_old_for_direct_boot', async () => {
    const outcome = await failure({ minor: 2 })
    expect(outcome.complaints[0]).toContain('revision is v0.2; its ROM knows direct boot from v0.3 on')
    expect(untouched(outcome)).toBe(true)
  })

  it('that_direct_boot_is_burnt_away', async () => {
    expect((await failure({ repeatData3: 1 << 1 })).complaints[0]).toContain('DIS_DIRECT_BOOT')
  })

  it('that_secure_boot_or_secure_download_mode_forbids_it', async () => {
    expect((await failure({ securityFlags: 1 })).complaints[0]).toContain('secure boot')
    expect((await failure({ securityFlags: 1 << 2 })).complaints[0]).toContain('secure download mode')
  })

  it('that_the_flash_is_too_small_for_the_flash_map', async () => {
    const outcome = await failure({ flashSize: 1 << 20 })
    expect(outcome.complaints[0]).toContain('the flash has 1048576 bytes')
    expect(untouched(outcome)).toBe(true)
  })

  it('that_a_block_could_not_be_written', async () => {
    expect((await failure({ writeStatus: 8 })).complaints[0]).toMatch(/writing failed.*run this again/)
  })

  it('that_the_flash_does_not_hold_what_was_written', async () => {
    const outcome = await failure({ stuckBit: true })
    expect(outcome.complaints[0]).toContain('the flash does not hold what was written')
    expect(outcome.chip.starts).toBe(0)
  })

  it('that_the_image_is_missing_or_no_image_or_too_long', async () => {
    expect((await failure({}, { image: join(folder, 'nothing.bin') })).complaints[0]).toContain('cannot be read')
    const esp = file('esp.bin', Buffer.from([0xe9, 1, 2, 0]))
    expect((await failure({}, { image: esp })).complaints[0]).toContain('no image for direct boot')
    const long = file('long.bin', Buffer.concat([MAGIC, Buffer.alloc(MAP.image.size)]))
    expect((await failure({}, { image: long })).complaints[0]).toContain('more than the 1048576')
  })

  it('that_the_port_does_not_exist', async () => {
    const complaints: string[] = []
    const options = { image: imageFile, baud: 115_200, erase: false, list: false }
    const status = await flash('/dev/no-such-port', options, { complain: (sentence) => complaints.push(sentence) })
    expect(status).toBe(1)
    expect(complaints).toEqual([
      '/dev/no-such-port does not exist: `noonmark flash --list` shows the serial ports that do',
    ])
  })

  it('that_a_port_is_forbidden_or_in_use', () => {
    const explain = (text: string) => explainOpen('/dev/ttyACM0', new Error(text))
    expect(explain('Error: Permission denied, cannot open /dev/ttyACM0')).toContain('dialout')
    expect(explain('Error Resource temporarily unavailable Cannot lock port')).toContain('in use by another program')
    expect(explain('Opening COM9: Access denied')).toContain('in use by another program')
    expect(explain('Opening COM9: File not found')).toContain('does not exist')
  })

  it('that_an_optional_package_is_missing', async () => {
    const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
    await expect(optional('esptool-js', () => Promise.reject(missing))).rejects.toThrow(
      'the optional package esptool-js is not installed here: `npm install --include=optional` gets it',
    )
  })
})

describe('the image', () => {
  it('is_padded_to_whole_words', () => {
    const padded = readImage(imageFile, MAP)
    expect(padded.length % 4).toBe(0)
    expect(padded.length - image.length).toBe(3)
    expect(padded.at(-1)).toBe(0xff)
  })
})

describe('the list of ports', () => {
  it('shows_an_ESP32s_own_port_first_and_nothing_that_is_not_usb', () => {
    const table = portTable([
      { path: '/dev/ttyS0' },
      { path: '/dev/ttyUSB0', vendorId: '10c4', productId: 'ea60', manufacturer: 'Silicon Labs' },
      { path: '/dev/ttyACM0', vendorId: '303a', productId: '1001' },
    ])
    expect(table.split('\n')).toEqual([
      "/dev/ttyACM0  303a:1001  an ESP32's own USB port",
      '/dev/ttyUSB0  10c4:ea60  Silicon Labs',
    ])
    expect(portTable([{ path: '/dev/ttyS0' }])).toBe('no USB serial port is there')
  })

  it('is_what_one_gets_without_a_port', async () => {
    const chip = new FakeEsp32c3()
    const said: string[] = []
    const complaints: string[] = []
    const tools = {
      serial: chip.serial,
      say: (text: string) => said.push(text),
      complain: (text: string) => complaints.push(text),
    }
    const options = { baud: 115_200, erase: false, list: false }
    expect(await flash(undefined, options, tools)).toBe(1)
    expect(said[0]).toContain(chip.path)
    expect(await flash(undefined, { ...options, list: true }, tools)).toBe(0)
    expect(complaints).toHaveLength(1)
  })
})
