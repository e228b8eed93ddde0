// `noonmark flash` against a fake ESP32-C3 (fake_esp32c3.ts): the whole of src/flash.ts, esptool-js and serialport's stream.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { boardImage } from '../../hal/virtual/board'
import { settingsSector } from '../../sim/soc/settings'
import { anchorImage, anchorImageFault } from '../../src/anchor_image'
import { type FlashOptions, flash } from '../../src/flash'
import { readImage } from '../../src/flash_parts'
import { explainOpen, optional, portTable } from '../../src/serial_transport'
import { FakeEsp32c3, type FakeOptions } from './fake_esp32c3'

const MAGIC = Buffer.from('1d04dbae1d04dbae', 'hex')
const BOARD = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../boards/esp32c3-devkitm-w5500.json', import.meta.url)), 'utf8'),
)
const MAP = BOARD.flash

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
    expect(outcome.said.join('\n')).toContain('keys, certificates, anchors and settings are lost')
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
    const outcome = await failure({ stuckBit: 100 })
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

/** Two anchors whose records the image checks as the firmware does. */
function someAnchors(): Buffer {
  return anchorImage(
    [1, 2].map((seed) => {
      const record = Buffer.alloc(67, seed)
      record.writeUInt16LE(record.length, 4)
      record.writeUInt32LE(crc32(record.subarray(4)), 0)
      return { name: `anchor ${seed}`, label: '', record, subjectHash: record.subarray(32, 64), notAfter: 0 }
    }),
  )
}

const settings = (value: unknown): string => file('settings.json', Buffer.from(JSON.stringify(value)))

const area = (outcome: Outcome, { offset }: { offset: number }, length: number): Buffer =>
  Buffer.from(outcome.chip.flash.subarray(offset, offset + length))

describe('noonmark flash --anchors', () => {
  it('writes_the_anchors_at_their_place_besides_the_image', async () => {
    const anchors = someAnchors()
    const outcome = await run({}, { anchors: file('anchors.bin', anchors) })
    expect(outcome.complaints).toEqual([])
    expect(MAP.anchors.offset).toBe(0x11_0000)
    expect(area(outcome, MAP.anchors, anchors.length).equals(anchors)).toBe(true)
    expect(area(outcome, MAP.image, image.length).equals(image)).toBe(true)
    expect(area(outcome, MAP.log, MAP.log.size).every((byte) => byte === 0x5a)).toBe(true)
    expect(area(outcome, MAP.settings, MAP.settings.size).every((byte) => byte === 0x5a)).toBe(true)
    expect(outcome.said.at(-1)).toMatch(/^wrote and verified image .* at 0x0\), anchors \(\d+ bytes at 0x110000\); /)
  })

  it('leaves_the_image_alone_when_told_to', async () => {
    const anchors = someAnchors()
    const outcome = await run({}, { image: false, anchors: file('anchors.bin', anchors) })
    expect(outcome.complaints).toEqual([])
    expect(area(outcome, MAP.anchors, anchors.length).equals(anchors)).toBe(true)
    expect(area(outcome, MAP.image, MAP.image.size).every((byte) => byte === 0x5a)).toBe(true)
    expect(outcome.chip.mode).toBe('running')
  })

  it.skipIf(!existsSync('/etc/ssl/certs/ca-certificates.crt'))('makes_them_from_the_bundle_of_the_system', async () => {
    const outcome = await run({}, { image: false, anchors: true })
    expect(outcome.complaints).toEqual([])
    const length = outcome.chip.flash.subarray(MAP.anchors.offset)
    const image = area(outcome, MAP.anchors, Buffer.from(length.subarray(0, 8)).readUInt32LE(4))
    expect(anchorImageFault(image)).toBeUndefined()
    expect(image.readUInt32LE(8)).toBeGreaterThan(10)
    expect(outcome.said.join('\n')).toMatch(/ca-certificates\.crt: \d+ certificates, \d+ taken/)
  })

  it('says_that_the_flash_does_not_hold_them', async () => {
    const { status, complaints, chip } = await run(
      { stuckBit: MAP.anchors.offset + 40 },
      { anchors: file('anchors.bin', someAnchors()) },
    )
    expect(status).toBe(1)
    expect(complaints).toHaveLength(1)
    expect(complaints[0]).toMatch(/the flash does not hold what was written at 0x110000, anchors \(MD5 /)
    expect(chip.starts).toBe(0)
  })

  const spoiled: [string, (anchors: Buffer) => Buffer, RegExp][] = [
    ['is_something_else', () => Buffer.from('-----BEGIN CERTIFICATE-----'), /does not begin with "NMA1"/],
    ['is_empty', () => Buffer.alloc(0), /does not begin with "NMA1"/],
    ['is_cut_short', (a) => a.subarray(0, a.length - 4), /has \d+ bytes, and its header says \d+/],
    ['has_a_damaged_header', (a) => Buffer.from(a.fill(9, 8, 9)), /its header is damaged/],
    ['has_a_damaged_anchor', (a) => Buffer.from(a.fill(7, 140, 141)), /its anchor 2 of 2 is damaged/],
    ['points_outside_itself', (a) => Buffer.from(a.fill(0xff, 20, 24)), /its anchor 1 of 2 is damaged/],
    [
      'does_not_fit',
      () => {
        const anchors = Array.from({ length: 100 }, (_, i) => {
          const record = Buffer.alloc(1024, i)
          record.writeUInt16LE(record.length, 4)
          record.writeUInt32LE(crc32(record.subarray(4)), 0)
          return { name: '', label: '', record, subjectHash: record.subarray(32, 64), notAfter: 0 }
        })
        return anchorImage(anchors)
      },
      /has 103216 bytes, more than the 98304 that/,
    ],
  ]
  for (const [name, spoil, reason] of spoiled) {
    it(`refuses_a_file_that_${name}`, async () => {
      const outcome = await run({}, { anchors: file('bad.bin', spoil(someAnchors())) })
      expect(outcome.status).toBe(1)
      expect(outcome.complaints).toHaveLength(1)
      expect(outcome.complaints[0]).toMatch(reason)
      expect(untouched(outcome)).toBe(true)
    })
  }
})

describe('noonmark flash --settings', () => {
  it('writes_the_sector_with_the_rest_as_in_the_board_file', async () => {
    const own = { address: '10.1.2.3', gateway: '10.1.2.1', names: ['clock.example', 'b'], options: ['smear=on'] }
    const outcome = await run({}, { settings: settings(own) })
    expect(outcome.complaints).toEqual([])
    const { network, calibration } = BOARD
    const bytes = boardImage({ mac: new Uint8Array(6), ...network, ...own, calibration })
    const sector = area(outcome, MAP.settings, MAP.settings.size)
    expect(sector.equals(settingsSector(bytes, MAP.settings.size))).toBe(true)
    expect([...sector.subarray(12 + 10, 12 + 22)]).toEqual([10, 1, 2, 3, 255, 255, 255, 0, 10, 1, 2, 1])
    expect(area(outcome, MAP.image, image.length).equals(image)).toBe(true)
    expect(area(outcome, MAP.anchors, MAP.anchors.size).every((byte) => byte === 0x5a)).toBe(true)
    expect(outcome.said.at(-1)).toContain('settings (4096 bytes at 0x128000)')
  })

  it('says_that_the_flash_does_not_hold_it', async () => {
    const outcome = await run({ stuckBit: MAP.settings.offset + 30 }, { image: false, settings: settings({}) })
    expect(outcome.status).toBe(1)
    expect(outcome.complaints[0]).toContain('does not hold what was written at 0x128000, settings')
  })

  const bad: [string, unknown, RegExp][] = [
    ['has_a_bad_address', { address: '192.168.1.256' }, /not right: address "192\.168\.1\.256" does not match/],
    ['has_a_key_that_nobody_knows', { adress: '192.168.1.5' }, /: adress is not known/],
    ['has_no_names', { names: null }, /: names is not of type array/],
    ['has_too_long_names', { names: ['a'.repeat(229)] }, /: names take more than 228 bytes/],
    ['has_options_that_are_none', { options: ['smear'] }, /: options\[0\] "smear" does not match/],
    ['has_no_list_of_options', { options: null }, /: options is not of type array/],
    ['has_a_port_out_of_range', { kePort: 0 }, /: kePort is below 1/],
    ['is_no_object', [1], /is not an object of settings/],
  ]
  for (const [name, value, reason] of bad) {
    it(`refuses_a_file_that_${name}`, async () => {
      const outcome = await run({}, { settings: settings(value) })
      expect(outcome.status).toBe(1)
      expect(outcome.complaints).toHaveLength(1)
      expect(outcome.complaints[0]).toMatch(reason)
      expect(untouched(outcome)).toBe(true)
    })
  }

  it('refuses_a_file_that_is_missing_or_not_JSON', async () => {
    const missing = await run({}, { settings: join(folder, 'nothing.json') })
    expect(missing.complaints[0]).toContain('cannot be read')
    const broken = await run({}, { settings: file('broken.json', Buffer.from('{"address":\n')) })
    expect(broken.complaints[0]).toMatch(/broken\.json is not JSON: .*$/)
    expect(untouched(broken)).toBe(true)
  })
})

describe('noonmark flash --no-image', () => {
  it('needs_something_else_to_write_and_no_erasing', async () => {
    const nothing = await run({}, { image: false })
    expect(nothing.complaints).toEqual(['with --no-image there is nothing to write but --anchors or --settings'])
    const erasing = await run({}, { image: false, erase: true, settings: settings({}) })
    expect(erasing.complaints[0]).toContain('contradict each other')
    expect(untouched(erasing)).toBe(true)
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
