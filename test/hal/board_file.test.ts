// Board files against their schema, and against what no schema can say.

import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { boardFaults, boardHeader, readBoard } from '../../bin/board.mjs'

const boards = fileURLToPath(new URL('../../boards/', import.meta.url))
const good = () => structuredClone(readBoard())

describe('a board file', () => {
  it('is_accepted_when_it_is_one_of_ours', () => {
    const files = readdirSync(boards).filter((name) => name.endsWith('.json') && name !== 'board.schema.json')
    expect(files).toContain('esp32c3-devkitm-w5500.json')
    for (const file of files) expect(readBoard(boards + file).name).toBe(file.replace('.json', ''))
  })

  // biome-ignore lint/suspicious/noExplicitAny: each case spoils the board in its own way
  const spoiled: [string, (board: any) => void, RegExp][] = [
    ['lacks_a_part', (b) => delete b.rtc, /board\.rtc is missing/],
    ['has_a_part_that_nobody_knows', (b) => Object.assign(b, { wifi: {} }), /board\.wifi is not known/],
    [
      'uses_a_pin_of_the_flash',
      (b) => Object.assign(b.receiver.pins, { pps: 12 }),
      /receiver\.pins\.pps is not one of/,
    ],
    [
      'moves_a_pin_that_spi2_cannot_move',
      (b) => Object.assign(b.ethernet.pins, { sclk: 4 }),
      /pins\.sclk is not one of 6/,
    ],
    ['leads_the_square_wave_to_usb', (b) => Object.assign(b.rtc.pins, { sqw: 19 }), /rtc\.pins\.sqw is not one of/],
    ['uses_a_pin_for_two', (b) => Object.assign(b.rtc.pins, { sqw: 21 }), /GPIO 21 is both rtc\.sqw and leds\.locked/],
    ['uses_a_pin_twice', (b) => Object.assign(b.leds, { locked: 3 }), /GPIO 3 is both receiver\.pps and leds\.locked/],
    [
      'has_a_bad_address',
      (b) => Object.assign(b.network, { address: '192.168.1.256' }),
      /network\.address .* does not match/,
    ],
    ['has_a_bad_name', (b) => Object.assign(b.network, { names: ['a b'] }), /names\[0\] "a b" does not match/],
    ['has_no_name', (b) => Object.assign(b.network, { names: [] }), /names has fewer than 1 items/],
    ['has_a_port_out_of_range', (b) => Object.assign(b.network, { ntpPort: 70000 }), /ntpPort is above 65535/],
    ['has_areas_that_overlap', (b) => Object.assign(b.flash.log, { offset: 4096 }), /flash\.image overlaps flash\.log/],
    [
      'parts_the_anchors_from_the_log',
      (b) => Object.assign(b.flash, { anchors: { offset: 2097152, size: 4096 } }),
      /flash\.anchors does not follow flash\.log/,
    ],
    [
      'has_an_area_off_its_sector',
      (b) => Object.assign(b.flash.log, { offset: 1048577 }),
      /offset is no multiple of 4096/,
    ],
    [
      'has_an_area_beyond_the_flash',
      (b) => Object.assign(b.flash, { size: 2097152, settings: { offset: 2097152, size: 4096 } }),
      /flash\.settings ends beyond/,
    ],
    [
      'promises_more_flash_than_the_image_has',
      (b) => Object.assign(b.budget, { flash: 2097152 }),
      /budget\.flash is more/,
    ],
    ['has_an_option_without_a_value', (b) => Object.assign(b, { options: ['smear'] }), /options\[0\] "smear" does not/],
    [
      'has_more_options_than_fit',
      (b) => Object.assign(b, { options: [`a=${'x'.repeat(1023)}`] }),
      /options take more than 1024 bytes/,
    ],
    ['lacks_a_constant', (b) => delete b.calibration.sendToFramePs, /calibration\.sendToFramePs is missing/],
    ['has_text_for_a_number', (b) => Object.assign(b, { stack: '16384' }), /board\.stack is not of type integer/],
  ]
  for (const [name, spoil, reason] of spoiled) {
    it(`is_refused_when_it_${name}`, () => {
      const board = good()
      spoil(board)
      expect(boardFaults(board).join('\n')).toMatch(reason)
    })
  }

  it('becomes_a_header_of_constants', () => {
    const header = boardHeader(good())
    expect(header).toContain('#define BOARD_RECEIVER_PPS 3u\n')
    expect(header).toContain('#define BOARD_RTC_SQW_BIT 0u\n')
    expect(header).toContain('#define BOARD_ADDRESS 192, 168, 1, 123\n')
    expect(header).toContain('#define BOARD_NAMES "noonmark.local"\n')
  })
})

it('says_where_the_square_wave_is', () => {
  const board = good()
  board.rtc.pins.sqw = 20
  expect(boardHeader(board)).toContain('#define BOARD_RTC_SQW 20u\n')
  expect(boardHeader(board)).toContain('#define BOARD_RTC_SQW_BIT 1048576u\n')
})

/** Names are separated by NUL in the image; the literals are kept apart so that no digit joins the escape. */
it('keeps_names_apart', () => {
  const board = good()
  board.network.names = ['a', '1b']
  expect(boardHeader(board)).toContain('"a" "\\0" "1b"')
})
