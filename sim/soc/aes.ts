// AES (TRM chapter 19) in typical mode: one block by the processor, keys of 128 and 256 bits, both directions.
//
// TRIGGER starts the block; STATE reads 0 when it is done. The TRM gives no duration: a round is taken for 1 cycle of the
// bus clock plus 4 to load and store. DMA mode is not modelled.

import { type Cipher, createCipheriv, createDecipheriv, type Decipher } from 'node:crypto'
import { type Chip, Peripheral } from './peripheral'

const KEY_0 = 0x00
const TEXT_IN_0 = 0x20
const TEXT_OUT_0 = 0x30
const MODE = 0x40
const TRIGGER = 0x48
const STATE = 0x4c
const DMA_ENABLE = 0x90
const INT_CLEAR = 0xac
const INT_ENA = 0xb0

const DECRYPT = 4
const BLOCK = 16
/** Cycles of 160 MHz for a block: two a bus cycle. */
const BLOCK_CYCLES = [2 * (10 + 4), 0, 2 * (14 + 4), 0]

export class Aes extends Peripheral {
  blocks = 0
  /** A fault: every result is wrong. */
  faulty = false
  private readyAt = 0
  private key = ''
  private cipher: Cipher | Decipher | undefined

  constructor(chip: Chip) {
    super(chip, 'AES', [[KEY_0, MODE], TRIGGER, STATE, DMA_ENABLE, [INT_CLEAR, INT_ENA]])
  }

  override read(offset: number): number {
    if (offset === STATE) return this.chip.now() < this.readyAt ? 1 : 0
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    super.write(offset, value)
    if (offset === TRIGGER && value & 1) this.transform()
    else if (offset === DMA_ENABLE && value & 1) this.chip.complain('AES: DMA is not modelled')
  }

  private transform(): void {
    const mode = this.field(MODE, 2, 0)
    if (mode & 1) {
      this.chip.complain(`AES: mode ${mode} does not exist`)
      return
    }
    const input = Buffer.from(this.words.buffer, this.words.byteOffset + TEXT_IN_0, BLOCK)
    const output = new Uint8Array(this.words.buffer, this.words.byteOffset + TEXT_OUT_0, BLOCK)
    output.set(this.cipherFor(mode).update(input))
    if (this.faulty) output[0]! ^= 1
    this.readyAt = this.chip.now() + BLOCK_CYCLES[mode & 3]!
    this.blocks++
  }

  /** Node's cipher for the key that is loaded: ECB, so blocks do not depend on each other. */
  private cipherFor(mode: number): Cipher | Decipher {
    const length = (mode & 2) === 0 ? 16 : 32
    const key = Buffer.from(this.words.buffer, this.words.byteOffset + KEY_0, length)
    const name = `${mode} ${key.toString('latin1')}`
    if (this.cipher !== undefined && this.key === name) return this.cipher
    const make = (mode & DECRYPT) === 0 ? createCipheriv : createDecipheriv
    this.key = name
    this.cipher = make(length === 16 ? 'aes-128-ecb' : 'aes-256-ecb', Buffer.from(key), null).setAutoPadding(false)
    return this.cipher
  }
}
