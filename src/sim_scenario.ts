// `noonmark sim scenario FILE`: plays a Wokwi automation scenario, offline on the simulated ESP32-C3 with the very chips that
// Wokwi loads, or with --wokwi on Wokwi's servers.
//
// Exit status: 0 when every step was passed, 1 when one failed, 2 when the scenario could not be played.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WokwiMachine } from '../sim/wokwi/host/machine'
import { LocalStage, play } from '../sim/wokwi/host/player'
import { type Project, readProject } from '../sim/wokwi/host/project'
import { parseScenario, type Scenario } from '../sim/wokwi/host/scenario'
import { esp32c3Firmware } from './esp32c3'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
export const WOKWI_FOLDER = join(ROOT, 'sim/wokwi')

export interface SimScenarioOptions {
  /** On Wokwi's servers. */
  readonly wokwi: boolean
  /** Simulated milliseconds at most. */
  readonly timeout: number
  /** No serial text, only the verdict. */
  readonly quiet: boolean
}

export async function simScenario(file: string, options: SimScenarioOptions): Promise<number> {
  let scenario: Scenario
  try {
    if (!existsSync(file)) throw new Error(`${file}: there is no such file`)
    scenario = parseScenario(readFileSync(file, 'utf8'), file)
  } catch (error) {
    return refuse(error)
  }
  try {
    return await (options.wokwi ? playRemotely(scenario, file, options) : playHere(scenario, file, options))
  } catch (error) {
    return refuse(error)
  }
}

/** Builds what is stale and reads the project. */
export async function wokwiProject(): Promise<{ project: Project; core: Uint8Array }> {
  const { core, board } = await esp32c3Firmware()
  // Not bundled: the build finds its files from its own place.
  const { buildChips, writeFlasherArgs } = await import(new URL('../bin/build_wokwi.mjs', import.meta.url).href)
  await buildChips()
  writeFlasherArgs(board.flash.size)
  return { project: readProject(WOKWI_FOLDER), core }
}

async function playHere(scenario: Scenario, file: string, options: SimScenarioOptions): Promise<number> {
  const { project, core } = await wokwiProject()
  const machine = new WokwiMachine(project, core)
  const stage = new LocalStage(machine, options.timeout * 1e6)
  if (!options.quiet) {
    stage.onSerial = show
    stage.onChipOutput = log
  }
  const failed = await playTo(scenario, () => play(scenario, stage, file, (text) => log(scenario.name, text)))
  for (const sentence of machine.reports) console.error(`noonmark: the simulated chip: ${sentence}`)
  return failed
}

async function playRemotely(scenario: Scenario, file: string, options: SimScenarioOptions): Promise<number> {
  const token = process.env['WOKWI_CLI_TOKEN']
  if (!token) {
    throw new Error(
      'WOKWI_CLI_TOKEN is not set: --wokwi plays on the servers of wokwi.com, which ask for a token ' +
        '(https://wokwi.com/dashboard/ci). Without --wokwi the scenario is played here.',
    )
  }
  const { project } = await wokwiProject()
  const { RemoteStage } = await import('./wokwi_remote')
  const stage = await RemoteStage.open(project, token, options.timeout * 1e6)
  if (!options.quiet) {
    stage.onSerial = show
    stage.onChipOutput = log
  }
  try {
    return await playTo(scenario, () => play(scenario, stage, file, (text) => log(scenario.name, text)))
  } finally {
    stage.close()
  }
}

async function playTo(scenario: Scenario, run: () => Promise<void>): Promise<number> {
  try {
    await run()
    log(scenario.name, 'passed')
    return 0
  } catch (error) {
    console.error(`noonmark: ${error instanceof Error ? error.message : error}`)
    return 1
  }
}

/** Text of the board may end within a line. */
let midLine = false

function show(text: string): void {
  process.stdout.write(text)
  midLine = !text.endsWith('\n')
}

function log(name: string, text: string): void {
  show(`${midLine ? '\n' : ''}[${name}] ${text}\n`)
}

function refuse(error: unknown): number {
  console.error(`noonmark: ${error instanceof Error ? error.message : error}`)
  return 2
}
