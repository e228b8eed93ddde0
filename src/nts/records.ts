// NTS-KE records (RFC 8915, section 4): `critical 1 bit | type 15 bits | body length u16 | body`.

/** IANA "Network Time Security Key Establishment Record Types". */
export enum RecordType {
  EndOfMessage = 0,
  NextProtocol = 1,
  Error = 2,
  Warning = 3,
  AeadAlgorithm = 4,
  NewCookie = 5,
  NtpServer = 6,
  NtpPort = 7,
  /**
   * "Compliant AES-128-GCM-SIV Exporter Context", of chrony: both sides send it, empty, when they derive the keys of
   * AEAD 30 as RFC 8915 says; without it chrony puts AEAD 15 in the exporter's context.
   */
  CompliantExport = 1024,
}

/** Protocol ID of NTPv4 (RFC 8915, section 7.7). */
export const NTPV4 = 0

export interface KeRecord {
  critical: boolean
  type: number
  body: Uint8Array
}

const HEADER = 4

export function encodeRecord(type: number, body: Uint8Array, critical: boolean): Uint8Array {
  const record = Buffer.alloc(HEADER + body.length)
  record.writeUInt16BE((critical ? 0x8000 : 0) | type, 0)
  record.writeUInt16BE(body.length, 2)
  record.set(body, HEADER)
  return record
}

/** A body of 16-bit numbers. */
export function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const body = Buffer.alloc(2 * numbers.length)
  numbers.forEach((number, i) => {
    body.writeUInt16BE(number, 2 * i)
  })
  return body
}

/** The numbers of a body; undefined when its length is odd. */
export function decodeNumbers(body: Uint8Array): number[] | undefined {
  if (body.length % 2 !== 0) return undefined
  return Array.from({ length: body.length / 2 }, (_, i) => body[2 * i]! * 256 + body[2 * i + 1]!)
}

/** The records up to and with End of Message; undefined while that has not come. */
export function decodeMessage(data: Uint8Array): KeRecord[] | undefined {
  const view = Buffer.from(data.buffer, data.byteOffset, data.length)
  const records: KeRecord[] = []
  for (let at = 0; at + HEADER <= view.length; ) {
    const type = view.readUInt16BE(at)
    const end = at + HEADER + view.readUInt16BE(at + 2)
    if (end > view.length) return undefined
    records.push({ critical: type >= 0x8000, type: type & 0x7fff, body: data.subarray(at + HEADER, end) })
    if ((type & 0x7fff) === RecordType.EndOfMessage) return records
    at = end
  }
  return undefined
}

/** A client's request: NTPv4 with these algorithms, the preferred one first. */
export function encodeRequest(aeads: readonly number[], compliantExport: boolean): Uint8Array {
  const none = new Uint8Array(0)
  return Buffer.concat([
    encodeRecord(RecordType.NextProtocol, encodeNumbers([NTPV4]), true),
    encodeRecord(RecordType.AeadAlgorithm, encodeNumbers(aeads), true),
    ...(compliantExport ? [encodeRecord(RecordType.CompliantExport, none, false)] : []),
    encodeRecord(RecordType.EndOfMessage, none, true),
  ])
}
