// As much of a CA certificate as an anchor needs (RFC 5280): read from DER, strictly enough to throw on anything odd.
// Used on the host only, for certificates that an administrator chose; the firmware has a reader of its own.

export interface Value {
  tag: number
  /** Head and contents. */
  whole: Buffer
  contents: Buffer
}

export interface CaCertificate {
  version: number
  /** DER of the names. */
  subject: Buffer
  issuer: Buffer
  /** For people. */
  name: string
  /** Seconds since 1970. */
  notBefore: number
  notAfter: number
  key: { kind: 'rsa' | 'p256' | 'p384' | 'ed25519'; octets: Buffer; bits: number } | { kind: 'unsupported' }
  /** basicConstraints. */
  authority: boolean | undefined
  pathLength: number | undefined
  keyCertSign: boolean | undefined
  /** Object identifiers, hexadecimal; undefined without the extension. */
  purposes: string[] | undefined
  subjectKeyId: Buffer
  /** Contents of NameConstraints. */
  constraints: Buffer | undefined
  /** Critical extensions that this reader does not know, hexadecimal. */
  unknownCritical: string[]
}

export class CertificateError extends Error {}

const SEQUENCE = 0x30
const SERVER_AUTH = '2b06010505070301'
const EKU_ANY = '551d2500'

/** The values that lie one after the other in `bytes`. */
export function derValues(bytes: Buffer): Value[] {
  const values: Value[] = []
  let at = 0
  while (at < bytes.length) {
    const head = bytes.subarray(at, at + 6)
    let length = head[1] ?? 0
    let size = 2
    if (length >= 0x80) {
      const more = length - 0x80
      if (more === 0 || more > 3) throw new CertificateError('a length is not DER')
      length = head.readUIntBE(2, more)
      size += more
    }
    if (head.length < size || at + size + length > bytes.length) throw new CertificateError('a value is cut off')
    const whole = bytes.subarray(at, at + size + length)
    values.push({ tag: head[0] ?? 0, whole, contents: whole.subarray(size) })
    at += whole.length
  }
  return values
}

function sequence(bytes: Buffer): Value[] {
  const [outer, ...rest] = derValues(bytes)
  if (outer?.tag !== SEQUENCE || rest.length > 0) throw new CertificateError('a SEQUENCE is missing')
  return derValues(outer.contents)
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new CertificateError(`${what} is missing`)
  return value
}

/** The certificates of a PEM file, as DER. */
export function pemCertificates(text: string): Buffer[] {
  const blocks = text.matchAll(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([\s\S]*?)-----END/g)
  return [...blocks].map(([, body = '']) => Buffer.from(body.replace(/\s+/g, ''), 'base64'))
}

export function readCertificate(der: Buffer): CaCertificate {
  const tbs = present(sequence(der)[0], 'the signed part')
  const fields = derValues(tbs.contents)
  const version =
    fields[0]?.tag === 0xa0 ? (derValues(present(fields.shift(), 'version').contents)[0]?.contents[0] ?? 0) : 0
  const [, , issuer, validity, subject, keyInfo, ...rest] = fields
  const [notBefore, notAfter] = derValues(present(validity, 'validity').contents).map(time)
  const certificate: CaCertificate = {
    version: version + 1,
    subject: present(subject, 'the subject').whole,
    issuer: present(issuer, 'the issuer').whole,
    name: commonName(present(subject, 'the subject').contents),
    notBefore: present(notBefore, 'notBefore'),
    notAfter: present(notAfter, 'notAfter'),
    key: publicKey(present(keyInfo, 'the key').contents),
    authority: undefined,
    pathLength: undefined,
    keyCertSign: undefined,
    purposes: undefined,
    subjectKeyId: Buffer.alloc(0),
    constraints: undefined,
    unknownCritical: [],
  }
  const extensions = rest.find(({ tag }) => tag === 0xa3)
  if (extensions) for (const each of sequence(extensions.contents)) takeExtension(certificate, each)
  return certificate
}

function time({ tag, contents }: Value): number {
  const text = contents.toString('latin1')
  const [, short = '', rest = ''] = /^(\d{2}|\d{4})(\d{10})Z$/.exec(text) ?? []
  if (short.length !== (tag === 0x17 ? 2 : 4)) throw new CertificateError(`${text} is no time`)
  const year = tag === 0x17 ? (Number(short) < 50 ? 2000 : 1900) + Number(short) : Number(short)
  const [month = 1, day = 1, hour = 0, minute = 0, second = 0] = (rest.match(/\d\d/g) ?? []).map(Number)
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000
}

/** The commonName, or else the last part of the name that is text. */
function commonName(name: Buffer): string {
  let found = '(no name)'
  for (const set of derValues(name)) {
    for (const attribute of derValues(set.contents)) {
      const [type, value] = derValues(attribute.contents)
      if (type === undefined || value === undefined) continue
      const text = value.contents.toString(value.tag === 0x0c ? 'utf8' : 'latin1')
      if (type.contents.toString('hex') === '550403') return text
      found = text
    }
  }
  return found
}

function publicKey(contents: Buffer): CaCertificate['key'] {
  const [algorithm, bits] = derValues(contents)
  const [type, parameters] = derValues(present(algorithm, 'the algorithm').contents)
  const octets = present(bits, 'the key').contents.subarray(1)
  const identifier = `${type?.contents.toString('hex')} ${parameters?.whole.toString('hex') ?? ''}`
  switch (identifier) {
    case '2a864886f70d010101 0500':
      return { kind: 'rsa', octets, bits: modulusBits(octets) }
    case '2a8648ce3d0201 06082a8648ce3d030107':
      return octets.length === 65 ? { kind: 'p256', octets, bits: 256 } : { kind: 'unsupported' }
    case '2a8648ce3d0201 06052b81040022':
      return octets.length === 97 ? { kind: 'p384', octets, bits: 384 } : { kind: 'unsupported' }
    case '2b6570 ':
      return octets.length === 32 ? { kind: 'ed25519', octets, bits: 256 } : { kind: 'unsupported' }
    default:
      return { kind: 'unsupported' }
  }
}

function modulusBits(key: Buffer): number {
  const modulus = present(sequence(key)[0], 'the modulus').contents.toString('hex')
  return BigInt(`0x${modulus}`).toString(2).length
}

function takeExtension(certificate: CaCertificate, extension: Value): void {
  const [type, ...rest] = derValues(extension.contents)
  const critical = rest[0]?.tag === 1 && rest.shift()?.contents[0] === 0xff
  const id = present(type, 'an identifier').contents.toString('hex')
  const value = present(rest[0], 'a value').contents
  switch (id) {
    case '551d13': {
      const [first, ...more] = sequence(value)
      certificate.authority = first?.tag === 1 && first.contents[0] === 0xff
      const length = first?.tag === 2 ? first : more[0]
      if (length) certificate.pathLength = Number(BigInt(`0x${length.contents.toString('hex')}`))
      break
    }
    case '551d0f':
      certificate.keyCertSign = ((derValues(value)[0]?.contents[1] ?? 0) & 0x04) !== 0
      break
    case '551d25':
      certificate.purposes = sequence(value).map(({ contents }) => contents.toString('hex'))
      break
    case '551d0e':
      certificate.subjectKeyId = present(derValues(value)[0], 'the key identifier').contents
      break
    case '551d1e':
      certificate.constraints = derValues(value)[0]?.contents
      break
    // Alternative names, policies, key identifiers: nothing that an anchor is asked for.
    case '551d11':
    case '551d20':
    case '551d23':
      break
    default:
      if (critical) certificate.unknownCritical.push(id)
  }
}

/** True when the purposes, if any are told, leave room for servers. */
export function mayVouchForServers({ purposes }: CaCertificate): boolean {
  return purposes === undefined || purposes.includes(SERVER_AUTH) || purposes.includes(EKU_ANY)
}
