import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BoardSettings, boardImage, DEFAULT_BOARD } from '../../hal/virtual/board'
import { compileEntry } from '../support/firmware'

let module: WebAssembly.Module
beforeAll(async () => {
  module = new WebAssembly.Module(
    (await compileEntry(new URL('./board_options.entry.ts', import.meta.url), 'checked')) as BufferSource,
  )
})

// biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
let firmware: Record<string, any>
let image: Uint8Array

beforeEach(() => {
  firmware = new WebAssembly.Instance(module, {
    abi: {
      board_config: (out: number, capacity: number) => {
        const length = Math.min(image.length, capacity)
        memory().set(image.subarray(0, length), out)
        return length
      },
    },
  }).exports
})

const memory = () => new Uint8Array(firmware['memory'].buffer)
const text = (address: number, length: number) => Buffer.from(memory().subarray(address, address + length)).toString()
const value = () => text(firmware['optionText'](), firmware['optionLength']())
const word = () => text(firmware['optionWordText'](), firmware['optionWordLength']())
const faults = () => {
  const lines: string[] = []
  for (let i = 0; firmware['optionFault'](i); i++) lines.push(value())
  return lines
}

function given(settings: Partial<BoardSettings>): boolean {
  image = boardImage({ ...DEFAULT_BOARD, ...settings })
  return firmware['settingsRead']() !== 0
}

describe('the settings', () => {
  it('are_the_ones_that_the_board_has', () => {
    const names = ['a.example', 'localhost']
    expect(given({ names, address: '10.1.2.3', ntpPort: 11123, options: ['smear=on'] })).toBe(true)
    expect(text(firmware['settingsNames'](), firmware['settingsNamesLength']())).toBe('a.example\0localhost')
    expect(firmware['settingsAddress']() >>> 0).toBe(0x0a010203)
    expect(firmware['settingsNtpPort']()).toBe(11123)
  })

  it('have_signed_calibration_constants', () => {
    const keys = Object.keys(DEFAULT_BOARD.calibration)
    const calibration = Object.fromEntries(keys.map((key, i) => [key, (i % 2 ? -1 : 1) * (1_000_000 + i)]))
    given({ calibration: calibration as never })
    expect(keys.map((_, i) => firmware['calibration'](i))).toEqual(Object.values(calibration))
  })

  it('of_another_layout_are_none', () => {
    image = boardImage({ ...DEFAULT_BOARD, ntpPort: 11123 })
    image[22] = 0
    expect(firmware['settingsRead']()).toBe(0)
    expect(firmware['settingsNtpPort']()).toBe(123)
    expect(firmware['settingsNamesLength']()).toBe(0)
    expect(firmware['calibration'](0)).toBe(0)
  })

  it('are_read_inside_their_bounds_whatever_they_say', () => {
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 1400 })
    fc.assert(
      fc.property(bytes, (random) => {
        image = Uint8Array.from(random)
        if (image.length > 22) image[22] = 1
        firmware['settingsRead']()
        expect(firmware['settingsNamesLength']()).toBeLessThanOrEqual(Math.max(0, image.length - 64))
        expect(firmware['settingsNamesLength']() + firmware['settingsOptionsLength']()).toBeLessThanOrEqual(1252)
        faults()
        firmware['server'](3)
        firmware['optionWord'](2)
        firmware['optionWordAddress']()
      }),
      { numRuns: 300, seed: 4 },
    )
  })
})

describe('the options', () => {
  it('are_found_by_their_key_repeated_ones_by_number', () => {
    given({ options: ['server=a.example nts', 'smear=on', 'server=10.0.0.7  port 123', 'server=', 'servers=x'] })
    expect(firmware['servers']()).toBe(3)
    expect([0, 1, 2].map((i) => [firmware['server'](i), value()])).toEqual([
      [1, 'a.example nts'],
      [1, '10.0.0.7  port 123'],
      [1, ''],
    ])
    expect(firmware['server'](3)).toBe(0)
  })

  it('have_words', () => {
    given({ options: ['server=10.0.0.7  port 123 nts '] })
    firmware['server'](0)
    const words = [0, 1, 2, 3].map((i) => [firmware['optionWord'](i), word()])
    expect(words).toEqual([
      [1, '10.0.0.7'],
      [1, 'port'],
      [1, '123'],
      [1, 'nts'],
    ])
    expect(firmware['wordIsNts']()).toBe(1)
    expect(firmware['optionWord'](4)).toBe(0)
    expect(word()).toBe('')
    firmware['optionWord'](2)
    expect(firmware['optionWordNumber']()).toBe(123n)
    firmware['optionWord'](1)
    expect(firmware['optionWordNumber']()).toBe(-1n)
  })

  it.each([
    ['10.0.0.7', 0x0a000007],
    ['255.255.255.255', 0xffffffff],
    ['256.0.0.1', 0],
    ['1.2.3', 0],
    ['1.2.3.4.5', 0],
    ['1..2.3', 0],
    ['1.2.3.', 0],
    ['1.2.3.4x', 0],
    ['a.example', 0],
  ])('read_%s_as_an_address_or_not', (address, number) => {
    given({ options: [`server=${address}`] })
    firmware['server'](0)
    firmware['optionWord'](0)
    expect(firmware['optionWordAddress']() >>> 0).toBe(number)
  })

  it('are_switches_and_numbers_with_a_value_for_want_of_one', () => {
    given({ options: ['smear=on', 'limit=16', 'certificate-time=strict'] })
    expect([firmware['smear'](0), firmware['limit'](3), firmware['isStrict']()]).toEqual([1, 16, 1])
    given({ options: [] })
    expect([firmware['smear'](1), firmware['limit'](3), firmware['isStrict']()]).toEqual([1, 3, 0])
    expect(faults()).toEqual([])
  })

  it.each(['smear=maybe', 'smear=', 'limit=17', 'limit=0', 'limit=-1', 'limit=4294967297', 'limit=1e3'])(
    'name_%s_as_a_fault',
    (line) => {
      given({ options: [line] })
      expect([firmware['smear'](0), firmware['limit'](5)]).toEqual([0, 5])
      expect(faults()).toEqual([line])
    },
  )

  it('name_lines_that_nobody_asked_for', () => {
    given({ options: ['smear=on', 'smaer=on', 'smear=off'] })
    expect(firmware['smear'](0)).toBe(1)
    expect(faults()).toEqual(['smaer=on', 'smear=off'])
  })

  it('name_lines_without_a_key', () => {
    image = boardImage({ ...DEFAULT_BOARD, options: ['aa=nothing', 'smear=on'] })
    image.set(Buffer.from('=a'), image.length - 'aa=nothing\0smear=on'.length)
    firmware['settingsRead']()
    expect(firmware['smear'](0)).toBe(1)
    expect(faults()).toEqual(['=a=nothing'])
  })

  it('that_do_not_fit_or_are_none_are_refused_before_they_reach_a_board', () => {
    const image = (...options: string[]) => boardImage({ ...DEFAULT_BOARD, options })
    expect(() => image('smear')).toThrow('not an option of the form key=value: smear')
    expect(() => image('Smear=on')).toThrow('not an option')
    expect(() => image('name=ä')).toThrow('not an option')
    expect(() => image(`name=${'x'.repeat(1020)}`)).toThrow('the options take 1025 bytes; 1024 fit')
  })
})
