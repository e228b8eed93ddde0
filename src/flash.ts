// `noonmark flash PORT`: writes the ESP32-C3 image to offset 0 of the flash, by the chip's ROM bootloader and Espressif's
// flasher stub (esptool-js), and compares the MD5 of what the flash then holds.
//
// Before anything is written: the image must be one for direct boot and end before the flash area of the firmware's log;
// the chip must be an ESP32-C3 whose ROM knows direct boot (revision v0.3), whose eFuses allow it, with enough flash.
// The log and the settings stay untouched, so keys and certificates survive; `--erase` empties the whole flash first.
//
// Result: the exit status. Every failure is one sentence on stderr.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ESPLoader } from 'esptool-js'
import type { Area } from '../sim/soc/board'
import {
  findPort,
  isUsbSerialJtag,
  loadSerial,
  optional,
  portTable,
  type Serial,
  SerialError,
  WebSerialPort,
} from './serial_transport'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const BOARD_FILE = `${ROOT}boards/esp32c3-devkitm-w5500.json`
const IMAGE_FILE = `${ROOT}build/esp32c3/noonmark.bin`

/** The first eight bytes that make the ROM boot directly: 0xaedb041d, twice. */
const DIRECT_BOOT_MAGIC = Buffer.from('1d04dbae1d04dbae', 'hex')

const CHIP = 'ESP32-C3'
/** Chip revisions as major * 100 + minor. */
const DIRECT_BOOT_REVISION = 3

// TRM chapter 4: eFuse block 0 and block 1.
const EFUSE_RD_REPEAT_DATA3 = 0x6000_883c
const DIS_DIRECT_BOOT = 1 << 1
const EFUSE_RD_MAC_SPI_SYS_3 = 0x6000_8850
const EFUSE_RD_MAC_SPI_SYS_5 = 0x6000_8858

// TRM chapter 12. A reset by USB leaves the RTC watchdog running, and this firmware uses it.
const RTC_CNTL_WDTCONFIG0 = 0x6000_8090
const RTC_CNTL_WDTWPROTECT = 0x6000_80a8
const RTC_CNTL_SWD_CONF = 0x6000_80ac
const RTC_CNTL_SWD_WPROTECT = 0x6000_80b0
const WDT_KEY = 0x50d8_3aa1
const SWD_KEY = 0x8f1d_312a
const SWD_AUTO_FEED_EN = 1 << 31

/** The rate at which the ROM listens on a UART; on USB it means nothing. */
const ROM_BAUD = 115_200
const CONNECT_ATTEMPTS = 7
const RESET_MILLISECONDS = 100

export interface FlashOptions {
  /** The image; build/esp32c3/noonmark.bin when not given. */
  image?: string
  baud: number
  /** Empty the whole flash first: keys, certificates and settings are lost. */
  erase: boolean
  /** Only show the ports. */
  list: boolean
}

/** What the command works with; tests bring their own. */
export interface FlashTools {
  serial: Serial
  say: (sentence: string) => void
  complain: (sentence: string) => void
  progress: (percent: number) => void
  attempts: number
}

interface FlashMap {
  size: number
  image: Area
  log: Area
  anchors: Area
  settings: Area
}

export class FlashError extends Error {}

/** Resolves to the exit status. */
export async function flash(
  port: string | undefined,
  options: FlashOptions,
  tools: Partial<FlashTools> = {},
): Promise<number> {
  const complain = tools.complain ?? ((sentence) => console.error(`noonmark: ${sentence}`))
  try {
    const all: FlashTools = { ...terminal(), ...tools, complain, serial: tools.serial ?? (await loadSerial()) }
    if (options.list || port === undefined) return await listPorts(options.list, all)
    const map = flashMap()
    const image = readImage(options.image, map)
    await writeImage(port, image, map, options, all)
    return 0
  } catch (error) {
    if (!(error instanceof FlashError || error instanceof SerialError)) throw error
    complain(error.message)
    return 1
  }
}

async function listPorts(asked: boolean, { serial, say, complain }: FlashTools): Promise<number> {
  if (!asked) complain('a serial port is needed; these are there:')
  say(portTable(await serial.list()))
  return asked ? 0 : 1
}

function terminal(): Pick<FlashTools, 'say' | 'progress' | 'attempts'> {
  return {
    say: (sentence) => console.log(sentence),
    progress: (percent) => {
      if (process.stderr.isTTY) process.stderr.write(percent < 100 ? `\rwriting ${percent} % ` : '\r                \r')
    },
    attempts: CONNECT_ATTEMPTS,
  }
}

function flashMap(): FlashMap {
  return JSON.parse(readFileSync(BOARD_FILE, 'utf8')).flash
}

/** The image, padded with 0xff to whole words as the flash is written. */
export function readImage(file: string | undefined, map: FlashMap): Uint8Array {
  let image: Buffer
  try {
    image = readFileSync(file ?? IMAGE_FILE)
  } catch (error) {
    if (file === undefined) throw new FlashError('there is no image yet: `npm run build:esp32c3` makes it')
    throw new FlashError(`${file} cannot be read: ${(error as Error).message}`)
  }
  const name = file ?? 'build/esp32c3/noonmark.bin'
  if (!image.subarray(0, DIRECT_BOOT_MAGIC.length).equals(DIRECT_BOOT_MAGIC)) {
    throw new FlashError(`${name} is no image for direct boot: it does not begin with the words 0xaedb041d 0xaedb041d`)
  }
  if (image.length > map.image.size) {
    throw new FlashError(
      `${name} has ${image.length} bytes, more than the ${map.image.size} that the board's flash map has for it`,
    )
  }
  const padded = new Uint8Array(Math.ceil(image.length / 4) * 4).fill(0xff)
  padded.set(image)
  return padded
}

async function writeImage(
  port: string,
  image: Uint8Array,
  map: FlashMap,
  options: FlashOptions,
  tools: FlashTools,
): Promise<void> {
  const { ESPLoader, Transport } = await optional('esptool-js', () => import('esptool-js'))
  const info = await findPort(tools.serial, port)
  const device = new WebSerialPort(tools.serial, info)
  const transport = new Transport(device as never)
  // It prints some of its trace even when not asked to.
  transport.trace = () => {}
  const terminal = { clean: () => {}, write: () => {}, writeLine: () => {} }
  const loader = new ESPLoader({ transport, baudrate: options.baud, romBaudrate: ROM_BAUD, terminal })
  try {
    await connect(loader, port, tools.attempts)
    tools.say(`${CHIP} ${await checkChip(loader)} on ${port}`)
    await during('the flasher stub did not start', async () => {
      await stopWatchdogs(loader)
      await loader.runStub()
      // The chip's own USB has no baud rate.
      if (options.baud !== ROM_BAUD && !isUsbSerialJtag(info)) await loader.changeBaud()
    })
    await checkFlashSize(loader, map)
    if (options.erase) {
      tools.say('erasing the whole flash: keys, certificates and settings are lost')
      await during('erasing failed', () => loader.eraseFlash())
    }
    await write(loader, image, tools)
    await verify(loader, image)
    tools.say(
      `wrote ${image.length} bytes at 0x0 and verified them; \`noonmark monitor ${port}\` shows the device start`,
    )
    await restart(transport)
  } finally {
    await device.close()
  }
}

async function connect(loader: ESPLoader, port: string, attempts: number): Promise<void> {
  try {
    await loader.detectChip('default_reset', attempts)
  } catch (error) {
    if (error instanceof SerialError) throw error
    const { message } = error as Error
    if (/chip/i.test(message))
      throw new FlashError(`the chip on ${port} is not one that this program knows: ${message}`)
    throw new FlashError(
      `nothing answers on ${port} as an ESP32 in download mode does: ` +
        'hold BOOT (GPIO 9), press and release RESET, release BOOT, and try again',
    )
  }
}

/** The chip's revision in words; throws a FlashError when it cannot run the image. */
async function checkChip(loader: ESPLoader): Promise<string> {
  if (loader.chip.CHIP_NAME !== CHIP) {
    throw new FlashError(`the chip is an ${loader.chip.CHIP_NAME}; the image is for an ${CHIP}`)
  }
  if (loader.secureDownloadMode) {
    throw new FlashError('the chip is in secure download mode: its eFuses cannot be read, nor its flash checked')
  }
  return during('the eFuses cannot be read', async () => {
    const { parsedFlags } = await loader.getSecurityInfo()
    if (parsedFlags.SECURE_BOOT_EN)
      throw new FlashError('the chip has secure boot burnt in: its ROM boots signed images only')
    const word3 = await loader.readReg(EFUSE_RD_MAC_SPI_SYS_3)
    const word5 = await loader.readReg(EFUSE_RD_MAC_SPI_SYS_5)
    const major = (word5 >>> 24) & 3
    const minor = ((word5 >>> 23) & 1) * 8 + ((word3 >>> 18) & 7)
    const revision = `v${major}.${minor}`
    if (major * 100 + minor < DIRECT_BOOT_REVISION) {
      throw new FlashError(`the chip's revision is ${revision}; its ROM knows direct boot from v0.3 on`)
    }
    if ((await loader.readReg(EFUSE_RD_REPEAT_DATA3)) & DIS_DIRECT_BOOT) {
      throw new FlashError('the eFuse DIS_DIRECT_BOOT of this chip is burnt: its ROM will never start this image')
    }
    return revision
  })
}

async function stopWatchdogs(loader: ESPLoader): Promise<void> {
  await loader.writeReg(RTC_CNTL_WDTWPROTECT, WDT_KEY)
  await loader.writeReg(RTC_CNTL_WDTCONFIG0, 0)
  await loader.writeReg(RTC_CNTL_WDTWPROTECT, 0)
  await loader.writeReg(RTC_CNTL_SWD_WPROTECT, SWD_KEY)
  await loader.writeReg(RTC_CNTL_SWD_CONF, (await loader.readReg(RTC_CNTL_SWD_CONF)) | SWD_AUTO_FEED_EN)
  await loader.writeReg(RTC_CNTL_SWD_WPROTECT, 0)
}

/** All that the flash map names must be there: the image, the log, the anchors, the settings. */
async function checkFlashSize(loader: ESPLoader, map: FlashMap): Promise<void> {
  const name = await during('the flash does not answer', () => loader.detectFlashSize())
  if (name === undefined) throw new FlashError('the flash chip does not say how large it is')
  const size = Number.parseInt(name, 10) * (name.endsWith('KB') ? 1024 : 1024 * 1024)
  const needed = Math.max(...[map.image, map.log, map.anchors, map.settings].map((area) => area.offset + area.size))
  if (size < needed) throw new FlashError(`the flash has ${size} bytes; the board's flash map needs ${needed}`)
}

async function write(loader: ESPLoader, image: Uint8Array, { progress }: FlashTools): Promise<void> {
  await during('writing failed, so that the device holds half an image: run this again', () =>
    loader.writeFlash({
      fileArray: [{ data: image, address: 0 }],
      flashMode: 'keep',
      flashFreq: 'keep',
      flashSize: 'keep',
      eraseAll: false,
      compress: true,
      reportProgress: (_file, written, total) => progress(Math.floor((100 * written) / total)),
    }),
  )
}

async function verify(loader: ESPLoader, image: Uint8Array): Promise<void> {
  const expected = createHash('md5').update(image).digest('hex')
  const found = await during('the MD5 of the flash cannot be had', () => loader.flashMd5sum(0, image.length))
  if (found !== expected) {
    throw new FlashError(
      `the flash does not hold what was written (MD5 ${found} instead of ${expected}): run this again`,
    )
  }
}

/** RTS is the reset line, on USB Serial/JTAG and by the usual two transistors alike. */
async function restart(transport: {
  setDTR(on: boolean): Promise<void>
  setRTS(on: boolean): Promise<void>
}): Promise<void> {
  await transport.setDTR(false)
  await transport.setRTS(true)
  await new Promise((resolve) => setTimeout(resolve, RESET_MILLISECONDS))
  // A USB port may vanish with the chip's reset; the image is written by now.
  await transport.setRTS(false).catch(() => {})
}

/** Runs `work`; whatever it throws becomes one sentence that begins with `what`. */
async function during<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof FlashError) throw error
    throw new FlashError(`${what} (${(error as Error).message.replace(/\s+/g, ' ')})`)
  }
}
