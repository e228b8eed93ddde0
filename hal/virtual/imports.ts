// The import object of the module: the functions of hal/abi.ts under their names there, over a `Hal`.

/** hal/abi.ts in the spelling of this folder. Addresses and lengths are numbers as the module gives them. */
export interface Hal {
  ticks(): bigint
  capture(channel: number, out: number): void
  pinRead(channel: number): number
  pinWrite(pin: number, level: number): void
  uartConfigure(baud: number): void
  uartRead(out: number, capacity: number): number
  uartWrite(data: number, length: number): number
  i2cTransfer(address: number, write: number, writeLength: number, read: number, readLength: number): number
  spiWrite(header: number, headerLength: number, data: number, length: number): void
  spiRead(header: number, headerLength: number, data: number, length: number): void
  flashSize(): number
  flashRead(offset: number, out: number, length: number): number
  flashWrite(offset: number, data: number, length: number): number
  flashErase(offset: number): number
  entropy(out: number, length: number): number
  consoleRead(out: number, capacity: number): number
  consoleWrite(data: number, length: number): number
  boardConfig(out: number, capacity: number): number
  features(): number
  watchdog(): void
  reset(reason: number): void
}

/** `HalError.Fault`: this machine has no AES block. */
const FAULT = -4

export function imports(hal: Hal): WebAssembly.ModuleImports {
  return {
    ticks: () => hal.ticks(),
    capture: (channel: number, out: number) => hal.capture(channel, out),
    pin_read: (channel: number) => hal.pinRead(channel),
    pin_write: (pin: number, level: number) => hal.pinWrite(pin, level),
    uart_configure: (baud: number) => hal.uartConfigure(baud),
    uart_read: (out: number, capacity: number) => hal.uartRead(out, capacity),
    uart_write: (data: number, length: number) => hal.uartWrite(data, length),
    i2c_transfer: (address: number, write: number, writeLength: number, read: number, readLength: number) =>
      hal.i2cTransfer(address, write, writeLength, read, readLength),
    spi_write: (header: number, headerLength: number, data: number, length: number) =>
      hal.spiWrite(header, headerLength, data, length),
    spi_read: (header: number, headerLength: number, data: number, length: number) =>
      hal.spiRead(header, headerLength, data, length),
    flash_size: () => hal.flashSize(),
    flash_read: (offset: number, out: number, length: number) => hal.flashRead(offset, out, length),
    flash_write: (offset: number, data: number, length: number) => hal.flashWrite(offset, data, length),
    flash_erase: (offset: number) => hal.flashErase(offset),
    entropy: (out: number, length: number) => hal.entropy(out, length),
    aes_load: () => FAULT,
    aes_encrypt: () => undefined,
    console_read: (out: number, capacity: number) => hal.consoleRead(out, capacity),
    console_write: (data: number, length: number) => hal.consoleWrite(data, length),
    board_config: (out: number, capacity: number) => hal.boardConfig(out, capacity),
    features: () => hal.features(),
    watchdog: () => hal.watchdog(),
    reset: (reason: number) => hal.reset(reason),
  }
}
