import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

const GUARD = 64
const DAY = 86_400
const YEAR = 365 * DAY
/** 2026-03-01T12:00:00Z */
const NOW = 1_772_366_400
const NAMES = 'localhost\0noonmark.local'
const LOOPBACK = 0x7f000001

/** `IdentityStatus` and `IdentityOutcome` of firmware/tls/identity.ts. */
const Status = { Ok: 0, NoNames: 1, TooManyNames: 2, BadTime: 3, NoEntropy: 4 }
const Outcome = { Working: 0, Kept: 1, Renewed: 2, Reissued: 3, Created: 4, Failed: 5 }

interface Made {
  outcome: number
  steps: number
  blob: Uint8Array
  authority: X509Certificate
  server: X509Certificate
  serverKey: Uint8Array
  keyId: string
}

let entry: Entry
let call: Entry['exports']
let folder: string

beforeAll(async () => {
  entry = await loadEntry(new URL('./identity.entry.ts', import.meta.url))
  call = entry.exports
  folder = mkdtempSync(join(tmpdir(), 'noonmark-identity-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function seed(text: string): void {
  entry.write(call['names'](), createHash('sha512').update(text).digest())
  call['seed'](64)
}

function start(now: number, names: string, ip4: number, existing?: Uint8Array): number {
  const list = Buffer.from(names)
  entry.write(call['names'](), list)
  entry.write(call['existing']() - GUARD, new Uint8Array(GUARD + call['blobSize']() + GUARD).fill(0xa5))
  if (existing) entry.write(call['existing'](), existing)
  entry.write(call['state']() - GUARD, new Uint8Array(GUARD + call['stateSize']() + GUARD).fill(0xa5))
  return call['start'](list.length, ip4, BigInt(now), existing?.length ?? 0)
}

/** Runs the machine to its end and takes the identity out, after checking that nothing around the state was written. */
function make(now = NOW, names = NAMES, ip4 = LOOPBACK, existing?: Uint8Array): Made {
  expect(start(now, names, ip4, existing)).toBe(Status.Ok)
  let steps = 1
  while (!call['step']()) {
    steps++
    expect(steps).toBeLessThan(100_000)
  }
  expect(hex(entry.read(call['state']() - GUARD, GUARD))).toBe('a5'.repeat(GUARD))
  expect(hex(entry.read(call['state']() + call['stateSize'](), GUARD))).toBe('a5'.repeat(GUARD))
  const blob: number = call['blob']()
  return {
    outcome: call['outcome'](),
    steps,
    blob: entry.read(blob, call['blobLength'](blob)),
    authority: new X509Certificate(
      entry.read(call['authorityCertificate'](blob), call['authorityCertificateLength'](blob)),
    ),
    server: new X509Certificate(entry.read(call['serverCertificate'](blob), call['serverCertificateLength'](blob))),
    serverKey: entry.read(call['serverKey'](blob), 32),
    keyId: hex(entry.read(call['authorityKeyId'](blob), 20)),
  }
}

/** The machine's verdict on an existing blob, without waiting for what it makes. */
function verdict(now: number, existing: Uint8Array, names = NAMES, ip4 = LOOPBACK): number {
  expect(start(now, names, ip4, existing)).toBe(Status.Ok)
  for (let i = 0; i < 100 && call['outcome']() === Outcome.Working; i++) call['step']()
  return call['outcome']()
}

function unix(date: string): number {
  return Date.parse(date) / 1000
}

function hasTool(name: string): boolean {
  return spawnSync(name, ['--version']).error === undefined || spawnSync(name, ['version']).error === undefined
}

function save(made: Made): { authority: string; server: string } {
  const files = { authority: join(folder, 'authority.pem'), server: join(folder, 'server.pem') }
  writeFileSync(files.authority, made.authority.toString())
  writeFileSync(files.server, made.server.toString())
  return files
}

/** Walks definite-length DER and fails at any length that is not in its shortest form. */
function walk(der: Uint8Array): void {
  for (let at = 0; at < der.length; ) {
    const tag = der[at]!
    expect(tag & 0x1f).not.toBe(0x1f)
    let length = der[at + 1]!
    let header = 2
    if (length >= 0x80) {
      const count = length & 0x7f
      expect(count).toBeGreaterThan(0)
      header += count
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + der[at + 2 + i]!
      expect(length).toBeGreaterThanOrEqual(count === 1 ? 0x80 : 256 ** (count - 1))
    }
    expect(at + header + length).toBeLessThanOrEqual(der.length)
    if (tag & 0x20) walk(der.subarray(at + header, at + header + length))
    at += header + length
  }
}

it('refuses_to_make_keys_before_the_random_generator_is_seeded', () => {
  expect(start(NOW, NAMES, LOOPBACK)).toBe(Status.NoEntropy)
  expect(call['step']()).toBe(1)
  expect(call['outcome']()).toBe(Outcome.Failed)
  seed('identity')
})

describe('a_first_boot', () => {
  let made: Made

  beforeAll(() => {
    seed('first boot')
    made = make()
  })

  it('makes_an_authority_and_a_server_certificate_within_3000_bytes', () => {
    expect(made.outcome).toBe(Outcome.Created)
    expect(made.blob.length).toBeLessThanOrEqual(call['blobSize']())
    expect(call['blobSize']()).toBeLessThanOrEqual(3000)
  })

  it('is_read_and_verified_by_node', () => {
    const { authority, server } = made
    expect(authority.ca).toBe(true)
    expect(server.ca).toBe(false)
    expect(authority.verify(authority.publicKey)).toBe(true)
    expect(server.verify(authority.publicKey)).toBe(true)
    expect(server.verify(server.publicKey)).toBe(false)
    expect(server.checkIssued(authority)).toBe(true)
    expect(authority.checkIssued(authority)).toBe(true)
  })

  it('answers_for_its_names_and_its_address_and_no_others', () => {
    const { server } = made
    expect(server.subjectAltName).toBe('DNS:localhost, DNS:noonmark.local, IP Address:127.0.0.1')
    expect(server.checkHost('localhost')).toBe('localhost')
    expect(server.checkHost('NOONMARK.local')).toBe('noonmark.local')
    expect(server.checkHost('noonmark.example')).toBeUndefined()
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(server.checkIP('127.0.0.2')).toBeUndefined()
  })

  it('names_the_authority_by_its_key_identifier', () => {
    expect(made.authority.subject).toBe(`CN=Noonmark CA ${made.keyId.slice(0, 6)}`)
    expect(made.authority.issuer).toBe(made.authority.subject)
    expect(made.server.issuer).toBe(made.authority.subject)
    expect(made.server.subject).toBe('CN=localhost')
  })

  it('identifies_keys_by_the_leftmost_160_bits_of_SHA_256_over_the_point', () => {
    const point = made.authority.publicKey.export({ type: 'spki', format: 'der' }).subarray(-65)
    expect(made.keyId).toBe(createHash('sha256').update(point).digest('hex').slice(0, 40))
  })

  it('keeps_the_private_key_that_belongs_to_the_certificate', () => {
    const { x, y } = made.server.publicKey.export({ format: 'jwk' })
    const d = Buffer.from(made.serverKey).toString('base64url')
    const key = createPrivateKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', d, x: x!, y: y! } })
    expect(made.server.checkPrivateKey(key)).toBe(true)
    const fromPrivate = createPublicKey(key).export({ type: 'spki', format: 'der' })
    expect(fromPrivate.equals(made.server.publicKey.export({ type: 'spki', format: 'der' }))).toBe(true)
  })

  it('begins_one_day_ago_and_lasts_one_year_or_thirty', () => {
    expect(unix(made.server.validFrom)).toBe(NOW - DAY)
    expect(unix(made.server.validTo)).toBe(NOW - DAY + YEAR - 1)
    expect(unix(made.authority.validFrom)).toBe(NOW - DAY)
    expect(unix(made.authority.validTo)).toBe(NOW - DAY + 10_957 * DAY - 1)
  })

  it('has_positive_random_serial_numbers_of_128_bits', () => {
    expect(made.server.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/)
    expect(made.authority.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/)
    expect(made.server.serialNumber).not.toBe(made.authority.serialNumber)
  })

  it('is_strict_DER', () => {
    walk(made.authority.raw)
    walk(made.server.raw)
  })

  it.skipIf(!hasTool('openssl'))('is_verified_by_OpenSSL_in_strict_mode_by_name_and_by_address', () => {
    const { authority, server } = save(made)
    const verify = (...more: string[]): string =>
      spawnSync(
        'openssl',
        ['verify', '-x509_strict', '-purpose', 'sslserver', '-attime', `${NOW}`, '-CAfile', authority, ...more, server],
        { encoding: 'utf8' },
      ).stdout.trim()
    expect(verify()).toBe(`${server}: OK`)
    expect(verify('-verify_hostname', 'noonmark.local')).toBe(`${server}: OK`)
    expect(verify('-verify_ip', '127.0.0.1')).toBe(`${server}: OK`)
    expect(verify('-verify_hostname', 'noonmark.example')).not.toContain('OK')
    expect(verify('-verify_ip', '10.0.0.1')).not.toContain('OK')
  })

  it.skipIf(!hasTool('openssl'))('has_the_profile_of_RFC_5280_in_OpenSSLs_words', () => {
    const files = save(made)
    const text = (file: string): string =>
      execFileSync('openssl', ['x509', '-in', file, '-noout', '-text'], { encoding: 'utf8' })
    const extensions = (file: string): string[] => {
      const all = text(file)
      return all
        .slice(all.indexOf('X509v3 extensions'), all.lastIndexOf('Signature Algorithm'))
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '')
        .slice(1)
    }
    const identifier = expect.stringMatching(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/)
    const issuer = made.keyId.toUpperCase().match(/../g)!.join(':')
    expect(extensions(files.authority)).toEqual([
      'X509v3 Basic Constraints: critical',
      'CA:TRUE, pathlen:0',
      'X509v3 Key Usage: critical',
      'Certificate Sign, CRL Sign',
      'X509v3 Subject Key Identifier:',
      issuer,
    ])
    expect(extensions(files.server)).toEqual([
      'X509v3 Key Usage: critical',
      'Digital Signature',
      'X509v3 Extended Key Usage:',
      'TLS Web Server Authentication',
      'X509v3 Subject Alternative Name:',
      'DNS:localhost, DNS:noonmark.local, IP Address:127.0.0.1',
      'X509v3 Authority Key Identifier:',
      issuer,
      'X509v3 Subject Key Identifier:',
      identifier,
    ])
    expect(text(files.server)).toContain('Version: 3 (0x2)')
    expect(text(files.server)).toContain('Signature Algorithm: ecdsa-with-SHA256')
    expect(text(files.server)).toContain('ASN1 OID: prime256v1')
  })

  it.skipIf(!hasTool('certtool'))('is_verified_by_GnuTLS', () => {
    const { authority, server } = save(make(Math.floor(Date.now() / 1000)))
    const run = (...more: string[]) =>
      spawnSync('certtool', ['--verify', '--load-ca-certificate', authority, '--infile', server, ...more], {
        encoding: 'utf8',
      })
    expect(run().stdout).toContain('The certificate is trusted.')
    expect(run('--verify-hostname', 'noonmark.local').stdout).toContain('The certificate is trusted.')
    expect(run('--verify-hostname', 'noonmark.example').status).not.toBe(0)
  })
})

describe('an_existing_identity', () => {
  let first: Made

  beforeAll(() => {
    seed('existing')
    first = make()
  })

  /** The moment of renewal: two thirds of the server's life. */
  const renewal = NOW - DAY + (YEAR * 2) / 3

  it('is_kept_byte_for_byte_until_two_thirds_of_its_life', () => {
    for (const now of [NOW, NOW - DAY, NOW + 100 * DAY, Math.ceil(renewal) - 1]) {
      const again = make(now, NAMES, LOOPBACK, first.blob)
      expect(again.outcome).toBe(Outcome.Kept)
      expect(hex(again.blob)).toBe(hex(first.blob))
    }
  })

  it('is_renewed_from_two_thirds_of_its_life_on_under_the_same_authority', () => {
    for (const now of [Math.ceil(renewal), NOW + 2 * YEAR]) {
      const again = make(now, NAMES, LOOPBACK, first.blob)
      expect(again.outcome).toBe(Outcome.Renewed)
      expect(again.authority.fingerprint256).toBe(first.authority.fingerprint256)
      expect(again.server.verify(first.authority.publicKey)).toBe(true)
      expect(hex(again.serverKey)).not.toBe(hex(first.serverKey))
      expect(unix(again.server.validFrom)).toBe(now - DAY)
      expect(make(now, NAMES, LOOPBACK, again.blob).outcome).toBe(Outcome.Kept)
    }
  })

  it('is_renewed_when_the_names_or_the_address_change', () => {
    const renamed = make(NOW, 'time.example.org', LOOPBACK, first.blob)
    expect(renamed.outcome).toBe(Outcome.Renewed)
    expect(renamed.server.subjectAltName).toBe('DNS:time.example.org, IP Address:127.0.0.1')
    expect(renamed.server.subject).toBe('CN=time.example.org')
    expect(renamed.authority.fingerprint256).toBe(first.authority.fingerprint256)
    expect(verdict(NOW, renamed.blob, 'time.example.org')).toBe(Outcome.Kept)
    expect(verdict(NOW, renamed.blob)).toBe(Outcome.Renewed)
    expect(verdict(NOW, first.blob, NAMES, 0x7f000002)).toBe(Outcome.Renewed)
    expect(verdict(NOW, first.blob, NAMES, 0)).toBe(Outcome.Renewed)
    expect(verdict(NOW, first.blob, `${NAMES}\0extra`)).toBe(Outcome.Renewed)
  })

  it('is_kept_when_the_names_differ_only_in_spelling', () => {
    expect(verdict(NOW, first.blob, 'LocalHost\0\0noonmark.LOCAL\0')).toBe(Outcome.Kept)
  })

  it('is_reissued_with_the_same_authority_key_when_it_was_made_in_the_future', () => {
    const future = make(NOW + 14 * YEAR)
    const again = make(NOW, NAMES, LOOPBACK, future.blob)
    expect(again.outcome).toBe(Outcome.Reissued)
    expect(again.keyId).toBe(future.keyId)
    expect(again.authority.fingerprint256).not.toBe(future.authority.fingerprint256)
    expect(again.authority.verify(future.authority.publicKey)).toBe(true)
    expect(unix(again.authority.validFrom)).toBe(NOW - DAY)
    expect(again.server.verify(again.authority.publicKey)).toBe(true)
    expect(again.server.checkIssued(future.authority)).toBe(true)
    expect(make(NOW, NAMES, LOOPBACK, again.blob).outcome).toBe(Outcome.Kept)
  })

  it('is_reissued_with_the_same_authority_key_after_twenty_years', () => {
    const again = make(NOW + 20 * 365.25 * DAY, NAMES, LOOPBACK, first.blob)
    expect(again.outcome).toBe(Outcome.Reissued)
    expect(again.server.verify(first.authority.publicKey)).toBe(true)
    expect(again.authority.subject).toBe(first.authority.subject)
  })

  it('tells_by_itself_when_it_is_due', () => {
    entry.write(call['existing'](), first.blob)
    const due = (now: number, names = NAMES, ip4 = LOOPBACK): number => {
      entry.write(call['names'](), Buffer.from(names))
      return call['needsRenewal'](call['existing'](), BigInt(now), names.length, ip4)
    }
    expect(due(NOW)).toBe(0)
    expect(due(Math.ceil(renewal) - 1)).toBe(0)
    expect(due(Math.ceil(renewal))).toBe(1)
    expect(due(NOW - DAY - 1)).toBe(1)
    expect(due(NOW, 'other')).toBe(1)
    expect(due(NOW, NAMES, 1)).toBe(1)
    expect(due(NOW, '?', 0)).toBe(-1)
    expect(call['renewalTime'](call['existing']())).toBe(BigInt(Math.floor(renewal)))
    expect(call['notAfter'](call['existing']())).toBe(BigInt(unix(first.server.validTo)))
  })

  it('is_rejected_when_any_bit_of_it_is_wrong', () => {
    for (let at = 0; at < first.blob.length; at++) {
      const damaged = first.blob.slice()
      damaged[at]! ^= 1 << (at % 8)
      expect(verdict(NOW, damaged)).toBe(Outcome.Created)
    }
  })

  it('is_rejected_when_it_is_truncated_anywhere_or_too_long', () => {
    for (let length = 1; length < first.blob.length; length++) {
      expect(verdict(NOW, first.blob.subarray(0, length))).toBe(Outcome.Created)
    }
    expect(verdict(NOW, Uint8Array.of(...first.blob, 0))).toBe(Outcome.Created)
    expect(verdict(NOW, new Uint8Array(call['blobSize']()).fill(0xff))).toBe(Outcome.Created)
  })

  it('gives_way_to_a_whole_new_one_when_it_is_damaged', () => {
    const damaged = first.blob.slice()
    damaged[700]! ^= 1
    const again = make(NOW, NAMES, LOOPBACK, damaged)
    expect(again.outcome).toBe(Outcome.Created)
    expect(again.keyId).not.toBe(first.keyId)
    expect(again.server.verify(again.authority.publicKey)).toBe(true)
  })
})

describe('dates', () => {
  beforeAll(() => seed('dates'))

  it.each([
    ['the NTP era', '2036-02-07T06:28:15Z'],
    ['a server that ends after 2049', '2049-06-01T00:00:00Z'],
    ['a server that begins in 2050', '2050-01-02T00:00:00Z'],
    ['a leap day', '2028-02-29T00:00:00Z'],
    ['a century without a leap day', '2100-03-01T00:00:00Z'],
  ])('hold_across_%s', (_what, date) => {
    const now = unix(date)
    const made = make(now)
    expect(unix(made.server.validFrom)).toBe(now - DAY)
    expect(unix(made.server.validTo)).toBe(now - DAY + YEAR - 1)
    expect(unix(made.authority.validTo)).toBe(now - DAY + 10_957 * DAY - 1)
    expect(made.server.verify(made.authority.publicKey)).toBe(true)
  })

  it('that_cannot_be_true_are_refused', () => {
    for (const now of [-1, 0, unix('2019-12-31T23:59:59Z'), unix('9980-01-01T00:00:00Z'), 2 ** 52]) {
      expect(start(now, NAMES, LOOPBACK)).toBe(Status.BadTime)
      expect(call['step']()).toBe(1)
      expect(call['outcome']()).toBe(Outcome.Failed)
    }
    expect(start(unix('2020-01-01T00:00:00Z'), NAMES, LOOPBACK)).toBe(Status.Ok)
    expect(start(unix('9969-01-01T00:00:00Z'), NAMES, LOOPBACK)).toBe(Status.Ok)
  })
})

describe('names', () => {
  beforeAll(() => seed('names'))

  it('may_be_an_address_alone', () => {
    const made = make(NOW, '', 0xc0a80117)
    expect(made.server.subjectAltName).toBe('IP Address:192.168.1.23')
    expect(made.server.subject).toBe('CN=noonmark')
    expect(made.server.checkIP('192.168.1.23')).toBe('192.168.1.23')
  })

  it('may_be_longer_than_a_commonName', () => {
    const name = `${'a'.repeat(50)}.${'b'.repeat(50)}`
    const made = make(NOW, name, 0)
    expect(made.server.subject).toBe('CN=noonmark')
    expect(made.server.checkHost(name)).toBe(name)
  })

  it('may_fill_all_the_room_there_is', () => {
    // A commonName of 64 bytes and 256 bytes of names: the longest certificate there is.
    const long = `${'x'.repeat(60)}.net`
    const label = 'y'.repeat(60)
    const names = [long, label, label, label, 'zz'].join('\0')
    const made = make(NOW, names, 0)
    expect(made.outcome).toBe(Outcome.Created)
    expect(made.server.subject).toBe(`CN=${long}`)
    expect(made.server.verify(made.authority.publicKey)).toBe(true)
    expect(verdict(NOW, made.blob, names, 0)).toBe(Outcome.Kept)
    expect(start(NOW, names, LOOPBACK)).toBe(Status.TooManyNames)
  })

  it('must_be_some_and_must_fit', () => {
    expect(start(NOW, '', 0)).toBe(Status.NoNames)
    expect(start(NOW, '-\0..', 0)).toBe(Status.NoNames)
    expect(start(NOW, Array(60).fill('abcdefgh').join('\0'), 0)).toBe(Status.TooManyNames)
  })
})

describe('secrets', () => {
  it('differ_from_device_to_device', () => {
    seed('one')
    const one = make()
    seed('other')
    const other = make()
    expect(one.keyId).not.toBe(other.keyId)
    expect(hex(one.serverKey)).not.toBe(hex(other.serverKey))
  })

  it('are_wiped_on_request', () => {
    make()
    call['wipe']()
    expect(entry.read(call['state'](), call['stateSize']()).every((byte) => byte === 0)).toBe(true)
  })

  it('leave_no_copy_beside_the_blob', () => {
    seed('copies')
    const { serverKey } = make()
    const state = Buffer.from(entry.read(call['state'](), call['stateSize']()))
    const at = state.indexOf(serverKey)
    expect(at).toBe(call['serverKey'](call['blob']()) - call['state']())
    expect(state.indexOf(serverKey, at + 1)).toBe(-1)
  })
})
