// What the core asks of the host: the accesses that no mapped memory answers.

/** Reads 1, 2 or 4 bytes of a device. */
export declare function mmio_read(address: u32, size: u32): u32

/** Writes 1, 2 or 4 bytes of a device. */
export declare function mmio_write(address: u32, value: u32, size: u32): void

/** Reads a CSR that belongs to the host: the ESP32-C3's dedicated GPIO, 0x803 to 0x805. */
export declare function csr_read(csr: u32): u32

export declare function csr_write(csr: u32, value: u32): void

/** Called before the instruction at a hooked program counter; nonzero stops the run there. */
export declare function hook(pc: u32): u32

/** Called after a store to a watched place. */
export declare function watched(address: u32, size: u32): void
