// The custom chips for Wokwi: what Wokwi asks of their modules, and that they do what the models do.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Ds3231, Ds3231Host } from '../../sim/chips/ds3231'
import { OpenSky } from '../../sim/chips/sky'
import { UbloxReceiver } from '../../sim/chips/ublox'
import { W5500 } from '../../sim/chips/w5500'
import { MemoryLan } from '../../sim/lan/memory_lan'
import type { Circuit } from '../../sim/wokwi/host/circuit'
import { chipJson, circuitWith, dice, MODULES, NAMES } from './chips'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const ORIGIN = 1_793_491_200
const MILLI = 1e6

/** Every function of module "env" that the Chips API documents. */
const API = [
  'pinInit pinRead pinWrite pinWatch pinWatchStop pinMode pinADCRead pinDACWrite',
  'stringGetLength stringRead attrInit attrInitFloat attrRead attrReadFloat attrStringInit',
  'i2cInit uartInit uartWrite spiInit spiStart spiStop',
  'timerInit timerStart timerStartNanos timerStop getSimNanos',
  'framebufferInit bufferRead bufferWrite debugPrint',
]
  .join(' ')
  .split(' ')

describe.each(NAMES)('the module of %s', (name) => {
  const module = new WebAssembly.Module(MODULES.get(name)! as BufferSource)

  it('imports_only_functions_of_the_chips_API', () => {
    for (const { module: from, name: wanted, kind } of WebAssembly.Module.imports(module)) {
      expect({ from, kind }).toEqual({ from: 'env', kind: 'function' })
      expect(API).toContain(wanted)
    }
  })

  it('exports_what_the_API_asks_for', () => {
    const exports = WebAssembly.Module.exports(module).map(({ name: exported, kind }) => `${exported} ${kind}`)
    expect(exports).toEqual(
      expect.arrayContaining([
        'chipInit function',
        '__wokwi_api_version_1 function',
        '__indirect_function_table table',
        'memory memory',
      ]),
    )
  })

  it('initialises_exactly_the_pins_and_at_least_the_controls_of_its_chip_json', () => {
    const { pins, controls } = chipJson(name)
    const circuit = circuitWith(name)
    const made = circuit.chips.get(name)!.pins.map((pin) => pin.name)
    expect([...made].sort()).toEqual([...pins].sort())
    for (const { id } of controls) expect(circuit.setControl('part', id, 1), id).toBe(true)
  })

  it('keeps_two_parts_of_its_kind_apart', () => {
    const circuit = circuitWith(name)
    circuit.chips.get(name)!.add('other', {})
    const { pins } = chipJson(name)
    expect(circuit.chips.get(name)!.pins).toHaveLength(2 * pins.length)
    circuit.advance(2e9)
    expect(circuit.nextEvent()).toBeLessThan(4e9)
  })
})

it('the_chips_have_sound_types', () => {
  const args = ['node_modules/typescript/bin/tsc', '-p', 'sim/wokwi/chips/tsconfig.json']
  const { stdout } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
  expect(stdout).toBe('')
})

describe('the DS3231', () => {
  class Host extends Ds3231Host {
    level = 1
    sqw(level: number): void {
      this.level = level
    }
    temperature(): number {
      return 25
    }
  }
  const pads = { scl: 'SCL', sda: 'SDA' }

  it('answers_random_bus_traffic_as_the_model_does', () => {
    const circuit = circuitWith('ds3231')
    const host = new Host()
    const model = new Ds3231(host, 0, 1)
    const random = dice(7)
    let now = 2 * MILLI
    for (let transfer = 0; transfer < 3000; transfer++) {
      now += 1000 + random(2) * random(700 * MILLI)
      circuit.advance(now)
      model.advance(now)
      const address = random(20) === 0 ? random(128) : 0x68
      const read = random(2)
      model.start(now)
      const taken = model.address(address, read, now)
      expect(circuit.i2cAddress(pads, address, read, now)).toBe(taken)
      if (!taken) continue
      for (let i = random(9); i > 0; i--) {
        now += 25_000
        circuit.advance(now)
        if (read) expect(circuit.i2cRead(now)).toBe(model.read(now))
        else {
          const byte = i % 3 === 0 ? random(0x13) : random(256) & 0x77
          expect(circuit.i2cWrite(byte, now)).toBe(model.write(byte, now))
        }
      }
      circuit.i2cStop(now)
      model.stop(now)
      expect(circuit.level('SQW')).toBe(host.level)
    }
  })

  it('shows_the_time_that_its_attribute_says_and_forgets_it_with_its_battery', () => {
    const circuit = circuitWith('ds3231', { unixTime: '1709251197' })
    const time = () => {
      circuit.i2cAddress(pads, 0x68, 0, circuit.now())
      circuit.i2cWrite(0, circuit.now())
      circuit.i2cAddress(pads, 0x68, 1, circuit.now())
      const bytes = Array.from({ length: 16 }, () => circuit.i2cRead(circuit.now()))
      circuit.i2cStop(circuit.now())
      return Buffer.from([6, 5, 4, 2, 1, 0, 15].map((i) => bytes[i]!)).toString('hex')
    }
    circuit.advance(2.5e9)
    expect(time()).toBe('24022923595900')
    circuit.advance(3.5e9)
    expect(time()).toBe('24030100000000')
    circuit.setControl('part', 'batteryDead', 1)
    circuit.advance(4e9)
    expect(time()).toBe('00010100000088')
  })
})

describe('the u-blox receiver', () => {
  const poll = [0xb5, 0x62, 0x0a, 0x04, 0, 0, 0x0e, 0x34]
  const message = (cls: number, id: number, payload: number[]) => {
    const body = [cls, id, payload.length & 255, payload.length >> 8, ...payload]
    let [a, b] = [0, 0]
    for (const byte of body) {
      a = (a + byte) & 255
      b = (b + a) & 255
    }
    return [0xb5, 0x62, ...body, a, b]
  }
  const commands = [poll, message(6, 1, [1, 7, 1]), message(6, 1, [0x0d, 1, 1]), message(6, 1, [9, 9, 1])]

  /** Pulses and bytes of 90 s in which commands are sent at random. */
  function listen(send: (byte: number, at: number) => void, advance: (to: number) => void): void {
    const random = dice(11)
    for (let now = 2e9; now < 90e9; now += 200 * MILLI + random(2000) * MILLI) {
      const command = commands[random(commands.length)]!
      command.forEach((byte, i) => {
        const at = now + i * 1_041_667
        advance(at)
        send(random(40) === 0 ? byte ^ 1 : byte, at)
      })
      advance(now + 50 * MILLI)
    }
  }

  it('sends_the_bytes_and_pulses_that_the_model_sends', () => {
    const chip: { bytes: number[]; edges: number[] } = { bytes: [], edges: [] }
    const circuit = circuitWith('ublox', { unixTime: String(ORIGIN), warm: '1', seed: '5' })
    circuit.onUart = (_pad, byte) => chip.bytes.push(byte)
    circuit.onPad = (pad, level) => {
      if (pad === 'PPS' && level === 1) chip.edges.push(circuit.now())
    }
    listen(
      (byte, at) => circuit.uartSend('RX', byte, 9600, at),
      (to) => circuit.advance(to),
    )

    const own: typeof chip = { bytes: [], edges: [] }
    const model = new UbloxReceiver(new OpenSky(ORIGIN), 5)
    model.rateFixed = true
    const take = (now: number) => {
      model.advance(now)
      for (let at = model.takePulse(now); at >= 0; at = model.takePulse(now)) own.edges.push(at)
      for (let byte = model.readUart(now); byte >= 0; byte = model.readUart(now)) own.bytes.push(byte)
    }
    model.powerOn(MILLI, true)
    model.setHostBaud(9600)
    listen(
      (byte, at) => model.writeUart(at, byte),
      (to) => {
        while (model.nextEvent() <= to) take(model.nextEvent())
        take(to)
      },
    )
    expect(own.edges.length).toBeGreaterThan(60)
    expect(chip.edges).toHaveLength(own.edges.length)
    chip.edges.forEach((at, i) => {
      expect(Math.abs(at - own.edges[i]!)).toBeLessThanOrEqual(1)
    })
    // The last bytes may still be on the wire.
    expect(own.bytes.length - chip.bytes.length).toBeLessThan(400)
    expect(chip.bytes.length).toBeGreaterThan(20_000)
    expect(Buffer.from(chip.bytes).equals(Buffer.from(own.bytes.slice(0, chip.bytes.length)))).toBe(true)
  })

  it('loses_its_pulse_when_the_control_says_so', () => {
    const circuit = circuitWith('ublox', { warm: '1' })
    let edges = 0
    circuit.onPad = (pad, level) => {
      if (pad === 'PPS' && level === 1) edges++
    }
    circuit.advance(20e9)
    expect(edges).toBeGreaterThan(10)
    circuit.setControl('part', 'pps', 0)
    const before = edges
    circuit.advance(40e9)
    expect(edges).toBe(before)
  })
})

describe('the W5500', () => {
  /** A frame through the chip's pins; time stands still within it. */
  function frame(circuit: Circuit, bytes: number[], now: number): number[] {
    const pads = { sck: 'SCLK', mosi: 'MOSI', miso: 'MISO' }
    circuit.drive('CS', 0, now)
    const answer = bytes.map((byte) => circuit.spiExchange(pads, byte, now))
    circuit.drive('CS', 1, now)
    return answer
  }

  function modelFrame(model: W5500, bytes: number[], now: number): number[] {
    model.select(now)
    const answer = bytes.map((byte) => model.transfer(byte))
    model.deselect(now)
    return answer
  }

  const COMMANDS = [1, 1, 2, 8, 0x10, 0x20, 0x20, 0x20, 0x40, 0x99]

  /** A random frame: set-up, commands, pointers, buffers, nonsense. */
  function randomFrame(random: (sides: number) => number): number[] {
    const header = (block: number, address: number, write: number) => [
      address >> 8,
      address & 255,
      (block << 3) | write,
    ]
    const n = random(3)
    const any = (length: number) => Array.from({ length }, () => random(256))
    switch (random(9)) {
      case 0:
        return [...header(0, 0x0f, 4), 192, 168, 1, 123]
      case 1:
        return [...header(4 * n + 1, 0, 4), 2, COMMANDS[random(COMMANDS.length)]!]
      case 2:
        return [...header(4 * n + 1, 4, 4), 0, 100 + n, ...any(6), 192, 168, 1, 1 + random(200), 0, 123]
      case 3:
        return [...header(4 * n + 1, 0x24, 4), 0, random(200)]
      case 4:
        return [...header(4 * n + 1, 2, 4), 0xff]
      case 5:
        return [...header(4 * n + 2, random(2048), 4), ...any(random(150))]
      case 6:
        return [...header(4 * n + 1 + random(3), random(0x30), 0), ...any(1 + random(100))]
      case 7:
        return [...header(0, random(0x3a), 0), ...any(1 + random(20))]
      default:
        return [...header(random(32), random(64), random(2) * 4 + random(4)), ...any(random(8))]
    }
  }

  it('answers_random_frames_as_the_model_does', () => {
    const circuit = circuitWith('w5500', { ntpSeconds: '0', keyExchange: '0' })
    // Whoever is asked for answers as in the chip's scripted LAN.
    const lan = new MemoryLan()
    const model = new W5500(lan)
    lan.attach(model)
    lan.arpRequest = (at, ip) => {
      const answer = at + 120_000
      const mac = Uint8Array.of(2, 0, ip >>> 24, ip >>> 16, ip >>> 8, ip)
      lan.at(answer, () => model.arpReply(answer, ip, mac))
    }
    const random = dice(3)
    let now = 0
    for (let i = 0; i < 6000; i++) {
      now += 1000 + random(3) * random(300_000)
      circuit.advance(now)
      model.advance(now)
      const bytes = randomFrame(random)
      const expected = modelFrame(model, bytes, now)
      expect(frame(circuit, bytes, now), `frame ${i}: ${bytes.slice(0, 8)}`).toEqual(expected)
      expect(circuit.level('INT')).toBe(model.intLevel)
    }
    expect(lan.sent.length).toBeGreaterThan(50)
  })

  it('forgets_everything_when_RST_falls', () => {
    const circuit = circuitWith('w5500', { ntpSeconds: '0' })
    const read = () => frame(circuit, [0, 0x0f, 0, 0, 0, 0, 0], circuit.now()).slice(3)
    frame(circuit, [0, 0x0f, 4, 10, 0, 0, 7], 1000)
    expect(read()).toEqual([10, 0, 0, 7])
    circuit.drive('RST', 0, 2000)
    circuit.drive('RST', 1, 502_000)
    circuit.advance(5 * MILLI)
    expect(read()).toEqual([0, 0, 0, 0])
  })
})
