// Faults of the chip, of its program and of the parts on its buses, on the simulated ESP32-C3 with the flash image. Each ends
// with the appliance serving again: true time, plain and NTS, cookies of before, the same authority.

import { describe, expect, it } from 'vitest'
import { parseElf } from '../../sim/cpu/elf'
import { ResetCause } from '../../sim/soc/rtc_cntl'
import { Random } from '../../sim/world/random'
import type { Esp32c3LanBoard } from '../../src/lan_board'
import { encodeHeader } from '../../src/nts/packet'
import { bound, counts, freshTransmit, MINUTE, NEIGHBOUR, SECOND, status } from './board'
import {
  client,
  expectNothingStrange,
  expectTrueFor,
  expectWhole,
  image,
  makeC3,
  missingEsp32c3,
  opens,
  readyC3,
  untilReady,
  untilServed,
} from './esp32c3_board'

const MILLI = 1e6
/** An instruction that jumps to itself: `c.j .`. */
const FOREVER = Uint8Array.of(0x01, 0xa0)
const WASM_OUT_OF_BOUNDS = 1
const ILLEGAL_INSTRUCTION = 2
const STORE_FAULT = 7

function symbol(name: string): number {
  const address = parseElf(image().elf).symbols.get(name)
  if (address === undefined) throw new Error(`the image has no symbol ${name}`)
  return address
}

/** When the processor next comes to a function, `act` before its first instruction; then the function runs on. */
function at(board: Esp32c3LanBoard, name: string, act: () => void): void {
  const { soc } = board.machine
  soc.onHook = () => {
    soc.cpu.setHooks([])
    act()
    return false
  }
  soc.cpu.setHooks([symbol(name)])
}

/**
 * Runs until the image has started once more, or more than `boots` times, with the console as it is; its first line, which
 * says why.
 */
function untilRestarted(board: Esp32c3LanBoard, limit: number, boots?: number): string {
  if (boots === undefined) board.consoleText = ''
  boots ??= board.machine.counters.boots
  for (const end = board.now + limit * SECOND; board.now < end; board.advance(10 * MILLI)) {
    if (board.machine.counters.boots > boots && board.consoleText.includes('noonmark boot'))
      return board.consoleText.split('\n').find((line) => line.startsWith('board esp32c3')) ?? board.consoleText
  }
  throw new Error(`no restart within ${limit} s: ${board.machine.reports}`)
}

/** Where the module's linear memory lies: what it calls address 0. */
function linearMemory(board: Esp32c3LanBoard): number {
  const { cpu } = board.machine.soc
  let base = 0
  at(board, 'Z_abiZ_spi_read', () => {
    const inside = cpu.register(13)
    at(board, 'spi_read', () => {
      base = cpu.register(12) - inside
    })
  })
  board.advance(SECOND)
  return base
}

/** Credentials are key(32) | address(4) | length(4); at the address lie length(3) and a certificate in DER. */
function spoilCertificates(board: Esp32c3LanBoard): void {
  const { cpu } = board.machine.soc
  const base = linearMemory(board)
  const bytes = cpu.read(base, 65_536)
  const view = new DataView(bytes.buffer)
  for (let word = 0; word < bytes.length - 8; word += 4) {
    const [address, length] = [view.getUint32(word, true), view.getUint32(word + 4, true)]
    if (address + 8 > bytes.length || length < 100 || view.getUint32(address) >>> 8 !== length - 3) continue
    cpu.write(base + word, Uint8Array.of(0x00, 0x00, 0xf0, 0xff))
    return
  }
  throw new Error('no credentials in linear memory')
}

async function fitted() {
  const board = readyC3()
  const before = await client(board)
  board.advance(20 * SECOND)
  return { board, before }
}

const title = (what: string): string =>
  `${what} on the simulated ESP32-C3${missingEsp32c3 ? ` (${missingEsp32c3})` : ''}`

describe.skipIf(missingEsp32c3)(title('the program'), () => {
  it('that follows a wild pointer or hands one out traps: recorded, restarted within a second, nothing lost', async () => {
    const { board, before } = await fitted()
    const { cpu } = board.machine.soc
    const wild = (name: string, register: number) => () => at(board, name, () => cpu.setRegister(register, 0xfff0_0000))
    const faults: [what: string, spoil: () => void, limit: number][] = [
      ['the address of the certificates in linear memory', () => spoilCertificates(board), 2],
      ['the request of ntpServe', wild('w_ntp_server_ntpServe', 11), 2],
      ['the buffer of spi_read', wild('Z_abiZ_spi_read', 13), 2],
      // The temperature is asked for now and then.
      ['the buffer of i2c_transfer', wild('Z_abiZ_i2c_transfer', 12), 70],
    ]
    for (const [i, [what, spoil, limit]] of faults.entries()) {
      spoil()
      const { boots } = board.machine.counters
      board.consoleText = ''
      board.lan.sendUdp(board.now + 1e5, NEIGHBOUR, 123, encodeHeader(freshTransmit()))
      await board.keyExchange({ ca: before.ca, timeoutMillis: 30 }).catch(() => undefined)
      const line = untilRestarted(board, limit, boots)
      expect(line).toMatch(new RegExp(`reset=3 last=wasm code=${WASM_OUT_OF_BOUNDS} pc=4[0-9a-f]+ .*count=${i + 1}$`))
      expect(board.machine.traps.at(-1)?.message).toMatch(/^wasm 1 at pc 0x4/)
      const seconds = await expectWhole(board, before)
      console.log(`${what}: ${line}; served ${seconds.toFixed(1)} s later`)
    }
    expect(board.machine.counters).toMatchObject({ traps: 4, boots: 5, watchdogs: 0 })
  })

  it('that runs into nonsense is stopped by the processor: recorded, restarted, nothing lost', async () => {
    const { board, before } = await fitted()
    const { cpu } = board.machine.soc
    const faults: [code: number, act: () => void][] = [
      // A return address that is none, a stack that has run over, an instruction that is none.
      [1, () => cpu.setRegister(1, 0x1234_5678)],
      [STORE_FAULT, () => cpu.setRegister(2, 0x3fc8_0010)],
      [ILLEGAL_INSTRUCTION, () => cpu.write(symbol('runtime_poll'), new Uint8Array(8))],
    ]
    for (const [i, [code, act]] of faults.entries()) {
      at(board, 'runtime_poll', act)
      const line = untilRestarted(board, 5)
      expect(line).toMatch(new RegExp(`reset=3 last=trap code=${code} pc=[0-9a-f]+ .*count=${i + 1}`))
      console.log(line)
      await expectWhole(board, before)
    }
    expect(board.machine.counters).toMatchObject({ boots: 4, watchdogs: 0 })
  })

  it('that hangs is bitten by the watchdog, also with interrupts off or inside a handler', async () => {
    const { board, before } = await fitted()
    const { cpu } = board.machine.soc
    for (const [i, act] of [
      () => cpu.write(symbol('Z_noonmarkZ_poll'), FOREVER),
      () => cpu.write(symbol('uart_interrupt'), FOREVER),
      () => {
        cpu.writeCsr(0x300, 0)
        cpu.write(symbol('Z_noonmarkZ_poll'), FOREVER)
      },
    ].entries()) {
      const from = board.now
      at(board, 'runtime_poll', act)
      const line = untilRestarted(board, 15)
      const seconds = (board.now - from) / SECOND
      console.log(`bitten after ${seconds.toFixed(2)} s: ${line}`)
      expect(line).toMatch(/reset=9/)
      expect(line).not.toContain('last=')
      expect(seconds).toBeLessThan(12)
      await expectWhole(board, before)
      expect(board.machine.counters).toMatchObject({ watchdogs: i + 1, boots: i + 2, traps: 0 })
    }
  })
})

describe.skipIf(missingEsp32c3)(title('a reset'), () => {
  it('by brown-out or button at odd moments, in key exchanges too: it comes up each time', async () => {
    const { board, before } = await fitted()
    const random = new Random(6, 'brown-out')
    for (let i = 0; i < 16; i++) {
      const exchange = board.keyExchange({ ca: before.ca, timeoutMillis: 30 }).catch(() => undefined)
      board.advance(random.uniform() * 30 * MILLI)
      const button = i % 2 === 0
      if (button) board.machine.pressReset()
      else board.machine.soc.resetChip(ResetCause.BrownOut)
      const line = untilRestarted(board, 1)
      expect(line).toBe(`board esp32c3 reset=${button ? 1 : 'f'}`)
      await exchange
      board.advance(random.uniform() * 4 * SECOND)
    }
    await expectWhole(board, before)
    expect(board.machine.traps).toEqual([])
  })

  it('in the middle of an erase, which goes on without the chip: what was stored is there', async () => {
    const { board, before } = await fitted()
    const { machine } = board
    const { flash } = machine
    // The longest that the data sheet allows.
    flash.eraseTime = () => 400 * MILLI
    const crash = (): void => machine.soc.cpu.write(symbol('uart_interrupt'), new Uint8Array(8))
    const ways: [line: RegExp, act: () => void][] = [
      [/reset=1$/, () => machine.pressReset()],
      [/reset=f$/, () => machine.soc.resetChip(ResetCause.BrownOut)],
      // A fault in a handler, while nothing can be fetched from flash.
      [/reset=3 last=trap code=2 /, crash],
    ]
    for (let i = 0; i < 4; i++) {
      const [line, act] = ways[i % 3]!
      untilErase(board)
      board.advance(i * 90 * MILLI)
      expect(machine.soc.flash.busy(board.now)).toBe(true)
      act()
      expect(untilRestarted(board, 2)).toMatch(line)
      expect(opens(board, before)).toBe(true)
      if (i === 2) await expectWhole(board, before)
    }
    await expectWhole(board, before)
  })
})

/** Lets the firmware erase a sector: one that is nobody's, which it finds when it starts. */
function untilErase(board: Esp32c3LanBoard): void {
  const { machine } = board
  const { offset, size } = image().board.flash.log
  machine.flash.bytes.fill(0x00, offset + size - 4096, offset + size)
  machine.pressReset()
  const { erases } = machine.soc.flash.counters
  for (const end = board.now + 30 * SECOND; machine.soc.flash.counters.erases === erases; board.advance(MILLI))
    if (board.now > end) throw new Error('nothing is erased')
}

describe.skipIf(missingEsp32c3)(title('the W5500'), () => {
  it('may lose power at any byte of a transfer: it is set up again', async () => {
    const { board, before } = await fitted()
    const { machine } = board
    const { spi2 } = machine.soc.peripherals
    const transfer = spi2.device!.transfer
    let left = 0
    spi2.device!.transfer = (mosi, nanos) => {
      if (left > 0 && --left === 0) machine.ethernet!.powerCycle(nanos)
      return transfer(mosi, nanos)
    }
    let slowest = 0
    for (let i = 0; i < 30; i++) {
      left = 1 + i * 7
      board.lan.sendUdp(board.now + 1000, NEIGHBOUR, 123, encodeHeader(freshTransmit()))
      for (const end = board.now + 2 * SECOND; left > 0 && board.now < end; ) board.advance(MILLI)
      expect(left).toBe(0)
      slowest = Math.max(slowest, untilServed(board, 10))
    }
    console.log(`served again at most ${slowest.toFixed(2)} s after the network part was reset`)
    expect(slowest).toBeLessThan(3)
    expect(counts(board)['w5500.restarts']).toBeGreaterThanOrEqual(25)
    await expectWhole(board, before)
    expect(machine.counters).toMatchObject({ boots: 1, traps: 0 })
  })

  it('may be absent at boot and for a while later, in a key exchange too', async () => {
    const board = makeC3()
    const { machine } = board
    const part = machine.board.ethernet
    const { device } = machine.soc.peripherals.spi2
    const { transfer } = device!
    const away = (seconds: number, level: number): void => {
      machine.board.ethernet = undefined
      device!.transfer = () => level
      board.advance(seconds * SECOND)
      machine.board.ethernet = part
      device!.transfer = transfer
      machine.ethernet!.powerCycle(board.now)
    }
    away(20, 0xff)
    untilReady(board)
    expect(status(board)['state']).toBe('locked')
    expect(untilServed(board, 10)).toBeLessThan(3)
    const before = await client(board)
    const exchange = board.keyExchange({ ca: before.ca, timeoutMillis: 50 }).catch(() => undefined)
    board.advance(8 * MILLI)
    away(10, 0x00)
    await exchange
    expect(await expectWhole(board, before, 10)).toBeLessThan(3)
    expect(machine.counters).toMatchObject({ boots: 1, traps: 0, watchdogs: 0 })
  })
})

describe.skipIf(missingEsp32c3)(title('the I2C bus'), () => {
  for (const wire of ['sda', 'scl'] as const) {
    it(`may have ${wire.toUpperCase()} held low at boot and at any time: time is served, and the RTC is found again`, async () => {
      const { board, before } = await fitted()
      const { machine } = board
      const { i2c0 } = machine.soc.peripherals
      const hold = (on: boolean): void => {
        // Nothing that the chip does frees the line.
        if (on) Object.defineProperty(i2c0, 'stuck', { get: () => wire, set: () => {}, configurable: true })
        else Object.defineProperty(i2c0, 'stuck', { value: '', writable: true, configurable: true })
      }
      hold(true)
      expectTrueFor(board, 70 * SECOND, 5 * SECOND)
      machine.pressReset()
      untilRestarted(board, 1)
      board.advance(SECOND)
      expect(status(board)['state']).toBe('unknown')
      await expectWhole(board, before)
      expectTrueFor(board, 20 * SECOND)
      hold(false)
      machine.pressReset()
      untilRestarted(board, 1)
      board.advance(SECOND)
      expect(status(board)['state']).toBe('restored')
      await expectWhole(board, before)
      expect(machine.counters).toMatchObject({ boots: 3, traps: 0, watchdogs: 0 })
    })
  }

  it('may be held by the RTC in the middle of a byte when the chip is reset: nine clocks free it', async () => {
    const { board, before } = await fitted()
    const { i2c0 } = board.machine.soc.peripherals
    board.machine.pressReset()
    i2c0.stuck = 'sda'
    untilRestarted(board, 1)
    board.advance(2 * SECOND)
    expect(i2c0.stuck).toBe('')
    expect(status(board)['state']).toBe('restored')
    await expectWhole(board, before)
  })
})

describe.skipIf(missingEsp32c3)(title("the receiver's wires"), () => {
  it('may carry noise, bursts and a wrong rate: no wrong time is served, and it locks again', async () => {
    const { board, before } = await fitted()
    const { machine } = board
    const { uart1 } = machine.soc.peripherals
    const random = new Random(9, 'noise')
    const byte = machine.board.byte.bind(machine.board)
    let noise = 0
    machine.board.byte = (value) => byte(random.uniform() < noise ? random.u32() & 255 : value)
    for (const [part, span] of [
      [0.002, MINUTE],
      [0.2, MINUTE],
      [1, MINUTE],
    ] as const) {
      noise = part
      const { served, bound } = expectTrueFor(board, span)
      console.log(
        `noise in ${part * 100} % of the bytes: ${served} of 60 served, bound at most ${Math.round(bound)} ns`,
      )
    }
    noise = 0
    expect(await expectWhole(board, before)).toBeLessThan(30)
    // Bursts at a higher rate, longer than FIFO and ring together; zeros, as of a line that lies low.
    for (let i = 0; i < 20; i++) {
      const zeros = i % 4 === 0
      for (let n = 0; n < 2000; n++) {
        uart1.arrive(zeros ? 0 : random.u32() & 255)
        board.advance(8680)
      }
      for (let n = 0; n < 300; n++) uart1.arrive(random.u32() & 255)
      expectTrueFor(board, 1)
    }
    expect(await expectWhole(board, before)).toBeLessThan(30)
    // Each side of the line has another rate for a while.
    for (const baud of [9600, 230_400]) {
      machine.receiver!.setBaud(baud)
      expectTrueFor(board, 20 * SECOND)
      machine.receiver!.setBaud(uart1.baud())
      expectTrueFor(board, 20 * SECOND)
    }
    // The receiver restarts by itself, at the rate it wakes up with.
    machine.receiver!.powerOff(board.now)
    board.advance(0.5 * SECOND)
    machine.receiver!.powerOn(board.now)
    expectTrueFor(board, 40 * SECOND)
    expect(status(board)['state']).toBe('locked')
    await expectWhole(board, before)
    expect(uart1.overruns).toBeGreaterThan(1000)
    expect(machine.counters).toMatchObject({ boots: 1, traps: 0, watchdogs: 0 })
  }, 30_000)

  it('may lose the pulse for a minute: in holdover the bound is honest, and it locks again', async () => {
    const { board, before } = await fitted()
    const { machine } = board
    const pulse = machine.board.pulse.bind(machine.board)
    const locked = bound(board)
    let lost = true
    machine.board.pulse = () => {
      if (!lost) pulse()
    }
    let error = locked
    for (let second = 0; second < 60; second += 10) {
      expect(expectTrueFor(board, 10 * SECOND).served).toBe(10)
      if (second > 0) expect(status(board)['state']).toBe('holdover')
      expect(bound(board)).toBeGreaterThan(error)
      error = bound(board)
    }
    expect(opens(board, before)).toBe(true)
    lost = false
    expect(expectTrueFor(board, 20 * SECOND).served).toBe(20)
    expect(status(board)['state']).toBe('locked')
    console.log(`bound ${locked} ns locked, ${error} ns after a minute without pulses, ${bound(board)} ns 20 s after`)
    expect(bound(board)).toBeLessThan(error)
    await expectWhole(board, before)
    expect(machine.counters).toMatchObject({ boots: 1, traps: 0, watchdogs: 0 })
  })
})

describe.skipIf(missingEsp32c3)(title('a register that nobody models'), () => {
  it('is reported by name and counted', async () => {
    const { board, before } = await fitted()
    expectNothingStrange(board)
    at(board, 'spi_read', () => board.machine.soc.mmioRead(0x6001_6000, 4))
    board.advance(SECOND)
    board.machine.soc.mmioRead(0x6001_6000, 4)
    expect(board.machine.reports).toHaveLength(1)
    expect([...board.machine.soc.peripherals.bus.unmodelled.values()]).toEqual([2])
    console.log(board.machine.reports[0])
    expect(opens(board, before)).toBe(true)
  })
})
