// The verdicts on certificate chains, each exact. Chains are made by the `openssl` command; what it will not make is made by
// spoiling the DER of one of its certificates.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pemCertificates } from '../../src/certificate'
import { CertificateTree, child, encodeDer, spoil } from './der_tree'
import { certificateList, type Judge, loadJudge, NOW, type Question, VERDICTS, type Verdict } from './x509_judge'
import { AKI, CA, type Made, OPENSSL, SERVER, serverFor, Workshop } from './x509_openssl'

const DAY = 86_400
const NAME = 'time.example.com'

let judge: Judge
let shop: Workshop
let root: Made
let authority: Made
let server: Made

beforeAll(async () => {
  judge = await loadJudge()
  if (OPENSSL === undefined) return
  shop = new Workshop(NOW)
  root = shop.make('Root', { key: 'p256:root' })
  authority = shop.make('Authority', { key: 'p256:authority', issuer: root, extensions: [...CA, AKI] })
  server = shop.make('Server', { key: 'p256:server', issuer: authority })
})
afterAll(() => shop?.dispose())

function ask(chain: (Made | Buffer)[], question: Omit<Question, 'chain'> = {}, anchors: Made[] = [root]): Verdict {
  judge.trust(...anchors)
  return judge.judge({ chain: chain.map((each) => (Buffer.isBuffer(each) ? each : each.der)), ...question })
}

function leaf(extensions: string[], issuer = root): Made {
  return shop.make('Leaf', { issuer, extensions: [...extensions, AKI] })
}

function subordinate(extensions: string[], issuer = root, key = 'p256:authority'): Made {
  return shop.make('Subordinate', { key, issuer, extensions: [...extensions, AKI] })
}

function spkiPin(der: Buffer): Buffer {
  return createHash('sha256')
    .update(encodeDer(new CertificateTree(der).field(6)))
    .digest()
}

describe.skipIf(OPENSSL === undefined)('a path', () => {
  it('is valid from leaf over an intermediate to a root', () => {
    expect(ask([server, authority])).toBe('Valid')
    expect(judge.entry.exports['leafKeyKind']()).toBe(2)
    const key = new CertificateTree(server.der).field(6)
    expect(Buffer.from(judge.leafKey())).toEqual(child(key, 1).contents?.subarray(1))
  })

  it('is valid with the root sent as well, in any order, and with certificates of no use', () => {
    const stranger = shop.make('Stranger', { key: 'p256:stranger' })
    for (const chain of [
      [server, authority, root],
      [server, root, authority],
      [server, stranger, authority],
      [server, root, stranger, authority, authority],
    ]) {
      expect(ask(chain)).toBe('Valid')
    }
  })

  it('is valid from the leaf alone when its issuer is the anchor', () => {
    expect(ask([server], {}, [authority])).toBe('Valid')
    expect(ask([server, authority], {}, [authority])).toBe('Valid')
  })

  it('finds the other way when a cross-signed authority has two', () => {
    const old = shop.make('Old Root', { key: 'p256:old' })
    const crossed = shop.make('Crossed', { subject: '/CN=Root', key: 'p256:root', issuer: old, extensions: CA })
    expect(ask([server, authority, crossed], {}, [old])).toBe('Valid')
    expect(ask([server, authority, crossed], {}, [root])).toBe('Valid')
    expect(ask([server, authority, crossed], {}, [old, root])).toBe('Valid')
    // One of the ways has expired.
    const expired = { subject: '/CN=Root', key: 'p256:root', issuer: old, extensions: CA, notAfter: NOW - DAY }
    const late = shop.make('Late', expired)
    expect(ask([server, authority, late], {}, [old])).toBe('Expired')
    expect(ask([server, authority, late, crossed], {}, [old])).toBe('Valid')
    expect(ask([server, authority, late], {}, [old, root])).toBe('Valid')
  })

  it('chooses among authorities of one name by the key, without key identifiers too', () => {
    const bare = CA.slice(0, 2)
    const one = shop.make('One', { subject: '/CN=Same', key: 'p256:one', issuer: root, extensions: bare })
    const two = shop.make('Two', { subject: '/CN=Same', key: 'p256:two', issuer: root, extensions: bare })
    const below = shop.make('Below', { issuer: two, extensions: SERVER })
    expect(ask([below, one, two])).toBe('Valid')
    expect(ask([below, two, one])).toBe('Valid')
    expect(ask([below, one])).toBe('BadSignature')
    const three = shop.make('Three', { subject: '/CN=Same', key: 'p256:three', extensions: bare })
    const four = shop.make('Four', { subject: '/CN=Same', key: 'p256:two', extensions: bare })
    expect(ask([below], {}, [three, four])).toBe('Valid')
    expect(ask([below], {}, [three])).toBe('BadSignature')
  })

  it('is of an unknown anchor when the root, or a link to it, is missing', () => {
    const stranger = shop.make('Stranger', { key: 'p256:stranger' })
    expect(ask([server, authority], {}, [stranger])).toBe('UnknownAnchor')
    expect(ask([server, authority, root], {}, [stranger])).toBe('UnknownAnchor')
    expect(ask([server])).toBe('UnknownAnchor')
    const impostor = shop.make('Impostor', { subject: '/CN=Root', key: 'p256:stranger' })
    expect(ask([server, authority], {}, [impostor])).toBe('UnknownAnchor')
  })

  it('takes a version 1 root as an anchor, but no version 1 certificate in the path', () => {
    const ancient = shop.make('Ancient', { key: 'p256:ancient', plain: true })
    const below = shop.make('Below', { issuer: ancient, extensions: SERVER })
    expect(ask([below], {}, [ancient])).toBe('Valid')
    const plain = shop.make('Plain', { key: 'p256:plain', issuer: root, plain: true })
    expect(ask([plain])).toBe('NotVersion3')
    const under = shop.make('Under', { issuer: plain, extensions: SERVER })
    expect(ask([under, plain])).toBe('NotVersion3')
  })

  it('is unreadable without anchors, and with damaged ones', () => {
    judge.flash.bytes = new Uint8Array(0)
    expect(judge.judge({ chain: [server.der, authority.der] })).toBe('AnchorsUnreadable')
    judge.flash.bytes = new Uint8Array(98_304).fill(0xff)
    expect(judge.judge({ chain: [server.der, authority.der] })).toBe('AnchorsUnreadable')
    judge.trust({ der: root.der })
    const image = judge.flash.bytes
    for (let i = 0; i < image.length; i++) {
      const damaged = image.slice()
      damaged[i] = (damaged[i] ?? 0) ^ 0x10
      judge.flash.bytes = damaged
      expect(['AnchorsUnreadable', 'UnknownAnchor']).toContain(judge.judge({ chain: [server.der, authority.der] }))
    }
  })

  it('gives up a labyrinth', () => {
    const names = ['a', 'b', 'c', 'd']
    const bare = CA.slice(0, 2)
    const same = names.map((name) => shop.make(name, { subject: '/CN=Same', key: `p256:${name}`, extensions: bare }))
    const hidden = shop.make('e', { subject: '/CN=Same', key: 'p256:e', extensions: bare })
    const below = shop.make('Below', { issuer: hidden, extensions: SERVER })
    expect(ask([below, ...same], {}, [root])).toBe('TooMuchWork')
  })
})

describe.skipIf(OPENSSL === undefined)('the dates of a path', () => {
  const begin = NOW - 30 * DAY
  const end = NOW + 365 * DAY

  it('hold from the first second to the last', () => {
    for (const at of [begin, end, [begin, end]] as const) {
      expect(ask([server, authority], { at: at as number | [number, number] })).toBe('Valid')
    }
    expect(judge.entry.exports['notBefore']()).toBe(BigInt(begin))
    expect(judge.entry.exports['notAfter']()).toBe(BigInt(end))
  })

  it('are expired, or not yet valid, when the whole interval is', () => {
    expect(ask([server, authority], { at: end + 1 })).toBe('Expired')
    expect(ask([server, authority], { at: [end + 1, end + DAY] })).toBe('Expired')
    expect(ask([server, authority], { at: begin - 1 })).toBe('NotYetValid')
    expect(ask([server, authority], { at: [0, begin - 1] })).toBe('NotYetValid')
  })

  it('are undecidable when the interval straddles either end, or both', () => {
    expect(ask([server, authority], { at: [begin - 1, begin] })).toBe('Undecidable')
    expect(ask([server, authority], { at: [end, end + 1] })).toBe('Undecidable')
    expect(ask([server, authority], { at: [0, end + 10 * DAY] })).toBe('Undecidable')
  })

  it('are those of the whole path, the anchor aside', () => {
    const short = shop.make('Short', {
      key: 'p256:authority',
      issuer: root,
      extensions: [...CA, AKI],
      notBefore: NOW - 2 * DAY,
      notAfter: NOW + 2 * DAY,
    })
    const below = shop.make('Below', { issuer: short })
    expect(ask([below, short])).toBe('Valid')
    expect(judge.entry.exports['notBefore']()).toBe(BigInt(NOW - 2 * DAY))
    expect(judge.entry.exports['notAfter']()).toBe(BigInt(NOW + 2 * DAY))
    expect(ask([below, short], { at: NOW + 3 * DAY })).toBe('Expired')
    expect(ask([below, short], { at: NOW - 3 * DAY })).toBe('NotYetValid')
    const gone = shop.make('Gone', { key: 'p256:gone', notBefore: NOW - 20 * DAY, notAfter: NOW - 10 * DAY })
    expect(ask([shop.make('Below', { issuer: gone })], {}, [gone])).toBe('Valid')
  })

  it('are expired when they never overlap', () => {
    const past = { issuer: root, key: 'p256:authority', extensions: [...CA, AKI], notAfter: NOW - 5 * DAY }
    const early = shop.make('Early', past)
    const below = shop.make('Below', { issuer: early, notBefore: NOW - 2 * DAY })
    expect(ask([below, early], { at: [0, NOW + 1000 * DAY] })).toBe('Expired')
  })

  it('go beyond 2049 and 2106', () => {
    const lasting = { issuer: root, notAfter: 253_402_300_799 }
    expect(ask([shop.make('Lasting', lasting)], { at: 5_000_000_000 })).toBe('Valid')
    expect(judge.entry.exports['notAfter']()).toBe(253_402_300_799n)
    const far = shop.make('Far', { issuer: root, notBefore: 4_000_000_000, notAfter: 4_100_000_000 })
    expect(ask([far])).toBe('NotYetValid')
  })

  it('come last: with a wrong name too, the name is told', () => {
    expect(ask([server, authority], { at: end + 1, name: 'other.example.com' })).toBe('WrongName')
    const spoiled = spoil(server.der, (tree) => flip(tree.signature.contents))
    expect(ask([spoiled, authority], { at: end + 1 })).toBe('BadSignature')
    expect(ask([server, authority], { at: end + 1 }, [shop.make('Stranger')])).toBe('UnknownAnchor')
  })

  it('can be judged again from the summary', () => {
    const { exports } = judge.entry
    const dates = (a: number, b: number, c: number, d: number) =>
      VERDICTS[exports['dates'](BigInt(a), BigInt(b), BigInt(c), BigInt(d))]
    expect(dates(10, 20, 10, 20)).toBe('Valid')
    expect(dates(10, 20, 9, 20)).toBe('Undecidable')
    expect(dates(10, 20, 10, 21)).toBe('Undecidable')
    expect(dates(10, 20, 0, 9)).toBe('NotYetValid')
    expect(dates(10, 20, 21, 30)).toBe('Expired')
    expect(dates(20, 10, 0, 30)).toBe('Expired')
    const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n]
    expect(VERDICTS[exports['dates'](10n, 20n, least, most)]).toBe('Undecidable')
  })
})

function flip(contents: Buffer | undefined): void {
  if (!contents) throw new Error('nothing to flip')
  const last = contents.length - 1
  contents[last] = (contents[last] as number) ^ 1
}

describe.skipIf(OPENSSL === undefined)('a signature', () => {
  const pss = (digest: string, salt = 'digest') => [
    '-sigopt',
    'rsa_padding_mode:pss',
    '-sigopt',
    `rsa_pss_saltlen:${salt}`,
    '-sigopt',
    `rsa_mgf1_md:${digest}`,
  ]
  const kinds: [string, string, string, string[]?][] = [
    ['RSA PKCS#1 v1.5 with SHA-256, 2048 bits', 'rsa2048', 'sha256'],
    ['RSA PKCS#1 v1.5 with SHA-384, 3072 bits', 'rsa3072', 'sha384'],
    ['RSA PKCS#1 v1.5 with SHA-512, 4096 bits', 'rsa4096', 'sha512'],
    ['RSA-PSS with SHA-256', 'rsa2048', 'sha256', pss('sha256')],
    ['RSA-PSS with SHA-384', 'rsa3072', 'sha384', pss('sha384')],
    ['RSA-PSS with SHA-512', 'rsa2048', 'sha512', pss('sha512')],
    ['ECDSA P-256 with SHA-256', 'p256', 'sha256'],
    ['ECDSA P-256 with SHA-384', 'p256', 'sha384'],
    ['ECDSA P-384 with SHA-256', 'p384', 'sha256'],
    ['ECDSA P-384 with SHA-384', 'p384', 'sha384'],
    ['Ed25519', 'ed25519', 'default'],
  ]
  for (const [name, key, digest, options] of kinds) {
    it(`of ${name} is valid, and bad when a bit of it, of what it signs or of the key is another`, () => {
      const ca = shop.make(`CA ${key}`, { key: `${key}:ca` })
      const recipe = { issuer: ca, key: 'p256:leaf', digest, ...(options ? { options } : {}) }
      const signed = shop.make('Signed', recipe)
      expect(ask([signed], {}, [ca])).toBe('Valid')
      expect(judge.entry.exports['leafKeyLength']()).toBeGreaterThan(31)
      expect(ask([spoil(signed.der, ({ signature }) => flip(signature.contents))], {}, [ca])).toBe('BadSignature')
      const other = spoil(signed.der, (tree) => flip(tree.field(1).contents))
      expect(ask([other], {}, [ca])).toBe('BadSignature')
      const impostor = shop.make(`Other ${key}`, {
        subject: `/CN=CA ${key}`,
        key: key.startsWith('rsa') ? 'rsa2048:other' : `${key}:other`,
        extensions: CA.slice(0, 2),
      })
      const bare = shop.make('Bare', { ...recipe, extensions: SERVER })
      expect(ask([bare], {}, [impostor])).toBe('BadSignature')
    })
  }

  it('must fit the key', () => {
    const ca = shop.make('CA', { key: 'rsa2048:ca', extensions: CA.slice(0, 2) })
    const signed = shop.make('Signed', { issuer: ca, extensions: SERVER })
    const elliptic = shop.make('Elliptic', { subject: '/CN=CA', key: 'p256:ca', extensions: CA.slice(0, 2) })
    expect(ask([signed], {}, [elliptic])).toBe('BadSignature')
  })

  it('is weak with SHA-1 or MD5, whatever the padding, on the leaf and above', () => {
    const ca = shop.make('CA', { key: 'rsa2048:ca' })
    const weak: [string, string[]?][] = [['sha1'], ['md5'], ['sha1', pss('sha1')]]
    for (const [digest, options] of weak) {
      const recipe = { issuer: ca, digest, ...(options ? { options } : {}) }
      expect(ask([shop.make('Weak', recipe)], {}, [ca])).toBe('WeakSignature')
      const above = shop.make('Above', { ...recipe, key: 'p256:above', extensions: [...CA, AKI] })
      expect(ask([shop.make('Below', { issuer: above }), above], {}, [ca])).toBe('WeakSignature')
    }
    const elliptic = shop.make('Weak', { issuer: root, digest: 'sha1' })
    expect(ask([elliptic])).toBe('WeakSignature')
  })

  it('is unsupported with hashes, curves and parameters that the firmware does not have', () => {
    const ca = shop.make('CA', { key: 'rsa2048:ca' })
    const odd: [string, string[]?][] = [
      ['sha224'],
      ['sha3-256'],
      ['sha256', pss('sha256', '20')],
      ['sha256', pss('sha384')],
    ]
    for (const [digest, options] of odd) {
      const recipe = { issuer: ca, digest, ...(options ? { options } : {}) }
      expect(ask([shop.make('Odd', recipe)], {}, [ca])).toBe('UnsupportedAlgorithm')
    }
    const huge = shop.make('Huge', { key: 'p521', issuer: root, extensions: [...CA, AKI] })
    expect(ask([shop.make('Below', { issuer: huge }), huge])).toBe('UnsupportedAlgorithm')
  })
})

describe.skipIf(OPENSSL === undefined)('a key', () => {
  it('of RSA with 1024 bits is weak, in the leaf and above', () => {
    expect(ask([shop.make('Weak', { issuer: root, key: 'rsa1024' })])).toBe('WeakKey')
    const above = shop.make('Above', { issuer: root, key: 'rsa1024', extensions: [...CA, AKI] })
    expect(ask([shop.make('Below', { issuer: above }), above])).toBe('WeakKey')
  })

  for (const key of ['p224', 'p521', 'ed448', 'pss2048']) {
    it(`of ${key} is unsupported`, () => {
      expect(ask([shop.make('Odd', { issuer: root, key })])).toBe('UnsupportedAlgorithm')
    })
  }

  it('that is pinned makes a self-signed leaf valid, and nothing else', () => {
    const alone = shop.make('Alone', { key: 'p256:alone', extensions: SERVER })
    const pin = spkiPin(alone.der)
    expect(ask([alone], { pin }, [])).toBe('Valid')
    judge.flash.bytes = new Uint8Array(0)
    expect(judge.judge({ chain: [alone.der], pin })).toBe('Valid')
    expect(ask([alone])).toBe('UnknownAnchor')
    expect(ask([server, authority], { pin })).toBe('PinMismatch')
    expect(ask([server, authority], { pin: spkiPin(server.der) }, [])).toBe('Valid')
    expect(ask([alone], { pin, name: 'other.example.com' })).toBe('WrongName')
    expect(ask([alone], { pin, at: NOW + 400 * DAY })).toBe('Expired')
    expect(ask([alone], { pin, at: [0, NOW] })).toBe('Undecidable')
    expect(judge.entry.exports['notAfter']()).toBe(BigInt(NOW + 365 * DAY))
    const long = shop.make('Long', { key: 'rsa4096:ca', extensions: SERVER })
    expect(ask([long], { pin: spkiPin(long.der) })).toBe('Valid')
  })
})

describe.skipIf(OPENSSL === undefined)('a pinned authority', () => {
  it('is trusted for the servers that name its label, and for no others', () => {
    const alone = shop.make('Alone', { key: 'p256:alone', extensions: SERVER })
    judge.trust({ der: root.der }, { der: authority.der, label: 'lan' }, { der: alone.der, label: 'box' })
    const chain = [server.der, authority.der]
    expect(judge.judge({ chain })).toBe('Valid')
    expect(judge.judge({ chain, label: 'lan' })).toBe('Valid')
    expect(judge.judge({ chain, label: 'box' })).toBe('UnknownAnchor')
    expect(judge.judge({ chain, label: 'none' })).toBe('UnknownAnchor')
    expect(judge.judge({ chain: [alone.der], label: 'box' })).toBe('Valid')
    expect(judge.judge({ chain: [alone.der] })).toBe('UnknownAnchor')
    judge.trust({ der: authority.der, label: 'lan' })
    expect(judge.judge({ chain })).toBe('UnknownAnchor')
  })

  it('that is no authority vouches for its own key alone', () => {
    const alone = shop.make('Alone', { key: 'p256:alone', extensions: SERVER })
    const below = shop.make('Below', { issuer: alone })
    judge.trust({ der: alone.der, label: 'box' })
    expect(judge.judge({ chain: [below.der], label: 'box' })).toBe('NotAuthority')
    // The same key in a certificate made anew.
    const renewed = shop.make('Renewed', { subject: '/CN=Alone', key: 'p256:alone', extensions: SERVER })
    expect(judge.judge({ chain: [renewed.der], label: 'box' })).toBe('Valid')
  })

  it('has the tag that the tool gave it', () => {
    judge.entry.write(judge.entry.exports['name'](), Buffer.from('lan'))
    expect(judge.entry.exports['tagOf'](3) >>> 0).toBe(crc32('lan'))
  })
})

describe.skipIf(OPENSSL === undefined)('a name', () => {
  const verdict = (name: string, ...names: string[]): Verdict => ask([leaf(serverFor(...names))], { name })

  it('is found without regard to case, to a last dot, to other names', () => {
    expect(verdict('Time.Example.COM', 'DNS:tIME.example.com')).toBe('Valid')
    expect(verdict('time.example.com.', 'DNS:time.example.com')).toBe('Valid')
    expect(verdict(NAME, 'DNS:a.example', 'email:a@example.com', 'URI:http://x/', 'IP:1.2.3.4', `DNS:${NAME}`)).toBe(
      'Valid',
    )
    expect(verdict('xn--bcher-kva.example', 'DNS:xn--bcher-kva.example')).toBe('Valid')
  })

  it('is wrong when no alternative name is it, or none is there', () => {
    expect(verdict(NAME, 'DNS:time.example.org')).toBe('WrongName')
    expect(verdict(NAME, 'DNS:example.com')).toBe('WrongName')
    expect(verdict(NAME, 'DNS:sub.time.example.com')).toBe('WrongName')
    expect(verdict(NAME, `email:a@${NAME}`, `URI:https://${NAME}/`)).toBe('WrongName')
    expect(ask([leaf(SERVER.slice(0, 3))])).toBe('WrongName')
  })

  it('is never taken from the commonName', () => {
    const named = { subject: `/CN=${NAME}`, issuer: root }
    expect(ask([shop.make('Named', { ...named, extensions: SERVER.slice(0, 3) })])).toBe('WrongName')
    expect(ask([shop.make('Named', { ...named, extensions: serverFor('DNS:a.example') })])).toBe('WrongName')
  })

  it('is found by a wildcard as the whole left-most label', () => {
    expect(verdict(NAME, 'DNS:*.example.com')).toBe('Valid')
    expect(verdict('a.b.example.com', 'DNS:*.example.com')).toBe('WrongName')
    expect(verdict('example.com', 'DNS:*.example.com')).toBe('WrongName')
    expect(verdict(NAME, 'DNS:t*.example.com')).toBe('WrongName')
    expect(verdict(NAME, 'DNS:*e.example.com')).toBe('WrongName')
    expect(verdict(NAME, 'DNS:time.*.com')).toBe('WrongName')
    expect(verdict('example.com', 'DNS:*.com')).toBe('WrongName')
    expect(verdict(NAME, 'DNS:*')).toBe('WrongName')
    expect(verdict('.example.com', 'DNS:*.example.com')).toBe('WrongName')
  })

  it('that is an address is found among the addresses alone', () => {
    expect(verdict('192.0.2.7', 'IP:192.0.2.7')).toBe('Valid')
    expect(verdict('192.0.2.7', 'IP:192.0.2.8', 'IP:192.0.2.7')).toBe('Valid')
    expect(verdict('192.0.2.7', 'IP:192.0.2.8')).toBe('WrongName')
    expect(verdict('192.0.2.7', 'DNS:192.0.2.7')).toBe('WrongName')
    expect(verdict('192.0.2.7', 'IP:::ffff:192.0.2.7')).toBe('WrongName')
    expect(verdict('255.255.255.255', 'IP:255.255.255.255')).toBe('Valid')
  })

  it('with a NUL in it is another name', () => {
    const made = leaf(serverFor('DNS:time.example.com.evil.org'))
    const cut = spoil(made.der, (tree) => {
      const { contents } = tree.value('551d11')
      if (contents) contents[contents.indexOf('.evil')] = 0
    })
    expect(ask([cut])).toBe('WrongName')
  })

  it('may be the only one when the subject is empty', () => {
    const nameless = shop.make('Nameless', { subject: '/', issuer: root })
    expect(ask([nameless])).toBe('Valid')
  })
})

describe.skipIf(OPENSSL === undefined)('a usage', () => {
  const [basic = '', , purpose = '', names = ''] = SERVER

  it('may be missing altogether', () => {
    expect(ask([leaf([names])])).toBe('Valid')
    expect(ask([leaf([basic, names])])).toBe('Valid')
  })

  it('of a leaf must have digitalSignature and serverAuth, if it is told', () => {
    const verdict = (...extensions: string[]) => ask([leaf([names, ...extensions])])
    expect(
      verdict('keyUsage=critical,digitalSignature,keyEncipherment', 'extendedKeyUsage=clientAuth,serverAuth'),
    ).toBe('Valid')
    expect(verdict('keyUsage=critical,keyEncipherment')).toBe('WrongUsage')
    expect(verdict('keyUsage=nonRepudiation', purpose)).toBe('WrongUsage')
    expect(verdict('extendedKeyUsage=clientAuth')).toBe('WrongUsage')
    expect(verdict('extendedKeyUsage=anyExtendedKeyUsage')).toBe('WrongUsage')
    expect(verdict('extendedKeyUsage=critical,emailProtection,codeSigning')).toBe('WrongUsage')
  })

  it('may have zero bits at its end, as authorities of every bundle do', () => {
    const made = subordinate(CA)
    const long = spoil(made.der, (tree) => {
      tree.value('551d0f').contents = Buffer.from('0303070600', 'hex')
    })
    // Its signature is another's now: it is well formed but vouches for nothing.
    expect(ask([leaf(SERVER, made), long])).toBe('BadSignature')
  })

  it('of an authority must have cA and keyCertSign', () => {
    const verdict = (...extensions: string[]) => {
      const above = subordinate(extensions)
      return ask([leaf(SERVER, above), above])
    }
    expect(verdict('basicConstraints=CA:TRUE')).toBe('Valid')
    expect(verdict('keyUsage=keyCertSign')).toBe('NotAuthority')
    expect(verdict('basicConstraints=critical,CA:FALSE', 'keyUsage=keyCertSign')).toBe('NotAuthority')
    expect(verdict('basicConstraints=critical,CA:TRUE', 'keyUsage=cRLSign,digitalSignature')).toBe('NotAuthority')
    expect(verdict(...CA, 'extendedKeyUsage=serverAuth,clientAuth')).toBe('Valid')
    expect(verdict(...CA, 'extendedKeyUsage=clientAuth')).toBe('WrongUsage')
  })

  it('of a server as an issuer is none', () => {
    const below = shop.make('Below', { issuer: server })
    expect(ask([below, server, authority])).toBe('NotAuthority')
  })
})

describe.skipIf(OPENSSL === undefined)('a path length', () => {
  const limited = (length: number) => [`basicConstraints=critical,CA:TRUE,pathlen:${length}`, ...CA.slice(1)]

  it('counts the intermediate certificates below an authority', () => {
    const zero = subordinate(limited(0), root, 'p256:zero')
    const one = subordinate(limited(1), root, 'p256:one')
    expect(ask([leaf(SERVER, zero), zero])).toBe('Valid')
    const under = shop.make('Under', { key: 'p256:under', issuer: zero, extensions: [...CA, AKI] })
    expect(ask([leaf(SERVER, under), under, zero])).toBe('PathTooLong')
    const below = shop.make('Under', { key: 'p256:under', issuer: one, extensions: [...CA, AKI] })
    expect(ask([leaf(SERVER, below), below, one])).toBe('Valid')
    const last = shop.make('Last', { key: 'p256:last', issuer: below, extensions: [...CA, AKI] })
    expect(ask([leaf(SERVER, last), last, below, one])).toBe('PathTooLong')
  })

  it('does not count the self-issued', () => {
    const zero = shop.make('Zero', { key: 'p256:zero', issuer: root, extensions: [...limited(0), AKI] })
    const rolled = shop.make('Rolled', {
      subject: '/CN=Zero',
      key: 'p256:rolled',
      issuer: zero,
      extensions: [...CA, AKI],
    })
    expect(ask([leaf(SERVER, rolled), rolled, zero])).toBe('Valid')
  })

  it('of an anchor counts too', () => {
    const zero = shop.make('Zero', { key: 'p256:zero', extensions: limited(0) })
    const under = shop.make('Under', { key: 'p256:under', issuer: zero, extensions: [...CA, AKI] })
    expect(ask([leaf(SERVER, zero)], {}, [zero])).toBe('Valid')
    expect(ask([leaf(SERVER, under), under], {}, [zero])).toBe('PathTooLong')
  })

  it('of five certificates is the most', () => {
    const chain = [root]
    for (let i = 0; i < 5; i++) {
      const issuer = chain[0] as Made
      chain.unshift(shop.make(`CA ${i}`, { key: `p256:${i}`, issuer, extensions: [...CA, AKI] }))
    }
    const [top, ...below] = chain.slice(0, 5).reverse()
    const five = [leaf(SERVER, below[3] as Made), ...below.reverse()]
    expect(ask(five, {}, [top as Made])).toBe('Valid')
    expect(ask([...five, top as Made], {}, [top as Made])).toBe('TooLarge')
  })
})

describe.skipIf(OPENSSL === undefined)('name constraints', () => {
  const verdict = (constraints: string, ...names: string[]): Verdict => {
    const above = subordinate([...CA, `nameConstraints=${constraints}`])
    const name = names[0]?.replace(/^(DNS|IP):/, '').replace('*', 'any') as string
    return ask([leaf(serverFor(...names), above), above], { name })
  }

  it('permit what is under a base', () => {
    const only = 'critical,permitted;DNS:example.com'
    expect(verdict(only, 'DNS:time.example.com')).toBe('Valid')
    expect(verdict(only, 'DNS:example.com')).toBe('Valid')
    expect(verdict(only, 'DNS:a.b.EXAMPLE.com')).toBe('Valid')
    expect(verdict(only, 'DNS:*.example.com')).toBe('Valid')
    expect(verdict(only, 'DNS:example.org')).toBe('NameNotPermitted')
    expect(verdict(only, 'DNS:badexample.com')).toBe('NameNotPermitted')
    expect(verdict(only, 'DNS:time.example.com', 'DNS:time.example.org')).toBe('NameNotPermitted')
    expect(verdict(`${only},permitted;DNS:example.org`, 'DNS:a.example.com', 'DNS:a.example.org')).toBe('Valid')
    expect(verdict('permitted;DNS:.example.com', 'DNS:a.example.com')).toBe('Valid')
    expect(verdict('permitted;DNS:.example.com', 'DNS:example.com')).toBe('NameNotPermitted')
  })

  it('exclude what is under a base, and a wildcard that may be', () => {
    const all = 'critical,excluded;DNS:bad.example.com'
    expect(verdict(all, 'DNS:time.example.com')).toBe('Valid')
    expect(verdict(all, 'DNS:bad.example.com')).toBe('NameNotPermitted')
    expect(verdict(all, 'DNS:a.bad.example.com')).toBe('NameNotPermitted')
    expect(verdict(all, 'DNS:*.example.com')).toBe('NameNotPermitted')
    expect(verdict(all, 'DNS:*.other.com')).toBe('Valid')
    expect(verdict(`${all},permitted;DNS:example.com`, 'DNS:time.example.com')).toBe('Valid')
    expect(verdict(`${all},permitted;DNS:example.com`, 'DNS:bad.example.com')).toBe('NameNotPermitted')
  })

  it('hold for addresses', () => {
    const net = 'critical,permitted;IP:192.0.2.0/255.255.255.0'
    expect(verdict(net, 'IP:192.0.2.7')).toBe('Valid')
    expect(verdict(net, 'IP:192.0.3.7')).toBe('NameNotPermitted')
    expect(verdict(net, 'DNS:time.example.com')).toBe('Valid')
    expect(verdict('excluded;IP:192.0.2.0/255.255.255.0', 'IP:192.0.2.7')).toBe('NameNotPermitted')
    expect(verdict(net, 'IP:192.0.2.7', 'IP:2001:db8::1')).toBe('NameNotPermitted')
  })

  it('of other kinds are refused when they are critical', () => {
    expect(verdict('critical,permitted;email:example.com', 'DNS:time.example.com')).toBe('UnknownCritical')
    expect(verdict('critical,excluded;URI:.example.com', 'DNS:time.example.com')).toBe('UnknownCritical')
    expect(verdict('permitted;email:example.com', 'DNS:time.example.com')).toBe('Valid')
  })

  it('of an anchor, and of the authority above the next, hold too', () => {
    const constrained = ['nameConstraints=critical,permitted;DNS:example.com']
    const bound = shop.make('Bound', { key: 'p256:bound', extensions: [...CA, ...constrained] })
    const next = shop.make('Next', { key: 'p256:next', issuer: bound, extensions: [...CA, AKI] })
    const good = leaf(SERVER, next)
    const bad = leaf(serverFor('DNS:time.example.org'), next)
    expect(ask([good, next], {}, [bound])).toBe('Valid')
    expect(ask([bad, next], { name: 'time.example.org' }, [bound])).toBe('NameNotPermitted')
    const middle = shop.make('Middle', {
      key: 'p256:bound',
      issuer: root,
      extensions: [...CA, ...constrained, AKI],
      subject: '/CN=Bound',
    })
    expect(ask([good, next, middle])).toBe('Valid')
    expect(ask([bad, next, middle], { name: 'time.example.org' })).toBe('NameNotPermitted')
  })

  it('that take too many comparisons end the work', () => {
    const bases = [...Array(90).keys()].map((i) => `permitted;DNS:a${i}`).join(',')
    const names = ['DNS:time.a89', ...[...Array(90).keys()].map((i) => `DNS:b.a${i}`)]
    expect(verdict(bases, ...names)).toBe('TooMuchWork')
  })
})

describe.skipIf(OPENSSL === undefined)('an extension', () => {
  it('that is unknown is refused when critical', () => {
    expect(ask([leaf([...SERVER, '1.2.3.4=ASN1:NULL'])])).toBe('Valid')
    expect(ask([leaf([...SERVER, '1.2.3.4=critical,ASN1:NULL'])])).toBe('UnknownCritical')
    expect(ask([leaf([...SERVER, 'certificatePolicies=critical,1.2.3'])])).toBe('UnknownCritical')
    const above = subordinate([...CA, 'policyConstraints=critical,requireExplicitPolicy:0'])
    expect(ask([leaf(SERVER, above), above])).toBe('UnknownCritical')
  })

  it('of which there are two is a duplicate, known or not', () => {
    const known = spoil(server.der, (tree) => tree.extensions.push(tree.extension('551d11')))
    expect(ask([known, authority])).toBe('DuplicateExtension')
    const made = leaf([...SERVER, '1.2.3.4=ASN1:NULL'])
    const unknown = spoil(made.der, (tree) => tree.extensions.unshift(tree.extension('2a0304')))
    expect(ask([unknown])).toBe('DuplicateExtension')
    const above = subordinate([...CA, '1.2.3.4=ASN1:NULL'])
    const twice = spoil(above.der, (tree) => tree.extensions.unshift(tree.extension('2a0304')))
    expect(ask([leaf(SERVER, above), twice])).toBe('DuplicateExtension')
  })

  it('too many or too long is too large', () => {
    const some = (count: number) => [...Array(count).keys()].map((i) => `1.2.3.${i}=ASN1:NULL`)
    expect(ask([leaf([...SERVER, ...some(19)])])).toBe('Valid')
    expect(ask([leaf([...SERVER, ...some(20)])])).toBe('TooLarge')
    expect(ask([leaf([...SERVER, `1.2.3.${'4000000000.'.repeat(4)}1=ASN1:NULL`])])).toBe('TooLarge')
  })

  it('changes the answer to whether the certificate may be issuer without being fatal to others', () => {
    const odd = subordinate([...CA, '1.2.3.4=critical,ASN1:NULL'], root, 'p256:authority')
    expect(ask([server, odd, authority])).toBe('Valid')
  })
})

describe.skipIf(OPENSSL === undefined)('what is no certificate', () => {
  const spoiled: [string, (tree: CertificateTree) => void, Verdict?][] = [
    ['a length in three octets where one would do', (t) => { t.field(1).length = Buffer.of(0x82, 0, 20) }],
    ['a length of the whole in five octets', (t) => { const n = encodeDer({ tag: 0, children: t.root.children ?? [] }).length - 4; t.root.length = Buffer.of(0x83, 0, n >> 8, n) }],
    ['an indefinite length', (t) => { t.root.length = Buffer.of(0x80); t.root.children?.push({ tag: 0, contents: Buffer.alloc(0) }) }],
    ['bytes after the signature', (t) => { t.root.children?.push({ tag: 5, contents: Buffer.alloc(0) }) }],
    ['bytes after the extensions', (t) => { t.signed.children?.push({ tag: 5, contents: Buffer.alloc(0) }) }],
    ['bytes inside an extension', (t) => { const v = t.value('551d13'); v.contents = Buffer.concat([v.contents as Buffer, Buffer.of(0)]) }],
    ['a padded serial number', (t) => { const s = t.field(1); s.contents = Buffer.concat([Buffer.of(0), Buffer.from('01', 'hex')]) }],
    ['no serial number', (t) => { t.field(1).contents = Buffer.alloc(0) }],
    ['a serial number of 22 octets', (t) => { t.field(1).contents = Buffer.alloc(22, 1) }],
    ['a month 13', (t) => { child(t.field(4), 0).contents = Buffer.from('261301000000Z') }],
    ['a 29 February that never was', (t) => { child(t.field(4), 0).contents = Buffer.from('250229000000Z') }],
    ['a date without seconds', (t) => { child(t.field(4), 0).contents = Buffer.from('2501010000Z') }],
    ['a date in a zone', (t) => { child(t.field(4), 0).contents = Buffer.from('250101000000+0100') }],
    ['a date with a fraction', (t) => { const d = child(t.field(4), 0); d.tag = 0x18; d.contents = Buffer.from('20250101000000.5Z') }],
    ['a date of another type', (t) => { child(t.field(4), 0).tag = 0x0c }],
    ['three dates', (t) => { t.field(4).children?.push(child(t.field(4), 0)) }],
    ['an explicit default version', (t) => { child(t.field(0), 0).contents = Buffer.of(0) }],
    ['a version 4', (t) => { child(t.field(0), 0).contents = Buffer.of(3) }],
    ['a signature with unused bits', (t) => { (t.signature.contents as Buffer)[0] = 1 }],
    ['a key with unused bits', (t) => { (child(t.field(6), 1).contents as Buffer)[0] = 4 }],
    ['an explicit cA FALSE', (t) => { t.value('551d13').contents = Buffer.from('3003010100', 'hex') }],
    ['a TRUE of 1', (t) => { (child(t.extension('551d13'), 1).contents as Buffer)[0] = 1 }],
    ['a path length without an authority', (t) => { t.value('551d13').contents = Buffer.from('3003020100', 'hex') }],
    ['a key usage with a bit that does not count', (t) => { t.value('551d0f').contents = Buffer.from('03020781', 'hex') }],
    ['a key usage without a bit', (t) => { t.value('551d0f').contents = Buffer.from('03020700', 'hex') }],
    ['no purposes in the list', (t) => { t.value('551d25').contents = Buffer.from('3000', 'hex') }],
    ['no names in the list', (t) => { t.value('551d11').contents = Buffer.from('3000', 'hex') }],
    ['a name of no kind', (t) => { t.value('551d11').contents = Buffer.from('30038901ff', 'hex') }],
    ['no extensions in the list', (t) => { t.extensions.length = 0 }],
    ['a number where the issuer should be', (t) => { t.field(3).tag = 0x02 }],
    ['a set where an attribute should be', (t) => { child(child(t.field(3), 0), 0).tag = 0x31 }],
    ['a tag of two octets', (t) => { t.signed.children?.push({ tag: 0xbf, contents: Buffer.alloc(1) }) }],
    ['another algorithm outside than inside', (t) => { (child(t.outerAlgorithm, 0).contents as Buffer)[7] = 3 }, 'AlgorithmMismatch'],
    ['an algorithm with a NULL that it has not', (t) => { for (const a of [t.outerAlgorithm, t.field(2)]) a.children?.push({ tag: 5, contents: Buffer.alloc(0) }) }, 'UnsupportedAlgorithm'],
    ['a compressed point', (t) => { const k = child(t.field(6), 1); k.contents = Buffer.concat([Buffer.of(0, 2), (k.contents as Buffer).subarray(2, 34)]) }, 'UnsupportedAlgorithm'],
    ['a version 2', (t) => { child(t.field(0), 0).contents = Buffer.of(1) }, 'NotVersion3'],
    ['no version', (t) => { t.signed.children?.shift() }, 'NotVersion3'],
    ['a subject of 600 bytes', (t) => { child(child(child(t.field(5), 0), 0), 1).contents = Buffer.alloc(600, 65) }, 'TooLarge'],
  ] // biome-ignore format: a table
  for (const [name, change, verdict = 'Malformed'] of spoiled) {
    it(`has ${name}: ${verdict}`, () => {
      expect(ask([spoil(server.der, change), authority])).toBe(verdict)
    })
  }

  it('is malformed behind the leaf as well', () => {
    const bad = spoil(authority.der, (tree) => {
      tree.field(1).length = Buffer.of(0x81, 20)
    })
    expect(ask([server, bad, authority])).toBe('Malformed')
  })

  it('has trailing bytes, is cut anywhere, or is nothing', () => {
    expect(ask([Buffer.concat([server.der, Buffer.of(0)]), authority])).toBe('Malformed')
    for (let length = 1; length < server.der.length; length++) {
      expect(ask([server.der.subarray(0, length)])).toBe('Malformed')
    }
    expect(judge.judgeList(new Uint8Array(0))).toBe('NoCertificate')
  })

  it('is too large by itself, or with all others', () => {
    const comment = `1.2.3=ASN1:UTF8:${'x'.repeat(3900)}`
    expect(ask([leaf([...SERVER, comment])])).toBe('TooLarge')
    const longest = leaf([...SERVER, `1.2.3=ASN1:UTF8:${'x'.repeat(3400)}`])
    expect(longest.der.length).toBeLessThan(4096)
    expect(ask([longest])).toBe('Valid')
    expect(ask([server, authority, longest, longest, longest])).toBe('TooLarge')
  })

  it('is in a list whose lengths do not add up', () => {
    const list = certificateList([server.der, authority.der])
    judge.trust({ der: root.der })
    expect(judge.judgeList(list)).toBe('Valid')
    for (let length = 1; length < list.length; length++) {
      const whole = certificateList([server.der]).length === length
      expect(judge.judgeList(list.subarray(0, length))).toBe(whole ? 'UnknownAnchor' : 'Malformed')
    }
    const extended = Buffer.concat([list, Buffer.of(0)])
    expect(judge.judgeList(extended)).toBe('Malformed')
  })
})

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt'

describe.skipIf(!existsSync(BUNDLE))('the bundle of this system', () => {
  it('has no certificate that is called malformed or too large', () => {
    for (const der of pemCertificates(readFileSync(BUNDLE, 'latin1'))) {
      expect(['WrongName', 'WeakSignature', 'WeakKey', 'NotVersion3', 'UnsupportedAlgorithm']).toContain(
        judge.judge({ chain: [der] }),
      )
    }
  })
})

describe('a verdict', () => {
  it('has words of its own and an alert', () => {
    const { exports } = judge.entry
    const words = VERDICTS.map((_, i) => {
      const length = exports['words'](i)
      return Buffer.from(judge.entry.read(exports['name'](), length)).toString()
    })
    expect(new Set(words).size).toBe(VERDICTS.length)
    expect(words[1]).toBe('dates-undecidable')
    const alerts = Object.fromEntries(VERDICTS.map((name, i) => [name, exports['alert'](i)]))
    expect(alerts).toMatchObject({
      Valid: 0,
      NoCertificate: 50,
      BadSignature: 42,
      WeakKey: 43,
      Expired: 45,
      NotYetValid: 45,
      WrongName: 46,
      UnknownAnchor: 48,
      AnchorsUnreadable: 80,
    })
  })

  it('needs no more than four kilobytes', () => {
    expect(judge.entry.exports['trustFits']()).toBeTruthy()
    expect(judge.entry.exports['stateSize']()).toBeLessThan(2048)
  })
})
