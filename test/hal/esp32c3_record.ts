// Records everything that passes between the module and its machine in V8, for esp32c3_host.c to replay.

/** The order of `enum op` in esp32c3_host.c. */
const OPS = [
  'BOOT',
  'BOOTED',
  'POLL',
  'POLLED',
  'ticks',
  'capture',
  'pin_read',
  'pin_write',
  'uart_configure',
  'uart_read',
  'uart_write',
  'i2c_transfer',
  'spi_write',
  'spi_read',
  'flash_size',
  'flash_read',
  'flash_write',
  'flash_erase',
  'entropy',
  'aes_load',
  'aes_encrypt',
  'console_read',
  'console_write',
  'board_config',
  'features',
  'watchdog',
  'reset',
  'END',
]

type Span = [address: number, length: number]
const NONE: Span = [0, 0]

/** Where a call hands out bytes. */
const IN: Record<string, (a: number[]) => Span> = {
  uart_write: (a) => [a[0]!, a[1]!],
  i2c_transfer: (a) => [a[1]!, a[2]!],
  spi_write: (a) => [a[2]!, a[3]!],
  flash_write: (a) => [a[1]!, a[2]!],
  aes_load: (a) => [a[0]!, a[1]!],
  aes_encrypt: (a) => [a[0]!, 16],
  console_write: (a) => [a[0]!, a[1]!],
}

/** Where a call brings bytes. */
const OUT: Record<string, (a: number[], result: number) => Span> = {
  capture: (a) => [a[1]!, 16],
  uart_read: (a, n) => [a[0]!, n],
  i2c_transfer: (a) => [a[3]!, a[4]!],
  spi_read: (a) => [a[2]!, a[3]!],
  flash_read: (a) => [a[1]!, a[2]!],
  entropy: (a) => [a[0]!, a[1]!],
  aes_encrypt: (a) => [a[1]!, 16],
  console_read: (a, n) => [a[0]!, n],
  board_config: (a, n) => [a[0]!, n],
}

export function fnv(bytes: Uint8Array): number {
  let value = 2166136261
  for (const byte of bytes) value = Math.imul(value ^ byte, 16777619)
  return value >>> 0
}

export class Recording {
  polls = 0
  private readonly parts: Uint8Array[] = []
  private memory: WebAssembly.Memory | undefined
  /** The bytes that an image provides: whole words of 16 up to what the module says it uses. */
  private used = 0

  /** Runs `body` with every module instantiated meanwhile recorded. */
  during<T>(body: () => T): T {
    const Original = WebAssembly.Instance
    const recording = this
    WebAssembly.Instance = class {
      readonly exports: WebAssembly.Exports
      constructor(module: WebAssembly.Module, imports: WebAssembly.Imports) {
        const { exports } = new Original(module, { abi: recording.wrapImports(imports['abi']!) })
        this.exports = recording.wrapExports(exports)
      }
    } as unknown as typeof WebAssembly.Instance
    try {
      return body()
    } finally {
      WebAssembly.Instance = Original
    }
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.parts)
  }

  memoryHash(): string {
    return fnv(this.linear(0, this.used)).toString(16).padStart(8, '0')
  }

  private wrapImports(imports: WebAssembly.ModuleImports): WebAssembly.ModuleImports {
    const wrapped: WebAssembly.ModuleImports = {}
    for (const [name, value] of Object.entries(imports)) {
      wrapped[name] = (...args: number[]) => {
        const handed = IN[name]?.(args) ?? NONE
        const hash = fnv(this.linear(...handed))
        const result = (value as (...args: number[]) => number | bigint | undefined)(...args)
        const brought = OUT[name]?.(args, Number(result ?? 0)) ?? NONE
        this.put(name, args, handed[1], hash, brought, BigInt(result ?? 0))
        return result
      }
    }
    return wrapped
  }

  private wrapExports(exports: WebAssembly.Exports): WebAssembly.Exports {
    const { boot, poll, memory, memory_end } = exports as {
      boot: () => void
      poll: () => bigint
      memory: WebAssembly.Memory
      memory_end: () => number
    }
    this.memory = memory
    this.used = (memory_end() + 15) & ~15
    const mark = (name: string, result = 0n) => this.put(name, [], 0, 0, NONE, result)
    return {
      memory,
      boot: () => {
        mark('BOOT')
        boot()
        mark('BOOTED')
      },
      poll: () => {
        mark('POLL')
        const due = poll()
        mark('POLLED', due)
        this.polls++
        return due
      },
    }
  }

  private linear(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory!.buffer, address >>> 0, length)
  }

  private put(name: string, args: number[], inLength: number, inHash: number, out: Span, result: bigint): void {
    const head = 22 + 4 * args.length
    const record = Buffer.alloc(head + out[1])
    record.writeUInt8(OPS.indexOf(name), 0)
    record.writeUInt8(args.length, 1)
    record.writeUInt16LE(inLength, 2)
    record.writeUInt16LE(out[1], 4)
    record.writeUInt32LE(out[0] >>> 0, 6)
    record.writeBigUInt64LE(BigInt.asUintN(64, result), 10)
    record.writeUInt32LE(inHash, 18)
    args.forEach((value, i) => {
      record.writeUInt32LE(value >>> 0, 22 + 4 * i)
    })
    record.set(this.linear(out[0], out[1]), head)
    this.parts.push(record)
  }
}
