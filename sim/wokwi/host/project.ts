// A Wokwi project on disk: wokwi.toml, diagram.json, the chips' modules, and the flash that flasher_args.json describes.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Diagram, parseDiagram } from './diagram'

export interface Project {
  folder: string
  diagram: Diagram
  /** Name of each chip -> its .chip.wasm. */
  modules: Map<string, Uint8Array>
  /** Name of each chip -> where its .chip.wasm is; the .chip.json lies beside it. */
  chipFiles: Map<string, string>
  /** The flash as Wokwi fills it. */
  flash: Uint8Array
}

/** `folder` holds wokwi.toml and diagram.json. Throws an Error whose message is a sentence. */
export function readProject(folder: string): Project {
  const toml = readFileSync(resolve(folder, 'wokwi.toml'), 'utf8')
  const chipFiles = new Map<string, string>()
  for (const [, name = '', binary = ''] of toml.matchAll(/^\[\[chip\]\]\s+name = '([^']+)'\s+binary = '([^']+)'/gm))
    chipFiles.set(name, resolve(folder, binary))
  const firmware = /^firmware = '([^']+)'/m.exec(toml)?.[1]
  if (!firmware) throw new Error(`${folder}/wokwi.toml names no firmware`)
  const diagram = parseDiagram(readFileSync(resolve(folder, 'diagram.json'), 'utf8'))
  return {
    folder,
    diagram,
    chipFiles,
    modules: new Map([...chipFiles].map(([name, file]) => [name, readFileSync(file)])),
    flash: readFlash(resolve(folder, firmware)),
  }
}

/** The flash chip, erased but for the files that flasher_args.json names. */
function readFlash(file: string): Uint8Array {
  const { flash_files, flash_settings } = JSON.parse(readFileSync(file, 'utf8'))
  const flash = new Uint8Array(Number.parseInt(flash_settings.flash_size, 10) << 20).fill(0xff)
  for (const [offset, name] of Object.entries<string>(flash_files))
    flash.set(readFileSync(resolve(dirname(file), name)), Number.parseInt(offset, 16))
  return flash
}
