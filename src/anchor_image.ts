// The image of the trust anchors: which certificates may be among them, and the bytes that firmware/drivers/anchor_store.ts
// reads. Its header has the layout.

import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type CaCertificate, CertificateError, derValues, mayVouchForServers, readCertificate } from './certificate'

export interface Anchor {
  /** Of the certificate's subject, for people. */
  name: string
  /** '' for the anchors of the system. */
  label: string
  record: Buffer
  subjectHash: Buffer
  /** Seconds since 1970. */
  notAfter: number
}

/** The longest record that the firmware has room for, and the longest label. */
const RECORD_MAX = 1024
export const LABEL_MAX = 32
const MAGIC = 'NMA1'
const HEADER = 16
const HEAD = 64
const SUBJECT_HASH = 32
const IS_AUTHORITY = 1
const KINDS = { rsa: 1, p256: 2, p384: 3, ed25519: 4 }
const RSA_BITS_MIN = 2048
const RSA_BITS_MAX = 4096

/** The tag of a label: its CRC-32, never 0, which is the system's. */
export function labelTag(label: string): number {
  return label === '' ? 0 : crc32(label) || 1
}

/** A certificate as an anchor, or the reason why it cannot be one. `now`: seconds since 1970. */
export function makeAnchor(
  der: Buffer,
  label: string,
  now: number,
): { anchor: Anchor } | { name: string; reason: string } {
  let certificate: CaCertificate
  try {
    certificate = readCertificate(der)
  } catch (error) {
    if (!(error instanceof CertificateError || error instanceof RangeError)) throw error
    return { name: '(unreadable)', reason: `it is no certificate: ${error.message}` }
  }
  const { name, notAfter, subject } = certificate
  const reason = whyNot(certificate, label, now)
  if (reason !== undefined) return { name, reason }
  const record = anchorRecord(certificate, label)
  if (record.length > RECORD_MAX)
    return { name, reason: `its record of ${record.length} bytes is longer than ${RECORD_MAX}` }
  return { anchor: { name, label, record, notAfter, subjectHash: sha256(subject) } }
}

function whyNot(certificate: CaCertificate, label: string, now: number): string | undefined {
  const { key, authority, version, keyCertSign, constraints, unknownCritical } = certificate
  const date = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10)
  if (key.kind === 'unsupported') return 'its key is of a kind that the firmware does not know'
  if (key.kind === 'rsa' && key.bits < RSA_BITS_MIN) return `its RSA key has only ${key.bits} bits`
  if (key.kind === 'rsa' && key.bits > RSA_BITS_MAX)
    return `its RSA key has ${key.bits} bits, more than ${RSA_BITS_MAX}`
  if (certificate.notAfter < now) return `it expired on ${date(certificate.notAfter)}`
  // A server's own certificate may be named for that server; for all servers only an authority may.
  const issues = authority ?? version === 1
  if (label === '' && !issues) return 'it is not an authority'
  if (issues && keyCertSign === false) return 'its key may not sign certificates'
  if (!mayVouchForServers(certificate)) return 'it does not vouch for servers'
  if (unknownCritical.length > 0) return 'it has a critical extension that the firmware does not know'
  return constraints === undefined ? undefined : whyNotConstraints(constraints)
}

/** The firmware compares host names and addresses; an anchor with other constraints would be wider than it wants to be. */
function whyNotConstraints(constraints: Buffer): string | undefined {
  for (const list of derValues(constraints)) {
    for (const subtree of derValues(list.contents)) {
      const [base, ...more] = derValues(subtree.contents)
      const host = base?.tag === 0x82
      const address = base?.tag === 0x87 && [8, 32].includes(base.contents.length)
      if (!(host || address) || more.length > 0)
        return 'its name constraints are of a kind that the firmware does not know'
    }
  }
  return undefined
}

function anchorRecord(certificate: CaCertificate, label: string): Buffer {
  const { key, subjectKeyId, subject, version, authority, pathLength } = certificate
  if (key.kind === 'unsupported') throw new Error('no key')
  const constraints = certificate.constraints ?? Buffer.alloc(0)
  const text = Buffer.from(label)
  // An identifier that is longer than any hash would tell nothing more.
  const keyId = subjectKeyId.length <= 64 ? subjectKeyId : Buffer.alloc(0)
  const length = HEAD + keyId.length + key.octets.length + constraints.length + text.length
  const head = Buffer.alloc(HEAD)
  head.writeUInt16LE(length, 4)
  head.writeUInt8((authority ?? version === 1) ? IS_AUTHORITY : 0, 6)
  head.writeUInt8(Math.min(pathLength ?? 255, 255), 7)
  head.writeUInt32LE(labelTag(label), 8)
  head.writeUInt8(KINDS[key.kind], 12)
  head.writeUInt8(keyId.length, 13)
  head.writeUInt16LE(key.octets.length, 14)
  head.writeUInt16LE(constraints.length, 16)
  head.writeBigInt64LE(BigInt(certificate.notAfter), 24)
  sha256(subject).copy(head, SUBJECT_HASH)
  const record = Buffer.concat([head, keyId, key.octets, constraints, text])
  record.writeUInt32LE(crc32(record.subarray(4)), 0)
  return record
}

/** The image; anchors that are there twice count once. */
export function anchorImage(anchors: Anchor[]): Buffer {
  const unique = new Map(anchors.map((anchor) => [anchor.record.toString('latin1'), anchor]))
  const sorted = [...unique.values()].sort((a, b) => Buffer.compare(a.subjectHash, b.subjectHash))
  const index = Buffer.alloc(8 * sorted.length)
  const records: Buffer[] = []
  let offset = HEADER + index.length
  sorted.forEach(({ subjectHash, record }, i) => {
    index.writeUInt32LE(subjectHash.readUInt32BE(0), 8 * i)
    index.writeUInt32LE(offset, 8 * i + 4)
    const padded = Buffer.alloc((record.length + 3) & ~3)
    record.copy(padded)
    records.push(padded)
    offset += padded.length
  })
  const header = Buffer.alloc(HEADER)
  header.write(MAGIC, 'latin1')
  header.writeUInt32LE(offset, 4)
  header.writeUInt32LE(sorted.length, 8)
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12)
  return Buffer.concat([header, index, ...records])
}

/** Why the firmware could not use these bytes as an image, or not all of it; undefined when it can. */
export function anchorImageFault(image: Buffer): string | undefined {
  if (image.length < HEADER || image.toString('latin1', 0, 4) !== MAGIC) return `it does not begin with "${MAGIC}"`
  if (image.readUInt32LE(12) !== crc32(image.subarray(0, 12))) return 'its header is damaged'
  const length = image.readUInt32LE(4)
  if (image.length !== length) return `it has ${image.length} bytes, and its header says ${length}`
  const count = image.readUInt32LE(8)
  if (HEADER + 8 * count > length) return 'its header is damaged'
  let last = 0
  for (let i = 0; i < count; i++) {
    const prefix = image.readUInt32LE(HEADER + 8 * i)
    const record = recordAt(image, image.readUInt32LE(HEADER + 8 * i + 4))
    if (record === undefined || prefix < last || record.readUInt32BE(SUBJECT_HASH) !== prefix) {
      return `its anchor ${i + 1} of ${count} is damaged`
    }
    last = prefix
  }
  return undefined
}

/** The record at `offset`; undefined when its length or its check is wrong. */
function recordAt(image: Buffer, offset: number): Buffer | undefined {
  if (offset % 4 !== 0 || offset + HEAD > image.length) return undefined
  const length = image.readUInt16LE(offset + 4)
  if (length < HEAD || length > RECORD_MAX || offset + length > image.length) return undefined
  const record = image.subarray(offset, offset + length)
  return record.readUInt32LE(0) === crc32(record.subarray(4)) ? record : undefined
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
