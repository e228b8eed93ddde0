// docs/wiring.svg is what bin/draw_wiring.mjs makes of the board file.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readBoard } from '../../bin/board.mjs'
import { drawWiring, WIRING_FILE } from '../../bin/draw_wiring.mjs'

describe('docs/wiring.svg', () => {
  it('is_drawn_from_the_board_file', () => {
    const told = 'run `node bin/draw_wiring.mjs`'
    expect(readFileSync(WIRING_FILE, 'utf8') === drawWiring(readBoard()), told).toBe(true)
  })

  it('shows_every_pin_of_the_board_once', () => {
    const { ethernet, receiver, rtc, leds } = readBoard()
    const pins = [ethernet.pins, receiver.pins, rtc.pins, leds].flatMap((part) => Object.values(part) as number[])
    const svg = drawWiring(readBoard())
    for (const gpio of [...pins.filter((pin) => pin !== null), 18, 19]) {
      expect(svg.split(`>GPIO ${gpio}<`)).toHaveLength(2)
    }
  })

  it('changes_with_the_board_file', () => {
    const board = readBoard()
    board.receiver.pins.pps = 5
    board.ethernet.pins.reset = 3
    expect(drawWiring(board)).not.toBe(drawWiring(readBoard()))
  })
})
