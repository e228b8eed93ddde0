// The walls of docs/architecture.md: what may import what.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The rooms of firmware/, each may import from those before it. */
const ROOMS = ['time', 'bytes', 'crypto', 'drivers', 'gnss', 'clock', 'tls', 'nts', 'ntp', 'net', 'console']

/** Rooms that may speak to the machine. */
const HAL_ROOMS = ['drivers', 'clock', 'main.ts']

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
}

/** The project files that a file imports, as paths from the root without extension, and bare package names. */
function imports(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [...text.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name = '']) =>
    name.startsWith('.') ? normalize(join(dirname(file), name)) : name,
  )
}

describe('the rooms of the house', () => {
  it('lets a firmware room import only from rooms before it', () => {
    const wrong: string[] = []
    for (const file of sources('firmware')) {
      const [, room = ''] = file.split('/')
      if (!ROOMS.includes(room)) continue
      for (const target of imports(file)) {
        const [top, other = ''] = target.split('/')
        if (top !== 'firmware') continue
        const allowed = ROOMS.includes(other) && ROOMS.indexOf(other) <= ROOMS.indexOf(room)
        if (!allowed) wrong.push(`${file} imports ${target}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('has no room that the list does not know', () => {
    const found = sources('firmware').map((file) => file.split('/')[1] ?? '')
    const unknown = [...new Set(found)].filter((name) => !ROOMS.includes(name) && name !== 'main.ts')
    expect(unknown).toEqual([])
  })

  it('lets only the drivers, the clock and main.ts speak to the machine', () => {
    const wrong = sources('firmware').filter(
      (file) => imports(file).includes('hal/abi') && !HAL_ROOMS.includes(file.split('/')[1] ?? ''),
    )
    expect(wrong).toEqual([])
  })

  it('keeps the firmware free of everything outside firmware and hal/abi', () => {
    const wrong = sources('firmware').flatMap((file) =>
      imports(file)
        .filter((target) => !target.startsWith('firmware/') && target !== 'hal/abi')
        .map((target) => `${file} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  it('keeps the simulation ignorant of the firmware, but for the primitives that a scripted peer shares', () => {
    const wrong = [...sources('sim'), ...sources('hal')].filter((file) =>
      imports(file)
        // docs/decisions/0010-wokwi.md
        .filter((target) => !(file.startsWith('sim/wokwi/chips/') && target.startsWith('firmware/crypto/')))
        .some((target) => target.startsWith('firmware/') || target.startsWith('src/')),
    )
    expect(wrong).toEqual([])
  })

  it('keeps the chip models within the portable subset: they import only each other', () => {
    const wrong = sources('sim/chips').flatMap((file) =>
      imports(file)
        .filter((target) => !target.startsWith('sim/chips/'))
        .map((target) => `${file} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  it('keeps the oracles of the tests out of the firmware and the simulation', () => {
    const wrong = [...sources('firmware'), ...sources('sim'), ...sources('hal')].filter((file) =>
      imports(file).some((target) => target.startsWith('@noble/')),
    )
    expect(wrong).toEqual([])
  })

  it('imports only files that exist', () => {
    const folders = ['firmware', 'hal', 'sim', 'src', 'test']
    const missing = folders.flatMap((folder) =>
      sources(folder).flatMap((file) =>
        imports(file)
          .filter((target) => folders.includes(target.split('/')[0] ?? ''))
          .filter(
            (target) =>
              !['', '.ts', '.mjs', '.d.ts', '/index.ts'].some((end) => existsSync(join(ROOT, `${target}${end}`))),
          )
          .map((target) => `${file} imports ${target}`),
      ),
    )
    expect(missing).toEqual([])
  })
})
