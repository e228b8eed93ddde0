// An ESP32-C3 at the other end of a serial port, for the tests of `flash` and `monitor`: the ROM bootloader's and the
// flasher stub's protocol (esptool's documentation, "Serial Protocol"), the control lines that lead into it, a flash.
// serialport's stream and esptool-js run for real against it; only serialport's binding is a mock.
//
// Written from the documentation of the protocol, not from a chip: it shows that the command does what it means to, not
// that a chip likes it.

import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import { SerialPortMock } from 'serialport'
import { explainOpen, type Serial, SerialError, type SerialInfo, type SerialLine } from '../../src/serial_transport'

const enum Op {
  Sync = 0x08,
  WriteReg = 0x09,
  ReadReg = 0x0a,
  MemBegin = 0x05,
  MemEnd = 0x06,
  MemData = 0x07,
  ChangeBaud = 0x0f,
  FlashDeflBegin = 0x10,
  FlashDeflData = 0x11,
  FlashDeflEnd = 0x12,
  FlashMd5 = 0x13,
  SecurityInfo = 0x14,
  EraseFlash = 0xd0,
}

const SECTOR = 4096
const EMPTY: Buffer = Buffer.alloc(0)
const ROM_BAUD = 115_200
const SPI1_CMD = 0x6000_2000
const SPI1_W0 = 0x6000_2058

export interface FakeOptions {
  /** As in GET_SECURITY_INFO: 5 is an ESP32-C3, 13 an ESP32-C6. */
  chipId?: number
  securityFlags?: number
  major?: number
  minor?: number
  /** EFUSE_RD_REPEAT_DATA3. */
  repeatData3?: number
  flashSize?: number
  /** Never enters the bootloader: no BOOT line. */
  mute?: boolean
  /** Status of every block written to flash. */
  writeStatus?: number
  /** A block's first transfer fails, the repetition works. */
  failFirstWrite?: boolean
  /** A bit of the flash at this address does not take. */
  stuckBit?: number
  usb?: boolean
}

export class FakeEsp32c3 {
  readonly path: string
  readonly serial: Serial
  readonly flash: Uint8Array
  readonly registers = new Map<number, number>()
  mode: 'running' | 'download' | 'stub' = 'running'
  /** Times that the chip came out of reset to run its flash. */
  starts = 0
  /** What a monitor typed. */
  typed = ''
  /** Registers in the order of their writing. */
  readonly writes: [number, number][] = []
  /** The rate that the bootloader listens at. */
  private baud = ROM_BAUD
  /** The highest that it was told. */
  fastest = ROM_BAUD
  private hostBaud = 0
  private boot = false
  private lines = { dtr: false, rts: false }
  private slip: number[] | undefined
  private escaped = false
  private image: { offset: number; size: number; parts: Uint8Array[] } | undefined
  private binding: MockPort | undefined
  private failed = false
  private plugged: string | undefined

  constructor(private readonly options: FakeOptions = {}) {
    this.path = `/dev/fake${++made}`
    this.flash = new Uint8Array(options.flashSize ?? 4 << 20).fill(0x5a)
    this.registers.set(0x6000_8850, (options.minor ?? 4) << 18)
    this.registers.set(0x6000_8858, (options.major ?? 0) << 24)
    this.registers.set(0x6000_883c, options.repeatData3 ?? 0)
    this.registers.set(0x6000_8090, 0x8001_3214)
    this.plug()
    this.serial = { list: async () => this.list(), open: (path, baudRate) => this.open(path, baudRate) }
  }

  /** The port (re)appears, perhaps under another name. */
  plug(path = this.path): void {
    SerialPortMock.binding.createPort(path)
    this.plugged = path
  }

  /** The cable is pulled, or the chip's USB restarts. */
  unplug(): void {
    const { binding } = this
    SerialPortMock.binding.reset()
    this.plugged = undefined
    binding?.pendingRead?.(new Error('the device is gone'))
  }

  /** Prints on the console. */
  print(text: string): void {
    this.binding?.emitData(Buffer.from(text))
  }

  private list(): SerialInfo[] {
    if (this.plugged === undefined) return []
    const usb = this.options.usb !== false
    const ids = usb ? { vendorId: '303A', productId: '1001' } : { vendorId: '10c4', productId: 'ea60' }
    return [{ path: this.plugged, ...ids, serialNumber: '60:55:F9:00:00:01' }]
  }

  private open(path: string, baudRate: number): Promise<SerialLine> {
    return new Promise((resolve, reject) => {
      const stream = new SerialPortMock({ path, baudRate }, (error) => {
        if (error) return reject(new SerialError(explainOpen(path, error)))
        this.attach(stream.port as unknown as MockPort)
        this.hostBaud = baudRate
        resolve(stream as unknown as SerialLine)
      })
    })
  }

  private attach(binding: MockPort): void {
    this.binding = binding
    // A bridge's wires change one after the other, and each call sets all of them.
    binding.set = async ({ dtr = true, rts = true }) => this.control(dtr, rts)
    binding.update = async ({ baudRate }) => {
      this.hostBaud = baudRate
    }
    binding.write = async (data) => {
      if (this.mode === 'running') this.typed += data.toString()
      else if (this.hostBaud === this.baud || this.options.usb !== false) for (const byte of data) this.take(byte)
    }
  }

  /** RTS holds the chip in reset, DTR the BOOT line low; both at once do nothing. */
  private control(dtr: boolean, rts: boolean): void {
    const wasReset = this.lines.rts && !this.lines.dtr
    this.lines = { dtr, rts }
    if (dtr && !rts) this.boot = true
    if (wasReset && !rts) this.start(this.boot || dtr)
  }

  private start(download: boolean): void {
    this.boot = false
    this.baud = ROM_BAUD
    this.mode = download && !this.options.mute ? 'download' : 'running'
    if (!download) this.starts++
  }

  private take(byte: number): void {
    if (byte === 0xc0) {
      if (this.slip !== undefined && this.slip.length > 0) {
        this.packet(Buffer.from(this.slip))
        this.slip = undefined
      } else this.slip = []
    } else if (this.slip !== undefined) {
      if (byte === 0xdb) this.escaped = true
      else {
        this.slip.push(this.escaped ? (byte === 0xdc ? 0xc0 : 0xdb) : byte)
        this.escaped = false
      }
    }
  }

  private packet(packet: Buffer): void {
    const op = packet[1]
    const data = packet.subarray(8)
    const known = packet[0] === 0 && packet.readUInt16LE(2) === data.length ? this.handlers[op] : undefined
    if (known === undefined) this.answer(op, { status: 5 })
    else known(data, packet.readUInt32LE(4))
  }

  private readonly handlers: { [op: number]: (data: Buffer, checksum: number) => void } = {
    [Op.Sync]: () => {
      for (let i = 0; i < 8; i++) this.answer(Op.Sync, { value: 0x2012_0707 })
    },
    [Op.SecurityInfo]: () => this.answer(Op.SecurityInfo, { data: this.securityInfo() }),
    [Op.ReadReg]: (data) => this.answer(Op.ReadReg, { value: this.register(data.readUInt32LE(0)) }),
    [Op.WriteReg]: (data) => {
      const [address, value] = [data.readUInt32LE(0), data.readUInt32LE(4)]
      this.writes.push([address, value])
      if (address !== SPI1_CMD) this.registers.set(address, value)
      this.answer(Op.WriteReg)
    },
    [Op.MemBegin]: () => this.answer(Op.MemBegin),
    [Op.MemData]: (data, checksum) => {
      this.answer(Op.MemData, { status: sum(data.subarray(16)) === checksum ? 0 : 7 })
    },
    [Op.MemEnd]: () => {
      this.answer(Op.MemEnd)
      this.mode = 'stub'
      this.send(Buffer.from('OHAI'))
    },
    [Op.ChangeBaud]: (data) => {
      this.answer(Op.ChangeBaud)
      this.baud = data.readUInt32LE(0)
      this.fastest = Math.max(this.fastest, this.baud)
    },
    [Op.EraseFlash]: () => {
      this.flash.fill(0xff)
      this.answer(Op.EraseFlash)
    },
    [Op.FlashDeflBegin]: (data) => this.begin(data),
    [Op.FlashDeflData]: (data, checksum) => {
      this.answer(Op.FlashDeflData, { status: this.block(data.subarray(16), checksum) })
    },
    [Op.FlashDeflEnd]: () => this.answer(Op.FlashDeflEnd),
    [Op.FlashMd5]: (data) => {
      const offset = data.readUInt32LE(0)
      const bytes = this.flash.subarray(offset, offset + data.readUInt32LE(4))
      this.answer(Op.FlashMd5, { data: createHash('md5').update(bytes).digest() })
    },
  }

  private securityInfo(): Buffer {
    const info = Buffer.alloc(20)
    info.writeUInt32LE(this.options.securityFlags ?? 0, 0)
    info.writeUInt32LE(this.options.chipId ?? 5, 12)
    return info
  }

  private register(address: number): number {
    // The answer to RDID: manufacturer, type, log2 of the size.
    if (address === SPI1_W0) return ((Math.log2(this.flash.length) << 16) | 0x4020) >>> 0
    return this.registers.get(address) ?? 0
  }

  private begin(data: Buffer): void {
    this.image = { offset: data.readUInt32LE(12), size: data.readUInt32LE(0), parts: [] }
    const { offset, size } = this.image
    this.flash.fill(0xff, offset, offset + Math.ceil(size / SECTOR) * SECTOR)
    this.answer(Op.FlashDeflBegin)
  }

  /** The status of a block. */
  private block(block: Buffer, checksum: number): number {
    if (this.options.writeStatus) return this.options.writeStatus
    if (this.options.failFirstWrite && !this.failed) {
      this.failed = true
      return 8
    }
    if (this.image === undefined || sum(block) !== checksum) return 7
    this.image.parts.push(new Uint8Array(block))
    try {
      this.flash.set(inflateSync(Buffer.concat(this.image.parts)), this.image.offset)
      const { offset, size } = this.image
      const { stuckBit = -1 } = this.options
      if (stuckBit >= offset && stuckBit < offset + size) this.flash[stuckBit]! ^= 1
    } catch {
      // More blocks are to come.
    }
    return 0
  }

  private answer(op: Op, { value = 0, data = EMPTY, status = 0 } = {}): void {
    const tail = Buffer.from(this.mode === 'stub' ? [status ? 1 : 0, status] : [status ? 1 : 0, status, 0, 0])
    const head = Buffer.alloc(8)
    head[0] = 1
    head[1] = op
    head.writeUInt16LE(data.length + tail.length, 2)
    head.writeUInt32LE(value >>> 0, 4)
    this.send(Buffer.concat([head, data, tail]))
  }

  private send(packet: Buffer): void {
    const bytes = [0xc0]
    for (const byte of packet) {
      if (byte === 0xc0) bytes.push(0xdb, 0xdc)
      else if (byte === 0xdb) bytes.push(0xdb, 0xdd)
      else bytes.push(byte)
    }
    bytes.push(0xc0)
    this.binding?.emitData(Buffer.from(bytes))
  }
}

let made = 0

/** The parts of serialport's mock binding that the fake replaces or uses. */
interface MockPort {
  set(options: { dtr?: boolean; rts?: boolean }): Promise<void>
  update(options: { baudRate: number }): Promise<void>
  write(data: Buffer): Promise<void>
  emitData(data: Buffer): void
  pendingRead?: ((error: Error) => void) | null
}

function sum(data: Buffer): number {
  let state = 0xef
  for (const byte of data) state ^= byte
  return state
}
