// The judge of certificate chains (firmware/tls/x509.ts) for tests, with a flash that holds the anchors of the test.

import { type Anchor, anchorImage, labelTag, makeAnchor } from '../../src/anchor_image'
import { type Entry, type Flavour, loadEntry } from '../support/firmware'

export const VERDICTS = [
  'Valid',
  'Undecidable',
  'NotYetValid',
  'Expired',
  'WrongName',
  'WrongUsage',
  'NotAuthority',
  'UnknownAnchor',
  'BadSignature',
  'PathTooLong',
  'NameNotPermitted',
  'WeakKey',
  'WeakSignature',
  'UnsupportedAlgorithm',
  'UnknownCritical',
  'DuplicateExtension',
  'Malformed',
  'NotVersion3',
  'TooLarge',
  'TooMuchWork',
  'PinMismatch',
  'AlgorithmMismatch',
  'NoCertificate',
  'AnchorsUnreadable',
] as const
export type Verdict = (typeof VERDICTS)[number]

export interface Question {
  /** DER, the leaf first. */
  chain: Uint8Array[]
  name?: string
  /** Seconds since 1970: one, or the interval. */
  at?: number | [number, number]
  /** The label of a `ca`. */
  label?: string
  pin?: Uint8Array
}

/** Size of the virtual board's log, behind which the anchors lie. */
export const LOG_SIZE = 65536

export const NOW = 1_800_000_000

/** CertificateEntry after CertificateEntry (RFC 8446, section 4.4.2). */
export function certificateList(chain: Uint8Array[]): Uint8Array {
  return Buffer.concat(
    chain.map((der) => Buffer.concat([Buffer.of(der.length >> 16, der.length >> 8, der.length), der, Buffer.of(0, 0)])),
  )
}

/** What is behind the log: reads outside of it fail, as on a board. */
export class AnchorFlash {
  bytes: Uint8Array = new Uint8Array(0)
  reads = 0
  longestRead = 0

  imports(memory: () => WebAssembly.Memory): WebAssembly.Imports {
    return {
      abi: {
        flash_size: () => LOG_SIZE,
        flash_read: (offset: number, out: number, length: number) => {
          const at = (offset >>> 0) - LOG_SIZE
          this.reads++
          this.longestRead = Math.max(this.longestRead, length)
          if (at < 0 || at + length > this.bytes.length) return -3
          new Uint8Array(memory().buffer).set(this.bytes.subarray(at, at + length), out)
          return 0
        },
        flash_write: () => -4,
        flash_erase: () => -4,
      },
    }
  }
}

export class Judge {
  steps = 0
  /** What lies around the list: no verdict may depend on it. */
  filler = 0

  constructor(
    readonly entry: Entry,
    readonly flash: AnchorFlash,
  ) {}

  /** Trusts these certificates: each for all servers, or as `label` for those that name it. */
  trust(...anchors: { der: Uint8Array; label?: string }[]): void {
    this.flash.bytes = anchorImage(anchors.map(({ der, label }) => anchor(der, label)))
  }

  judge({ chain, name = 'time.example.com', at = NOW, label = '', pin }: Question): Verdict {
    return this.judgeList(certificateList(chain), name, at, label, pin)
  }

  judgeList(
    list: Uint8Array,
    name = 'time.example.com',
    at: number | [number, number] = NOW,
    label = '',
    pin?: Uint8Array,
  ): Verdict {
    const { exports } = this.entry
    const [earliest, latest] = typeof at === 'number' ? [at, at] : at
    const offset = 1 + (list.length % 4)
    const around = new Uint8Array(16_384).fill(this.filler)
    around.set(list, offset)
    this.entry.write(exports['list'](), around)
    this.entry.write(exports['name'](), Buffer.from(name, 'latin1'))
    if (pin) this.entry.write(exports['pin'](), pin)
    exports['setTime'](BigInt(earliest), BigInt(latest))
    exports['begin'](list.length, name.length, labelTag(label), pin ? 1 : 0, offset)
    this.steps = 0
    while (exports['step']() === 0) {
      this.steps++
      if (this.steps > 200_000) throw new Error('no verdict')
    }
    const verdict = VERDICTS[exports['verdict']()]
    if (verdict === undefined) throw new Error('an unknown verdict')
    return verdict
  }

  leafKey(): Uint8Array {
    const { exports } = this.entry
    return this.entry.read(exports['leafKey'](), exports['leafKeyLength']())
  }
}

export function anchor(der: Uint8Array, label = ''): Anchor {
  const made = makeAnchor(Buffer.from(der), label, 0)
  if (!('anchor' in made)) throw new Error(`no anchor: ${made.name}: ${made.reason}`)
  return made.anchor
}

export async function loadJudge(flavour: Flavour = 'checked'): Promise<Judge> {
  const flash = new AnchorFlash()
  let entry: Entry | undefined
  entry = await loadEntry(
    new URL('./x509.entry.ts', import.meta.url),
    flavour,
    flash.imports(() => (entry as Entry).memory),
  )
  return new Judge(entry, flash)
}
