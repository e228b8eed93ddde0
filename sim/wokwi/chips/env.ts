// Wokwi's Chips API as a chip's module imports it (module "env"): the functions that the three chips use.
// https://docs.wokwi.com/chips-api/getting-started
//
// Addresses are in the module's memory. Names are NUL-terminated UTF-8. Callbacks are indexes of the module's function table.
// Nanoseconds are simulated time. What is called ...Init may be called within chipInit only.

export declare function pinInit(name: usize, mode: i32): i32
export declare function pinRead(pin: i32): i32
export declare function pinWrite(pin: i32, value: i32): void
/** `config`: user_data, edge, pin_change(user_data, pin, value). */
export declare function pinWatch(pin: i32, config: usize): i32

/** A number that the diagram's attributes and the chip's controls set. */
export declare function attrInit(name: usize, value: u32): i32
export declare function attrRead(attribute: i32): u32

/** `config`: user_data, address, scl, sda, connect(user, address, read), read(user), write(user, byte), disconnect(user). */
export declare function i2cInit(config: usize): i32

/** `config`: user_data, rx, tx, baud, rx_data(user, byte), write_done(user). */
export declare function uartInit(config: usize): i32
/** False while bytes of an earlier call are on their way. */
export declare function uartWrite(device: i32, buffer: usize, count: i32): i32

/** `config`: user_data, sck, mosi, miso, mode, done(user, buffer, count). */
export declare function spiInit(config: usize): i32
/** Sends the buffer's bytes and puts the received ones in their place; `done` when all have gone, or after spiStop. */
export declare function spiStart(device: i32, buffer: usize, count: i32): void
export declare function spiStop(device: i32): void

/** `config`: user_data, callback(user). */
export declare function timerInit(config: usize): i32
export declare function timerStartNanos(timer: i32, nanos: f64, repeat: i32): void
export declare function timerStop(timer: i32): void
export declare function getSimNanos(): f64

/** A line on the chips' console. */
export declare function debugPrint(text: usize): void
