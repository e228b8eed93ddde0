// Every scenario of sim/wokwi, played offline: the flash image on the simulated ESP32-C3 with the chips that Wokwi loads.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { WokwiMachine } from '../../sim/wokwi/host/machine'
import { LocalStage, play } from '../../sim/wokwi/host/player'
import { parseScenario } from '../../sim/wokwi/host/scenario'
import { wokwiProject } from '../../src/sim_scenario'

const FOLDER = fileURLToPath(new URL('../../sim/wokwi/scenarios/', import.meta.url))
const LIMIT = 300e9

let built: Awaited<ReturnType<typeof wokwiProject>> | undefined
try {
  built = await wokwiProject()
} catch (error) {
  console.log(`the ESP32-C3 image cannot be built here: ${(error as Error).message}`)
}

function stage(limit = LIMIT): LocalStage {
  return new LocalStage(new WokwiMachine(built!.project, built!.core), limit)
}

const run = (text: string, where: LocalStage) => play(parseScenario(text, 'f.yaml'), where, 'f.yaml', () => {})

describe.skipIf(built === undefined)('the scenarios', () => {
  it.each(readdirSync(FOLDER))('plays_%s', async (file) => {
    const text = readFileSync(FOLDER + file, 'utf8')
    const where = stage()
    await play(parseScenario(text, file), where, file, () => {})
    expect(where.machine.reports).toEqual([])
    expect(where.nanos).toBeLessThan(LIMIT)
  })

  it('plays_the_same_way_twice', async () => {
    const text = readFileSync(`${FOLDER}gps_lock.test.yaml`, 'utf8')
    const once = async () => {
      const where = stage()
      await run(text, where)
      return [where.nanos, where.serial, where.chipOutput]
    }
    expect(await once()).toEqual(await once())
  })

  it('tells_line_and_time_of_a_step_that_fails', async () => {
    const head = 'name: x\nversion: 1\nsteps:\n  - delay: 2s\n'
    await expect(run(`${head}  - expect-pin: { part-id: esp, name: TX, value: 1 }\n`, stage())).rejects.toThrow(
      'f.yaml:5: 2.000 s: esp:TX is 0, not 1',
    )
    await expect(run(`${head}  - wait-serial: never\n`, stage(3e9))).rejects.toThrow(
      'f.yaml:5: 3.000 s: nothing came in 3 s',
    )
    await expect(run(`${head}  - set-control: { part-id: rtc, name: no, value: 1 }\n`, stage())).rejects.toThrow(
      'f.yaml:5: 2.000 s: rtc has no control no',
    )
  })

  it('notices_a_wire_that_is_missing', async () => {
    const { project, core } = built!
    const nets = project.diagram.nets.filter((net) => !net.includes('receiver:PPS'))
    const machine = new WokwiMachine({ ...project, diagram: { ...project.diagram, nets } }, core)
    const text = 'name: x\nversion: 1\nsteps:\n  - wait-serial: ready\n'
    await expect(run(text, new LocalStage(machine, 60e9))).rejects.toThrow('nothing came')
  })
})
