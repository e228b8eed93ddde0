// Debian packages, unpacked beside the build and not installed: no service is started, no conflict between packages
// arises (chrony and ntpsec refuse to be installed together), and the machine stays as it was.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT } from './setup.mjs'

/** Where the packages are unpacked. */
export const DEBIAN_ROOT = join(ROOT, 'build/debian/root')

/**
 * Unpacks the named packages, and those of their dependencies that this machine lacks, under DEBIAN_ROOT.
 * Returns undefined, or one sentence that says why it could not be done.
 */
export function fetchDebianPackages(names) {
  const stamp = join(ROOT, 'build/debian', `.${names.join('+')}`)
  if (existsSync(stamp)) return undefined
  if (!run('apt-get', ['--version']).ok || !run('dpkg', ['--version']).ok) {
    return `this system has no apt-get, so the Debian packages ${names.join(', ')} cannot be fetched`
  }
  const cache = join(ROOT, 'build/debian/cache')
  mkdirSync(join(cache, 'archives/partial'), { recursive: true })
  const options = ['-o', `Dir::Cache=${cache}`]
  let wanted = missing(names, options)
  if (wanted === undefined) {
    if (process.getuid?.() !== 0) {
      // An ordinary user keeps package lists of their own.
      const lists = join(ROOT, 'build/debian/lists')
      mkdirSync(join(lists, 'partial'), { recursive: true })
      options.push('-o', `Dir::State::lists=${lists}`)
    }
    run('apt-get', ['update', ...options])
    wanted = missing(names, options)
  }
  if (wanted === undefined) return `apt-get does not find the Debian packages ${names.join(', ')}`
  console.error(`noonmark: fetching the Debian packages ${wanted.join(', ')} (once; nothing is installed)`)
  const fetched = run('apt-get', ['download', ...options, ...wanted], { cwd: join(cache, 'archives') })
  if (!fetched.ok) return `apt-get download failed: ${fetched.text.trim().split('\n').at(-1)}`
  mkdirSync(DEBIAN_ROOT, { recursive: true })
  for (const file of readdirSync(join(cache, 'archives'))) {
    if (!file.endsWith('.deb')) continue
    const unpacked = run('dpkg', ['-x', join(cache, 'archives', file), DEBIAN_ROOT])
    if (!unpacked.ok) return `dpkg -x ${file} failed: ${unpacked.text.trim()}`
    rmSync(join(cache, 'archives', file))
  }
  writeFileSync(stamp, `${wanted.join('\n')}\n`)
  return undefined
}

/** The full path of a program from the unpacked packages, else from this machine, else undefined. */
export function findProgram(name) {
  for (const root of [DEBIAN_ROOT, '/']) {
    for (const folder of ['usr/sbin', 'usr/bin', 'sbin', 'bin', 'usr/local/bin']) {
      const file = join(root, folder, name)
      if (existsSync(file)) return file
    }
  }
  return undefined
}

/** Environment in which unpacked programs find their libraries and Python modules. */
export function debianEnvironment() {
  const folders = []
  for (const lib of ['usr/lib', 'lib']) {
    const base = join(DEBIAN_ROOT, lib)
    if (!existsSync(base)) continue
    folders.push(base)
    for (const name of readdirSync(base)) if (/-linux-gnu/.test(name)) folders.push(join(base, name))
  }
  return {
    ...process.env,
    LD_LIBRARY_PATH: folders.join(':'),
    PYTHONPATH: join(DEBIAN_ROOT, 'usr/lib/python3/dist-packages'),
  }
}

/** The packages that an installation of `names` would bring, themselves first; undefined when apt does not know one. */
function missing(names, options) {
  const found = new Set()
  for (const name of names) {
    // One at a time: packages that conflict are never asked for together.
    const { ok, text } = run('apt-get', ['install', '-s', '--no-install-recommends', ...options, name])
    if (!ok) return undefined
    found.add(name)
    for (const line of text.split('\n')) {
      const inst = /^Inst (\S+)/.exec(line)
      if (inst && !/-dev$/.test(inst[1])) found.add(inst[1])
    }
  }
  // An installed package needs no second copy, unless it was asked for and its program is not there.
  return [...found].filter((name) => !isInstalled(name))
}

function isInstalled(name) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholder
  const { ok, text } = run('dpkg-query', ['-W', '-f', '${Status}', name])
  return ok && text.includes('install ok installed')
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    ...options,
  })
  return { ok: result.status === 0, text: `${result.stdout ?? ''}${result.stderr ?? ''}` }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2)
  const reason = fetchDebianPackages(names)
  if (reason) {
    console.error(reason)
    process.exit(1)
  }
  console.log(readFileSync(join(ROOT, 'build/debian', `.${names.join('+')}`), 'utf8').trim())
}
