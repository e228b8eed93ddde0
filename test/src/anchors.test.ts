// `noonmark anchors`: what it takes, what it leaves out and why, and what the firmware then finds in the flash.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { anchorImage, labelTag } from '../../src/anchor_image'
import { type AnchorsOptions, anchors } from '../../src/anchors'
import { pemCertificates, readCertificate } from '../../src/certificate'
import { StateFolder } from '../../src/state'
import { anchor, type Judge, loadJudge, NOW } from '../tls/x509_judge'
import { CA, type Made, OPENSSL, SERVER, Workshop } from '../tls/x509_openssl'

const folder = mkdtempSync(join(tmpdir(), 'noonmark-anchors-'))
const DAY = 86_400
/** The command judges by this machine's clock. */
const REAL_NOW = Math.floor(Date.now() / 1000)

let judge: Judge
let shop: Workshop
let root: Made
let leaf: Made

beforeAll(async () => {
  judge = await loadJudge()
  if (OPENSSL === undefined) return
  shop = new Workshop(REAL_NOW)
  root = shop.make('Root', { key: 'p256:root' })
  leaf = shop.make('Leaf', { issuer: root })
})
afterAll(() => {
  shop?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

async function run(
  files: string[],
  options: Partial<AnchorsOptions> = {},
): Promise<{ status: number; lines: string[] }> {
  const lines: string[] = []
  const complaints = vi.spyOn(console, 'error').mockImplementation((line) => lines.push(String(line)))
  const all = { state: join(folder, 'state'), ca: [], system: true, list: false, ...options }
  const status = await anchors(files, all, (line) => lines.push(line))
  complaints.mockRestore()
  return { status, lines }
}

describe.skipIf(OPENSSL === undefined)('noonmark anchors', () => {
  it('writes what the board then trusts into its state folder', async () => {
    const state = join(folder, 'state')
    const { status, lines } = await run([root.file], { list: true })
    expect(status).toBe(0)
    expect(lines.join('\n')).toMatch(
      /: 1 certificates, 1 taken\n\d{4}-\d\d-\d\d {2}- {2}Root\n1 anchors, \d+ of 98304 bytes, written to /,
    )
    const opened = new StateFolder(state)
    judge.flash.bytes = opened.loadAnchors() as Uint8Array
    opened.close()
    expect(judge.judge({ chain: [leaf.der], at: REAL_NOW })).toBe('Valid')
    expect(judge.judge({ chain: [leaf.der], at: REAL_NOW, label: 'lan' })).toBe('UnknownAnchor')
  })

  it('keeps the authority of a label to those that name it', async () => {
    const out = join(folder, 'labelled.bin')
    const other = shop.make('Other', { key: 'p256:other' })
    const { status, lines } = await run([other.file], { ca: [`lan=${root.file}`], out })
    expect(status).toBe(0)
    expect(lines.at(-1)).toMatch(/^2 anchors, /)
    judge.flash.bytes = readFileSync(out)
    expect(judge.judge({ chain: [leaf.der], at: REAL_NOW })).toBe('UnknownAnchor')
    expect(judge.judge({ chain: [leaf.der], at: REAL_NOW, label: 'lan' })).toBe('Valid')
    const alone = await run([], { ca: [`lan=${root.file}`], out, system: false })
    expect(alone.lines.at(-1)).toMatch(/^1 anchors, /)
  })

  it('leaves out what the firmware could not or should not use, and says why', async () => {
    const cases: [Made, RegExp][] = [
      [
        shop.make('Expired', { notBefore: REAL_NOW - 9 * DAY, notAfter: REAL_NOW - DAY }),
        /Expired: it expired on \d{4}-/,
      ],
      [shop.make('Short', { key: 'rsa1024' }), /Short: its RSA key has only 1024 bits/],
      [shop.make('Odd', { key: 'p521' }), /Odd: its key is of a kind/],
      [shop.make('Server', { extensions: SERVER }), /Server: it is not an authority/],
      [shop.make('Mute', { extensions: [CA[0] as string, 'keyUsage=cRLSign'] }), /Mute: its key may not sign/],
      [
        shop.make('Client', { extensions: [...CA, 'extendedKeyUsage=clientAuth'] }),
        /Client: it does not vouch for servers/,
      ],
      [
        shop.make('Mail', { extensions: [...CA, 'nameConstraints=permitted;email:a.example'] }),
        /Mail: its name constraints/,
      ],
      [shop.make('New', { extensions: [...CA, '1.2.3.4=critical,ASN1:NULL'] }), /New: it has a critical extension/],
      [
        shop.make('Wide', {
          extensions: [
            ...CA,
            `nameConstraints=permitted;DNS:${'a.'.repeat(100)}example,permitted;DNS:${'b.'.repeat(100)}example,excluded;DNS:${'c.'.repeat(110)}example,excluded;DNS:${'d.'.repeat(110)}example`,
          ],
        }),
        /Wide: its record of \d+ bytes/,
      ],
    ]
    const bundle = join(folder, 'bundle.pem')
    const bad = '-----BEGIN CERTIFICATE-----\nMAMCAQ==\n-----END CERTIFICATE-----\n'
    writeFileSync(bundle, `${cases.map(([{ pem }]) => pem).join('')}${bad}${root.pem}${root.pem}`)
    const { status, lines } = await run([bundle], { out: join(folder, 'left.bin') })
    expect(status).toBe(0)
    for (const [, reason] of cases) expect(lines.join('\n')).toMatch(reason)
    expect(lines.join('\n')).toMatch(/\(unreadable\): it is no certificate/)
    expect(lines.at(-1)).toMatch(/^1 anchors/)
  })

  it('takes the certificate of a server that vouches for itself, under a label', async () => {
    const alone = shop.make('Alone', { key: 'p256:alone', extensions: SERVER })
    const out = join(folder, 'alone.bin')
    expect((await run([], { ca: [`box=${alone.file}`], system: false, out })).status).toBe(0)
    judge.flash.bytes = readFileSync(out)
    expect(judge.judge({ chain: [alone.der], at: REAL_NOW, label: 'box' })).toBe('Valid')
  })

  it('fails with one sentence', async () => {
    const text = join(folder, 'text.pem')
    writeFileSync(text, 'nothing\n')
    for (const [files, options, sentence] of [
      [[join(folder, 'absent.pem')], {}, /absent.pem cannot be read: ENOENT/],
      [[text], {}, /text.pem has no certificate in PEM/],
      [[], { ca: ['lan'] }, /lan is not LABEL=FILE.pem/],
      [[], { ca: [`Lan=${root.file}`] }, /is not LABEL=FILE.pem/],
      [[root.file], { system: false }, /contradict each other/],
      [[root.file], { out: join(folder, 'no', 'where') }, /cannot be written/],
      [
        [],
        { system: false, ca: [`a=${shop.make('Odd', { key: 'p521' }).file}`] },
        /no certificate that can be the anchor a/,
      ],
    ] as [string[], Partial<AnchorsOptions>, RegExp][]) {
      const { status, lines } = await run(files, options)
      expect(status).toBe(1)
      expect(lines.at(-1)).toMatch(sentence)
    }
  })

  it('says when the area of the flash is too small', async () => {
    const many = join(folder, 'many.pem')
    const subjects = [...Array(110).keys()].map((i) => `permitted;DNS:${'x'.repeat(60)}.${i}.example`)
    const made = [...Array(130).keys()].map((i) =>
      shop.make(`Many ${i}`, {
        key: 'p256:many',
        extensions: [...CA, `nameConstraints=${subjects.slice(i % 100, (i % 100) + 9).join(',')}`],
      }),
    )
    writeFileSync(many, made.map(({ pem }) => pem).join(''))
    const { status, lines } = await run([many], { out: join(folder, 'many.bin') })
    expect(status).toBe(1)
    expect(lines.at(-1)).toMatch(/130 anchors take \d+ bytes, more than the 98304 of the flash area/)
  })
})

describe.skipIf(OPENSSL === undefined)('an image of anchors', () => {
  it('finds each of many', () => {
    const all = [...Array(20).keys()].map((i) => shop.make(`Root ${i}`, { key: `p256:${i % 3}` }))
    const image = anchorImage(all.map(({ der }) => anchor(der)))
    for (const each of all) {
      judge.flash.bytes = image
      judge.flash.longestRead = 0
      expect(judge.judge({ chain: [shop.make('Leaf', { issuer: each }).der], at: REAL_NOW })).toBe('Valid')
      expect(judge.flash.longestRead).toBeLessThanOrEqual(128)
    }
  })

  it('is the same whatever the order of the files', () => {
    const all = ['a', 'b', 'c'].map((name) => anchor(shop.make(name).der))
    expect(anchorImage([...all].reverse())).toEqual(anchorImage(all))
    expect(anchorImage([...all, ...all])).toEqual(anchorImage(all))
  })
})

describe('the host', () => {
  it('reads the certificates of a PEM file', () => {
    const text = readFileSync(new URL('./certificates/trusted.pem', import.meta.url), 'latin1')
    const [der, ...more] = pemCertificates(`noise\n${text}\nnoise`)
    expect(more).toEqual([])
    const { version, authority, key, notAfter } = readCertificate(der as Buffer)
    expect([version, authority, key.kind]).toEqual([3, true, 'p256'])
    expect(notAfter).toBeGreaterThan(NOW)
  })

  it('gives labels tags, and none to the system', () => {
    expect(labelTag('')).toBe(0)
    expect(labelTag('lan')).toBeGreaterThan(0)
  })
})
