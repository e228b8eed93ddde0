// Hundreds of chains, drawn by a seeded hand and made by the `openssl` command, judged by the firmware and by `openssl
// verify`. Where the two differ, one of the reasons in `DIFFERENCES` must say why; docs/decisions/0016-certificates.md
// tells the same list.
//
// OpenSSL is asked with -purpose sslserver, -verify_hostname, -attime and -auth_level 2 (RSA from 2048 bits, no SHA-1).

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Random } from '../../sim/world/random'
import { spoil } from '../tls/der_tree'
import { type Judge, loadJudge, NOW, type Verdict } from '../tls/x509_judge'
import { AKI, type Made, OPENSSL, type Recipe, Workshop } from '../tls/x509_openssl'

const CHAINS = 300
const DAY = 86_400
const KEYS = ['p256', 'p256', 'p384', 'rsa2048', 'ed25519']
const HOSTS = ['time.example.com', 'ntp.example.org', 'a.b.example.com', 'example.com']
const ALL_NAMES = [
  ...HOSTS.map((host) => `DNS:${host}`),
  'DNS:*.example.com',
  'DNS:t*.example.com',
  'DNS:*.com',
  'IP:192.0.2.7',
  'email:a@example.com',
]
const BASES = [
  'DNS:example.com',
  'DNS:example.org',
  'DNS:.example.com',
  'DNS:time.example.com',
  'DNS:com',
  'IP:192.0.2.0/255.255.255.0',
]

/** What was drawn, as far as a difference may hang on it. */
interface Chain {
  root: Made
  /** Leaf first, as the server sends them. */
  sent: Made[]
  host: string
  at: number
  traits: Set<string>
}

/** X509_V_ERR_ numbers that mean what the verdict says. 20 and 21: no issuer found, since OpenSSL passes over unfit ones. */
const CODES: Partial<Record<Verdict, number[]>> = {
  Expired: [10],
  NotYetValid: [9],
  WrongName: [62],
  WrongUsage: [26],
  NotAuthority: [20, 24, 26, 32, 79],
  UnknownAnchor: [2, 18, 19, 20, 21],
  BadSignature: [7],
  PathTooLong: [25],
  NameNotPermitted: [47, 48],
  WeakSignature: [68],
  WeakKey: [66, 67],
  UnknownCritical: [34, 51],
}

/** Why the firmware may refuse what OpenSSL accepts: by verdict, and what must be true of the chain. */
const DIFFERENCES: [string, Verdict, (chain: Chain) => boolean][] = [
  [
    'a TLS 1.3 server signs: keyEncipherment alone is of no use',
    'WrongUsage',
    ({ traits }) => traits.has('encipherment only'),
  ],
  ['a wildcard is a whole label', 'WrongName', ({ traits }) => traits.has('DNS:t*.example.com')],
  ['a name is never taken from the commonName', 'WrongName', ({ traits }) => traits.has('common name')],
  [
    'a wildcard may stand for an excluded name',
    'NameNotPermitted',
    ({ traits }) => traits.has('DNS:*.example.com') && traits.has('excluded'),
  ],
]

let judge: Judge
let shop: Workshop

beforeAll(async () => {
  judge = await loadJudge('release')
  if (OPENSSL !== undefined) shop = new Workshop(NOW)
})
afterAll(() => shop?.dispose())

class Hand {
  constructor(private readonly random: Random) {}
  below(count: number): number {
    return Math.floor(this.random.uniform() * count)
  }
  chance(probability: number): boolean {
    return this.random.uniform() < probability
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
  some<T>(list: readonly T[], count: number): T[] {
    return [...Array(count).keys()].map(() => this.pick(list))
  }
  shuffled<T>(list: T[]): T[] {
    return list
      .map((each) => ({ each, at: this.random.uniform() }))
      .sort((a, b) => a.at - b.at)
      .map(({ each }) => each)
  }
}

function dates(hand: Hand): Pick<Recipe, 'notBefore' | 'notAfter'> {
  if (!hand.chance(0.06)) return {}
  return hand.chance(0.5)
    ? { notAfter: NOW - DAY * (1 + hand.below(20)) }
    : { notBefore: NOW + DAY * (1 + hand.below(20)) }
}

function digest(hand: Hand, signer: string): Pick<Recipe, 'digest'> {
  if (signer.startsWith('ed')) return {}
  return { digest: hand.chance(0.02) ? 'sha1' : hand.pick(['sha256', 'sha384', 'sha512']) }
}

function authorityExtensions(hand: Hand, traits: Set<string>): string[] {
  const lines: string[] = []
  if (!hand.chance(0.03)) {
    const authority = hand.chance(0.03) ? 'CA:FALSE' : 'CA:TRUE'
    const length = authority === 'CA:TRUE' && hand.chance(0.3) ? `,pathlen:${hand.below(3)}` : ''
    lines.push(`basicConstraints=${hand.pick(['critical,', ''])}${authority}${length}`)
  }
  if (!hand.chance(0.1)) lines.push(`keyUsage=${hand.chance(0.04) ? 'cRLSign' : 'keyCertSign,cRLSign'}`)
  if (hand.chance(0.15)) lines.push(`extendedKeyUsage=${hand.chance(0.25) ? 'clientAuth' : 'clientAuth,serverAuth'}`)
  if (hand.chance(0.25)) {
    const kinds = hand.some(['permitted', 'excluded'], 1 + hand.below(2))
    for (const kind of kinds) traits.add(kind)
    lines.push(`nameConstraints=critical,${kinds.map((kind) => `${kind};${hand.pick(BASES)}`).join(',')}`)
  }
  if (hand.chance(0.8)) lines.push('subjectKeyIdentifier=hash')
  if (hand.chance(0.8)) lines.push(AKI)
  return lines
}

function leafExtensions(hand: Hand, host: string, traits: Set<string>): string[] {
  const lines: string[] = []
  const names = hand.some(ALL_NAMES, hand.below(3))
  if (!hand.chance(0.08)) names.push(`DNS:${host}`)
  if (names.length > 0) lines.push(`subjectAltName=${names.join(',')}`)
  for (const name of names) traits.add(name)
  if (!names.some((name) => name.startsWith('DNS:'))) traits.add('common name')
  if (hand.chance(0.8)) {
    const usage = hand.chance(0.06)
      ? 'keyEncipherment'
      : hand.chance(0.03)
        ? 'nonRepudiation'
        : 'digitalSignature,keyEncipherment'
    if (usage === 'keyEncipherment') traits.add('encipherment only')
    lines.push(`keyUsage=critical,${usage}`)
  }
  if (hand.chance(0.7))
    lines.push(
      `extendedKeyUsage=${hand.chance(0.06) ? hand.pick(['clientAuth', 'anyExtendedKeyUsage']) : 'serverAuth'}`,
    )
  if (hand.chance(0.04)) lines.push('1.2.3.4=critical,ASN1:NULL')
  if (hand.chance(0.7)) lines.push(AKI)
  return lines
}

/** Authorities are used again for several leaves, since each certificate costs a call of openssl. */
class Forest {
  readonly roots: Made[]
  private readonly authorities: { made: Made; above: Made[]; root: Made; traits: Set<string> }[] = []
  private count = 0

  constructor(private readonly hand: Hand) {
    this.roots = ['p256', 'rsa2048', 'ed25519', 'p384'].map((kind) =>
      shop.make(`Root ${kind}`, { key: `${kind}:root` }),
    )
  }

  /** An authority below a root or below another, or a root itself. */
  authority(): { made: Made; above: Made[]; root: Made; traits: Set<string> } {
    const { hand } = this
    if (hand.chance(0.15)) {
      const root = hand.pick(this.roots)
      return { made: root, above: [], root, traits: new Set() }
    }
    if (this.authorities.length > 20 && hand.chance(0.7)) return hand.pick(this.authorities)
    const deep = hand.chance(0.4) && this.authorities.length > 0 ? hand.pick(this.authorities) : undefined
    const parent = deep && deep.above.length < 2 ? deep : undefined
    const root = parent?.root ?? hand.pick(this.roots)
    const issuer = parent?.made ?? root
    const traits = new Set(parent?.traits)
    const kind = hand.chance(0.02) ? 'rsa1024' : hand.pick(KEYS)
    const made = shop.make(`Authority ${this.count++}`, {
      key: `${kind}:${hand.below(2)}`,
      issuer,
      extensions: authorityExtensions(hand, traits),
      ...dates(hand),
      ...digest(hand, issuer.key),
    })
    const result = { made, above: parent ? [parent.made, ...parent.above] : [], root, traits }
    this.authorities.push(result)
    return result
  }

  chain(): Chain {
    const { hand } = this
    const { made: issuer, above, root, traits: inherited } = this.authority()
    const traits = new Set(inherited)
    const host = hand.pick(HOSTS)
    const leaf = shop.make(hand.pick(HOSTS), {
      key: `${hand.pick(KEYS)}:leaf`,
      issuer,
      extensions: leafExtensions(hand, host, traits),
      ...dates(hand),
      ...digest(hand, issuer.key),
    })
    let others = issuer === root ? [] : [issuer, ...above]
    if (hand.chance(0.05)) others = others.slice(1)
    if (hand.chance(0.2)) others = [...others, root]
    if (hand.chance(0.3)) others = hand.shuffled(others)
    const trusted = hand.chance(0.05) ? hand.pick(this.roots) : root
    const at = hand.chance(0.1) ? NOW + DAY * (hand.below(800) - 400) : NOW
    return { root: trusted, sent: [leaf, ...others], host, at, traits }
  }
}

/** What `openssl verify` says: the X509_V_ERR_ numbers, none when it accepts. */
function opensslErrors({ root, sent: [leaf, ...others], host, at }: Chain): number[] {
  const untrusted = join(shop.folder, 'untrusted.pem')
  writeFileSync(untrusted, others.map(({ pem }) => pem).join(''))
  const { status, output } = shop.try(
    'verify',
    '-attime',
    `${at}`,
    '-purpose',
    'sslserver',
    '-verify_hostname',
    host,
    '-auth_level',
    '2',
    '-no-CApath',
    '-no-CAstore',
    '-CAfile',
    root.file,
    ...(others.length > 0 ? ['-untrusted', untrusted] : []),
    (leaf as Made).file,
  )
  const errors = [...output.matchAll(/error (\d+) at/g)].map(([, code]) => Number(code))
  if (status !== 0 && errors.length === 0) throw new Error(output)
  return status === 0 ? [] : errors
}

describe.skipIf(OPENSSL === undefined)('the judge of certificate chains', () => {
  it(`says of ${CHAINS} chains what openssl verify says, but for the listed differences`, { timeout: 240_000 }, () => {
    const forest = new Forest(new Hand(new Random(5280)))
    const found = new Map<string, number>()
    const surprises: string[] = []
    let twice = 0
    const count = (what: string) => found.set(what, (found.get(what) ?? 0) + 1)
    for (let i = 0; i < CHAINS; i++) {
      const chain = forest.chain()
      judge.trust({ der: chain.root.der })
      const verdict = judge.judge({ chain: chain.sent.map(({ der }) => der), name: chain.host, at: chain.at })
      const errors = opensslErrors(chain)
      count(verdict)
      if (verdict === 'Valid' && errors.length === 0) continue
      if (errors.length > 0 && verdict !== 'Valid') {
        if (!(CODES[verdict] ?? []).some((code) => errors.includes(code))) twice++
        continue
      }
      const reason = DIFFERENCES.find(([, about, holds]) => about === verdict && holds(chain))
      if (reason) count(reason[0])
      else surprises.push(`${i}: ${verdict}, openssl ${errors}: ${chain.host} ${[...chain.traits]}`)
    }
    expect(surprises).toEqual([])
    expect(found.get('Valid')).toBeGreaterThan(CHAINS / 4)
    expect(found.size).toBeGreaterThan(8)
    // Chains with two faults: each side names the one that it meets first.
    expect(twice).toBeLessThan(CHAINS / 10)
  })

  describe('differs from openssl', () => {
    const verdicts = (sent: Made[], host = 'time.example.com', at = NOW, root = sent.at(-1) as Made) => {
      judge.trust({ der: root.der, label: 'x' })
      const verdict = judge.judge({ chain: sent.map(({ der }) => der), name: host, at, label: 'x' })
      return [verdict, opensslErrors({ root, sent, host, at, traits: new Set() })]
    }
    const names = 'subjectAltName=DNS:time.example.com'
    const issue = (extensions: string[], more: Partial<Recipe> = {}) => {
      const root = shop.make('Root', { key: 'p256:root' })
      return [shop.make('Leaf', { issuer: root, extensions, ...more }), root]
    }
    const below = (extensions: string[], leaf = [names]) => {
      const root = shop.make('Root', { key: 'p256:root' })
      const above = shop.make('Above', { key: 'p256:above', issuer: root, extensions })
      return [shop.make('Leaf', { issuer: above, extensions: leaf }), above, root]
    }
    const authority = ['basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign']

    it('by counting the last second as valid (RFC 5280, section 4.1.2.5)', () => {
      const chain = issue([names], { notAfter: NOW })
      expect(verdicts(chain)).toEqual(['Valid', [10]])
      expect(verdicts(chain, undefined, NOW - 1)).toEqual(['Valid', []])
      expect(verdicts(chain, undefined, NOW + 1)).toEqual(['Expired', [10]])
    })

    it('by leaving the dates of an anchor out (RFC 5280, section 6.1.1)', () => {
      const root = shop.make('Old', { key: 'p256:root', notAfter: NOW - DAY })
      expect(verdicts([shop.make('Leaf', { issuer: root, extensions: [names] }), root])).toEqual(['Valid', [10]])
    })

    it('by never taking a name from the commonName (RFC 9525)', () => {
      const chain = issue(['keyUsage=digitalSignature'], { subject: '/CN=time.example.com' })
      expect(verdicts(chain)).toEqual(['WrongName', []])
    })

    it('by taking wildcards as whole labels only (RFC 9525)', () => {
      expect(verdicts(issue(['subjectAltName=DNS:t*.example.com']))).toEqual(['WrongName', []])
    })

    it('by wanting digitalSignature, since a TLS 1.3 server signs', () => {
      expect(verdicts(issue([names, 'keyUsage=keyEncipherment']))).toEqual(['WrongUsage', []])
    })

    it('by refusing a wildcard that may stand for an excluded name', () => {
      const constraint = 'nameConstraints=critical,excluded;DNS:bad.example.com'
      const chain = below([...authority, constraint], ['subjectAltName=DNS:*.example.com'])
      expect(verdicts(chain)).toEqual(['NameNotPermitted', []])
    })

    it('by refusing critical constraints on names that it cannot compare', () => {
      const chain = below([...authority, 'nameConstraints=critical,permitted;email:example.com'])
      expect(verdicts(chain)).toEqual(['UnknownCritical', []])
    })

    it('by refusing critical policies, which it does not process', () => {
      expect(verdicts(issue([names, 'certificatePolicies=critical,1.2.3']))).toEqual(['UnknownCritical', []])
    })

    it('by comparing names octet by octet', () => {
      const root = shop.make('Root', { subject: '/CN=ROOT', key: 'p256:root' })
      const other = shop.make('Root', { subject: '/CN=root', key: 'p256:root' })
      const leaf = shop.make('Leaf', { issuer: other, extensions: [names] })
      expect(verdicts([leaf, root])).toEqual(['UnknownAnchor', []])
    })

    it('by refusing PSS parameters other than the usual ones', () => {
      const root = shop.make('Root', { key: 'rsa2048:root' })
      const options = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20']
      const leaf = shop.make('Leaf', { issuer: root, extensions: [names], options })
      expect(verdicts([leaf, root])).toEqual(['UnsupportedAlgorithm', []])
    })

    it('by its bounds: six certificates are too many', () => {
      const chain = [shop.make('Root', { key: 'p256:root' })]
      for (let i = 0; i < 5; i++) {
        const issuer = chain[0] as Made
        chain.unshift(shop.make(`CA ${i}`, { key: `p256:${i}`, issuer, extensions: i < 4 ? authority : [names] }))
      }
      expect(verdicts(chain)).toEqual(['TooLarge', []])
      expect(verdicts(chain.slice(0, 5), undefined, NOW, chain[5])).toEqual(['Valid', []])
    })

    it('by strict DER, where openssl takes a length that is too long', () => {
      const [leaf, root] = issue([names]) as [Made, Made]
      const der = spoil(leaf.der, (tree) => {
        tree.field(1).length = Buffer.of(0x81, tree.field(1).contents?.length ?? 0)
      })
      judge.trust({ der: root.der })
      expect(judge.judge({ chain: [der] })).toBe('Malformed')
      writeFileSync(join(shop.folder, 'long.der'), der)
      expect(shop.try('x509', '-inform', 'DER', '-in', 'long.der', '-noout', '-subject').status).toBe(0)
    })
  })
})
