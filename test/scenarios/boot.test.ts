// The boot stories of the folder beside this file: what is served, when, and how far it is from the truth.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OPENSSL } from '../tls/x509_openssl'
import { Certificates } from './boot_servers'
import { bootFailures, chronicle, parseBootStory, playBoot } from './boot_story'

const FOLDER = fileURLToPath(new URL('./boot/', import.meta.url))
const wasm = readFileSync(new URL('../../build/noonmark.wasm', import.meta.url))

describe.skipIf(!OPENSSL)('a board boots as told in', () => {
  let certificates: Certificates
  beforeAll(() => {
    certificates = new Certificates()
  })
  afterAll(() => certificates.dispose())

  for (const file of readdirSync(FOLDER).sort()) {
    const boot = parseBootStory(readFileSync(FOLDER + file, 'utf8'), file)
    it(`${file.slice(0, 3)} ${boot.story.name}`, () => {
      const begun = performance.now()
      const result = playBoot(wasm, boot, certificates)
      console.log(`${chronicle(boot, result)}\n  ${((performance.now() - begun) / 1000).toFixed(1)} s`)
      expect(bootFailures(boot, result), result.console).toEqual([])
    }, 60_000)
  }
})
