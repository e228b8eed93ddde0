// Certificates made by the `openssl` command: the judge must not be tested with chains of our own making.
//
// Keys are made once for a workshop and named; a certificate says which key it certifies and which certificate signs it. `openssl
// ca` is used throughout, since it is the command that takes both dates.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { debianEnvironment, findProgram } from '../../bin/debian.mjs'

export const OPENSSL: string | undefined = findProgram('openssl')

const DAY = 86_400

const KEY_OPTIONS: Record<string, string[]> = {
  rsa1024: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
  rsa2048: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  rsa3072: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072'],
  rsa4096: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096'],
  pss2048: ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
  p224: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-224'],
  p256: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  p521: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  ed25519: ['-algorithm', 'ED25519'],
  ed448: ['-algorithm', 'ED448'],
}

export interface Made {
  name: string
  /** The key's name in its workshop. */
  key: string
  subject: string
  der: Buffer
  pem: string
  file: string
  /** It has a subject key identifier. */
  identified: boolean
}

export interface Recipe {
  /** As `openssl -subj` takes it; `/CN=` and the certificate's own name without one. */
  subject?: string
  /** Its kind, and after a colon what tells it from others of the kind: 'p256', 'rsa2048:b'. */
  key?: string
  /** The certificate whose key signs; without one it signs itself. */
  issuer?: Made
  /** Sign with another key than the issuer's. */
  signer?: string
  notBefore?: number
  notAfter?: number
  /** Lines of OpenSSL's x509v3_config(5). */
  extensions?: string[]
  digest?: string
  options?: string[]
  /** Version 1. */
  plain?: boolean
}

export const CA = [
  'basicConstraints=critical,CA:TRUE',
  'keyUsage=critical,keyCertSign,cRLSign',
  'subjectKeyIdentifier=hash',
]
export const AKI = 'authorityKeyIdentifier=keyid'
export function serverFor(...names: string[]): string[] {
  return [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth',
    `subjectAltName=${names.join(',')}`,
  ]
}
export const SERVER = serverFor('DNS:time.example.com')

export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'noonmark-x509-'))
  private readonly keys = new Map<string, string>()
  private made = 0

  constructor(
    /** Dates that a recipe does not give are this far around it. */
    private readonly now: number,
  ) {
    writeFileSync(join(this.folder, 'index.txt'), '')
    writeFileSync(join(this.folder, 'index.txt.attr'), 'unique_subject = no\n')
    writeFileSync(
      join(this.folder, 'ca.cnf'),
      [
        '[ca]',
        'default_ca = default',
        '[default]',
        `database = ${this.folder}/index.txt`,
        `new_certs_dir = ${this.folder}`,
        'rand_serial = yes',
        'unique_subject = no',
        'policy = any',
        'email_in_dn = yes',
        '[any]',
        ...['C', 'ST', 'L', 'O', 'OU', 'CN', 'emailAddress', 'serialNumber', 'DC'].map((part) => `${part} = optional`),
        '[req]',
        'distinguished_name = name',
        'string_mask = utf8only',
        '[name]',
        '',
      ].join('\n'),
    )
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** The file of a key. */
  key(name: string): string {
    let file = this.keys.get(name)
    if (file === undefined) {
      file = join(this.folder, `${name.replace(':', '-')}.key`)
      const kind = name.split(':')[0] ?? ''
      this.run('genpkey', ...(KEY_OPTIONS[kind] ?? []), '-out', file)
      this.keys.set(name, file)
    }
    return file
  }

  /** A request for a key; whose it is to be, the authority says. */
  private request(key: string): string {
    const file = `${this.key(key)}.csr`
    if (!existsSync(file)) {
      this.run(
        'req',
        '-new',
        '-config',
        join(this.folder, 'ca.cnf'),
        '-key',
        this.key(key),
        '-subj',
        '/CN=x',
        '-out',
        file,
      )
    }
    return file
  }

  make(name: string, recipe: Recipe = {}): Made {
    const id = `${name.replaceAll(/\W/g, '_')}-${this.made++}`
    const file = join(this.folder, `${id}.pem`)
    const { subject = `/CN=${name}`, key = 'p256', issuer } = recipe
    const signer = recipe.signer ?? issuer?.key ?? key
    const request = this.request(key)
    const config = join(this.folder, 'ca.cnf')
    const extensions = join(this.folder, `${id}.cnf`)
    const wanted = recipe.extensions ?? (issuer ? [...SERVER, AKI] : CA)
    const lines = wanted.filter((line) => line !== AKI || issuer?.identified)
    // OpenSSL adds key identifiers unless it is told not to.
    const none = ['subjectKeyIdentifier', 'authorityKeyIdentifier'].filter(
      (id) => !lines.some((line) => line.startsWith(id)),
    )
    writeFileSync(extensions, ['[x]', ...lines, ...none.map((id) => `${id}=none`), ''].join('\n'))
    this.run(
      'ca',
      '-batch',
      '-notext',
      '-preserveDN',
      '-utf8',
      '-config',
      config,
      '-subj',
      subject,
      '-in',
      request,
      '-out',
      file,
      '-keyfile',
      this.key(signer),
      ...(issuer ? ['-cert', issuer.file] : ['-selfsign']),
      '-startdate',
      asn1Time(recipe.notBefore ?? this.now - 30 * DAY),
      '-enddate',
      asn1Time(recipe.notAfter ?? this.now + 365 * DAY),
      ...(recipe.plain ? [] : ['-extfile', extensions, '-extensions', 'x']),
      '-md',
      recipe.digest ?? (/^ed/.test(signer) ? 'default' : 'sha256'),
      ...(recipe.options ?? []),
    )
    const identified = lines.some((line) => line.startsWith('subjectKeyIdentifier='))
    const pem = readFileSync(file, 'latin1')
    return { name, key, subject, file, identified, pem, der: pemToDer(pem) }
  }

  /** Status 0 and the output, or the output and another status. */
  try(...args: string[]): { status: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync(OPENSSL as string, args, {
      env: { ...debianEnvironment(), OPENSSL_CONF: '/dev/null' },
      encoding: 'latin1',
      cwd: this.folder,
    })
    return { status, output: `${stdout}${stderr}` }
  }

  run(...args: string[]): string {
    const { status, output } = this.try(...args)
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}:\n${output}`)
    return output
  }
}

function asn1Time(seconds: number): string {
  const text = new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return text
}

export function pemToDer(pem: string): Buffer {
  const [, body = ''] = /-----BEGIN CERTIFICATE-----([\s\S]*?)-----END/.exec(pem) ?? []
  return Buffer.from(body.replaceAll(/\s/g, ''), 'base64')
}
