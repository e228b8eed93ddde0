// `noonmark flash PORT`: writes the ESP32-C3 image to offset 0 of the flash, and trust anchors and settings to their areas when
// asked, by the chip's ROM bootloader and Espressif's flasher stub (esptool-js), and compares the MD5 of what the flash then holds.
//
// Before anything is written: every part must be what it should be and fit its area (flash_parts.ts); the chip must be an
// ESP32-C3 whose ROM knows direct boot (revision v0.3), whose eFuses allow it, with enough flash.
// The log stays untouched, so keys and certificates survive; `--erase` empties the whole flash first.
//
// Result: the exit status. Every failure is one sentence on stderr.

import { createHash } from 'node:crypto'
import type { ESPLoader } from 'esptool-js'
import { FlashError, type FlashMap, type FlashPart, flashMap, flashParts, type PartOptions } from './flash_parts'
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

export interface FlashOptions extends PartOptions {
  baud: number
  /** Empty the whole flash first: keys, certificates, anchors and settings are lost. */
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
    if (options.erase && options.image === false) {
      throw new FlashError('--erase and --no-image contradict each other: nothing would be left to start')
    }
    const parts = await flashParts(options, map, all.say)
    await writeParts(port, parts, map, options, all)
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

async function writeParts(
  port: string,
  parts: FlashPart[],
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
      tools.say('erasing the whole flash: keys, certificates, anchors and settings are lost')
      await during('erasing failed', () => loader.eraseFlash())
    }
    await write(loader, parts, tools)
    for (const part of parts) await verify(loader, part)
    const written = parts.map(({ name, address, data }) => `${name} (${data.length} bytes at ${hex(address)})`)
    tools.say(`wrote and verified ${written.join(', ')}; \`noonmark monitor ${port}\` shows the device start`)
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

async function write(loader: ESPLoader, parts: FlashPart[], { progress }: FlashTools): Promise<void> {
  const sum = (some: FlashPart[]) => some.reduce((bytes, { data }) => bytes + data.length, 0)
  const all = sum(parts)
  await during('writing failed half-way, so that the device may not start: run this again', () =>
    loader.writeFlash({
      fileArray: parts.map(({ data, address }) => ({ data, address })),
      flashMode: 'keep',
      flashFreq: 'keep',
      flashSize: 'keep',
      eraseAll: false,
      compress: true,
      reportProgress: (i, written, total) => {
        const share = sum(parts.slice(i, i + 1)) * (written / total)
        progress(Math.floor((100 * (sum(parts.slice(0, i)) + share)) / all))
      },
    }),
  )
}

async function verify(loader: ESPLoader, { name, address, data }: FlashPart): Promise<void> {
  const expected = createHash('md5').update(data).digest('hex')
  const found = await during('the MD5 of the flash cannot be had', () => loader.flashMd5sum(address, data.length))
  if (found !== expected) {
    throw new FlashError(
      `the flash does not hold what was written at ${hex(address)}, ${name} (MD5 ${found} instead of ${expected}): run this again`,
    )
  }
}

const hex = (address: number): string => `0x${address.toString(16)}`

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
