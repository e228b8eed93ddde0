// The HAL ABI: every function that a machine must provide to run the firmware.
//
// These declarations are the only imports of build/noonmark.wasm (module "abi", the function's
// own name). The module exports `boot(): void`, `poll(): u64` and its memory; a machine calls nothing else. `memory_end(): u32`
// is for whoever builds an image: bytes of memory from there on are never used.
//
//   poll() returns the tick at which the firmware wants to run again at the latest. The machine calls it
//   earlier when an edge was captured, when serial bytes arrived or when the console has input.
//
// Conventions: an address is a byte offset in the module's linear memory and is borrowed for the length of
// the call only. No function blocks for longer than its bus transfer takes. Errors are negative numbers of
// `HalError`; 0 or a count is success. Two machines implement this file: hal/virtual and hal/esp32c3.

/** Nominal rate of `ticks()`, in hertz: the ESP32-C3's SYSTIMER. The true rate is the crystal's affair. */
export const TICK_HZ: u32 = 16_000_000

/** Capture channels: inputs whose edges are time-stamped by the machine. */
export const enum Channel {
  /** Rising edge of the receiver's time pulse: the start of a second. */
  Pps = 0,
  /** Falling edge of the W5500's INTn. */
  EthernetInt = 1,
  /** Falling edge of the DS3231's SQW: the start of an RTC second. Counts nothing where it is not wired. */
  RtcSqw = 2,
}

/** Output pins. */
export const enum Pin {
  /** Low resets the W5500. */
  EthernetReset = 0,
  /** Lit while the clock is locked to the receiver. */
  LedLocked = 1,
}

/** Bits of `features()`. */
export const enum Feature {
  /** `aes_load` and `aes_encrypt` work. */
  Aes = 1,
  /** The DS3231's SQW pin is wired to `Channel.RtcSqw`. */
  RtcSqw = 2,
}

export const enum HalError {
  /** The device did not acknowledge its address or a byte. */
  Nack = -1,
  /** The bus is stuck or the transfer took too long. */
  Timeout = -2,
  /** An offset or length is outside the device. */
  Range = -3,
  /** The device reports failure: a flash write that did not verify, entropy that fails its health tests. */
  Fault = -4,
}

/** Ticks since power-on, free-running, never adjusted. Monotonic; does not wrap within the device's life. */
export declare function ticks(): u64

/**
 * The latest edge of a channel. Writes 16 bytes at `out` (8-aligned):
 * `count u32` (edges since power-on, wraps) | `late u32` (1: the edge was taken late, its time is an upper bound) | `ticks u64` of the edge.
 * Never tears: the three belong together.
 */
export declare function capture(channel: u32, out: usize): void

/** Level of a channel's pin now: 0 or 1. INTn is low (0) for as long as the W5500 has an unserved cause. */
export declare function pin_read(channel: u32): u32

/** Drives an output pin (`Pin`) to 0 or 1. */
export declare function pin_write(pin: u32, level: u32): void

/** Sets the receiver UART's rate in baud, 8N1. */
export declare function uart_configure(baud: u32): void

/** Moves up to `capacity` received bytes to `out`; returns how many. Never waits. */
export declare function uart_read(out: usize, capacity: u32): u32

/** Queues up to `length` bytes for sending; returns how many were taken (0 when the queue is full). Never waits. */
export declare function uart_write(data: usize, length: u32): u32

/**
 * One I2C transaction with a 7-bit address: writes `writeLength` bytes, then, if `readLength` is not 0, a repeated start
 * and reads `readLength`. Returns 0, `HalError.Nack` or `HalError.Timeout`. At 400 kHz a byte takes 22.5 us.
 */
export declare function i2c_transfer(address: u32, write: usize, writeLength: u32, read: usize, readLength: u32): i32

/**
 * One SPI transaction under one chip select: sends the low `headerLength` bytes of `header`, most significant first, then
 * sends `length` bytes from `data`.
 */
export declare function spi_write(header: u32, headerLength: u32, data: usize, length: u32): void

/** As `spi_write`, but receives `length` bytes into `data` after the header. */
export declare function spi_read(header: u32, headerLength: u32, data: usize, length: u32): void

/** Size in bytes of the flash area that the firmware may write; a multiple of the 4096-byte sector. */
export declare function flash_size(): u32

/**
 * Reads `length` bytes at `offset` of the firmware's flash area, or behind it, from `flash_size()` on, of the trust anchors
 * that a tool has put there. 0 or `HalError.Range`.
 */
export declare function flash_read(offset: u32, out: usize, length: u32): i32

/**
 * Programs `length` bytes at `offset`: NOR semantics, bits go from 1 to 0 only. May be torn by a power cut at any byte.
 * 0, `HalError.Range` or `HalError.Fault`.
 */
export declare function flash_write(offset: u32, data: usize, length: u32): i32

/** Erases the 4096-byte sector that begins at `offset` to 0xFF. May take 400 ms on a real chip. */
export declare function flash_erase(offset: u32): i32

/** Fills `out` with `length` bytes of full entropy from the hardware source. 0 or `HalError.Fault`. */
export declare function entropy(out: usize, length: u32): i32

/** Loads a 16- or 32-byte AES key (4-aligned) into the accelerator. 0 when done, `HalError.Fault` when the board has none. */
export declare function aes_load(key: usize, length: u32): i32

/** Encrypts one 16-byte block with the loaded key. `input` and `output`, both 4-aligned, may be the same. */
export declare function aes_encrypt(input: usize, output: usize): void

/** Moves up to `capacity` bytes typed at the console to `out`; returns how many. */
export declare function console_read(out: usize, capacity: u32): u32

/** Prints up to `length` bytes; returns how many were taken. Never waits: bytes that nobody reads are dropped. */
export declare function console_write(data: usize, length: u32): u32

/**
 * The board's own settings, written at `out` (at most `capacity` bytes); returns the length, at least 64:
 * `mac(6) | ntp port u16 | ke port u16 | address(4) | mask(4) | gateway(4) | layout u8 = 1 | 0 u8 | names length u16 |
 * options length u16 | calibration: 9 times i32 | names | options`.
 * Integers are little-endian. Names are ASCII, separated by NUL, the first is the device's own; at most 228 bytes. Options
 * are ASCII lines `key=value`, separated by NUL; at most 1024 bytes (docs/operating.md lists them).
 * Calibration, constants of this board in picoseconds (positive: later):
 *    0 pulse delay     mean from the pulse's edge to the tick that `capture` gives it
 *    4 pulse residual  what may remain of it, as a standard deviation over boards
 *    8 arrival delay   mean from INTn's edge to the tick that `capture` gives it
 *   12 frame to INTn   from a request's last bit on the wire to INTn's edge
 *   16 send to frame   from the end of the SPI frame that gives SEND to the reply's first bit on the wire
 *   20 plain reply     start value: from T3's reading to the end of that SPI frame, plain NTP
 *   24 sealed reply    start value: the same with NTS
 *   28 wire residual   what may remain of an arrival or a departure, as a standard deviation over boards
 *   32 end to INTn     from a reply's last bit on the wire to INTn's edge for SENDOK
 */
export declare function board_config(out: usize, capacity: u32): u32

/** `Feature` bits of this board. */
export declare function features(): u32

/** Feeds the watchdog. Once a second is enough; without it the machine restarts after about 10 s. */
export declare function watchdog(): void

/** Restarts the machine. `reason` is kept across the restart for the crash record. */
export declare function reset(reason: u32): void
