// `noonmark anchors [FILE.pem ...]`: makes the image of the trust anchors from PEM files: those of the system for all
// upstream servers, and those of single servers under a label (`--ca LABEL=FILE.pem`, in the settings `ca=LABEL`).
//
//   out   STATE/anchors.bin, which a virtual board has behind its flash's log from its next start on; or --out FILE, for
//         the area `anchors` of a real board's flash map
//
// It says what it took, and of what it left out, why. Result: the exit status; every failure is one sentence on stderr.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Anchor, anchorImage, LABEL_MAX, labelTag, makeAnchor } from './anchor_image'
import { pemCertificates } from './certificate'
import { ANCHORS_FILE } from './state'

const BOARD_FILE = fileURLToPath(new URL('../boards/esp32c3-devkitm-w5500.json', import.meta.url))

/** Where systems keep their bundle: Debian and Arch, Fedora, openSUSE, Alpine, FreeBSD and macOS. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

export interface AnchorsOptions {
  state: string
  /** `LABEL=FILE.pem` each. */
  ca: string[]
  out?: string
  /** False: none for all servers, only those of `ca`. */
  system: boolean
  list: boolean
}

export class AnchorsError extends Error {}

interface Source {
  label: string
  file: string
}

/** Resolves to the exit status. */
export async function anchors(
  files: string[],
  options: AnchorsOptions,
  say: (line: string) => void = console.log,
): Promise<number> {
  try {
    const sources = [...systemSources(files, options), ...options.ca.map(labelled)]
    const { taken, image, size } = collect(sources, options.list, say)
    const out = options.out === undefined ? stateFile(options.state) : resolve(options.out)
    write(out, image)
    say(`${taken.length} anchors, ${image.length} of ${size} bytes, written to ${out}`)
    return 0
  } catch (error) {
    if (!(error instanceof AnchorsError)) throw error
    console.error(`noonmark: ${error.message}`)
    return 1
  }
}

/** The image of the system's anchors; an AnchorsError when there are none or too many. */
export function systemAnchors(say: (line: string) => void): Buffer {
  return collect(systemSources([], { system: true }), false, say).image
}

function systemSources(files: string[], { system }: Pick<AnchorsOptions, 'system'>): Source[] {
  if (!system) {
    if (files.length > 0)
      throw new AnchorsError('--no-system and files of anchors for all servers contradict each other')
    return []
  }
  if (files.length > 0) return files.map((file) => ({ label: '', file }))
  const bundle = SYSTEM_BUNDLES.find((file) => existsSync(file))
  if (bundle === undefined)
    throw new AnchorsError('this system has no bundle of anchors where it is looked for: name a PEM file')
  return [{ label: '', file: bundle }]
}

function labelled(text: string): Source {
  const [, label = '', file = ''] = /^([a-z0-9][a-z0-9.-]*)=(.+)$/.exec(text) ?? []
  if (file === '' || label.length > LABEL_MAX) {
    throw new AnchorsError(
      `${text} is not LABEL=FILE.pem with a label of at most ${LABEL_MAX} small letters, digits, dots and hyphens`,
    )
  }
  return { label, file }
}

function areaSize(): number {
  return JSON.parse(readFileSync(BOARD_FILE, 'utf8')).flash.anchors.size
}

/** `size`: of the flash area, in bytes. */
function collect(
  sources: Source[],
  list: boolean,
  say: (line: string) => void,
): { taken: Anchor[]; image: Buffer; size: number } {
  const now = Date.now() / 1000
  const taken = new Map<string, Anchor>()
  const tags = new Map<number, string>()
  for (const { label, file } of sources) {
    const other = tags.get(labelTag(label)) ?? label
    if (other !== label)
      throw new AnchorsError(`the labels ${label} and ${other} have the same CRC-32: change one of them`)
    tags.set(labelTag(label), label)
    const all = read(file)
    const before = taken.size
    for (const der of all) {
      const result = makeAnchor(der, label, now)
      if ('reason' in result) say(`left out ${result.name}: ${result.reason}`)
      else taken.set(result.anchor.record.toString('latin1'), result.anchor)
    }
    const added = taken.size - before
    say(`${file}${label === '' ? '' : ` as ${label}`}: ${all.length} certificates, ${added} taken`)
    if (label !== '' && added === 0)
      throw new AnchorsError(`${file} has no certificate that can be the anchor ${label}`)
  }
  const anchors = [...taken.values()]
  if (list) {
    for (const { name, label, notAfter } of anchors) {
      say(`${new Date(notAfter * 1000).toISOString().slice(0, 10)}  ${label === '' ? '-' : label}  ${name}`)
    }
  }
  const image = anchorImage(anchors)
  const size = areaSize()
  if (image.length > size) {
    throw new AnchorsError(
      `${anchors.length} anchors take ${image.length} bytes, more than the ${size} of the flash area`,
    )
  }
  return { taken: anchors, image, size }
}

function read(file: string): Buffer[] {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (error) {
    throw new AnchorsError(`${file} cannot be read: ${(error as Error).message}`)
  }
  const all = pemCertificates(text)
  if (all.length === 0) throw new AnchorsError(`${file} has no certificate in PEM`)
  return all
}

function stateFile(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw new AnchorsError(`the state folder ${folder} cannot be used: ${(error as Error).message}`)
  }
  return join(resolve(folder), ANCHORS_FILE)
}

/** A board that starts meanwhile sees the old file or the new one. */
function write(file: string, image: Buffer): void {
  try {
    writeFileSync(`${file}.part`, image)
    renameSync(`${file}.part`, file)
  } catch (error) {
    throw new AnchorsError(`${file} cannot be written: ${(error as Error).message}`)
  }
}
