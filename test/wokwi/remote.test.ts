// `--wokwi` against a stand-in for Wokwi's server: what is uploaded and asked, in which order. The real server has not been tried.

import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it, vi } from 'vitest'
import { parseDiagram } from '../../sim/wokwi/host/diagram'
import { play } from '../../sim/wokwi/host/player'
import type { Project } from '../../sim/wokwi/host/project'
import { parseScenario } from '../../sim/wokwi/host/scenario'
import { simScenario } from '../../src/sim_scenario'

const SCENARIO = [
  'name: x',
  'version: 1',
  'steps:',
  '  - set-control: { part-id: receiver, name: sky, value: 0 }',
  '  - delay: 5ms',
  '  - write-serial: "hi"',
  '  - wait-serial: ok',
  '  - expect-pin: { part-id: esp, name: "3", value: 1 }',
  '  - expect-chip-output: hello',
].join('\n')

afterEach(() => vi.restoreAllMocks())

it('asks_for_a_token_in_a_clear_sentence', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {})
  const token = process.env['WOKWI_CLI_TOKEN']
  delete process.env['WOKWI_CLI_TOKEN']
  const file = fileURLToPath(new URL('../../sim/wokwi/scenarios/gps_lock.test.yaml', import.meta.url))
  expect(await simScenario(file, { wokwi: true, timeout: 1000, quiet: true })).toBe(2)
  if (token !== undefined) process.env['WOKWI_CLI_TOKEN'] = token
  expect(said.mock.calls[0]![0]).toMatch(/^noonmark: WOKWI_CLI_TOKEN is not set: /)
})

it('refuses_a_file_that_is_not_there_or_not_a_scenario', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {})
  expect(await simScenario('/nowhere.yaml', { wokwi: false, timeout: 1000, quiet: true })).toBe(2)
  expect(said.mock.calls[0]![0]).toBe('noonmark: /nowhere.yaml: there is no such file')
})

it('uploads_the_project_starts_it_paused_and_turns_steps_into_commands', async () => {
  const { WebSocketServer } = createRequire(import.meta.resolve('@wokwi/client'))('ws')
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const asked: string[] = []
  let authorization: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: messages of the stand-in
  server.on('connection', (socket: any, request: { headers: Record<string, string> }) => {
    authorization = request.headers['authorization']
    const say = (message: object) => socket.send(JSON.stringify(message))
    say({ type: 'hello', protocolVersion: 1, appName: 'stand-in', appVersion: '0' })
    socket.on('message', (data: Buffer) => {
      const { command, params, id } = JSON.parse(data.toString())
      asked.push(`${command} ${params?.name ?? params?.type ?? params?.control ?? params?.pin ?? ''}`.trim())
      say({ type: 'response', command, id, result: command === 'pin:read' ? { value: true } : {}, error: false })
      const event = (name: string, payload: object) =>
        say({ type: 'event', event: name, payload, nanos: 7, paused: true })
      if (command === 'pause-point:add' && params.type !== 'time-absolute')
        event('sim:pause', { pausePoint: params.id })
      if (command === 'pin:read') setTimeout(() => event('chips:log', { chip: 'w5500', message: 'hello there' }), 20)
    })
  })
  process.env['WOKWI_CLI_SERVER'] = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { RemoteStage } = await import('../../src/wokwi_remote')
  const folder = mkdtempSync(join(tmpdir(), 'noonmark-wokwi-'))
  for (const name of ['diagram.json', 'a.chip.wasm', 'a.chip.json']) writeFileSync(join(folder, name), '{}')
  const project: Project = {
    folder,
    diagram: parseDiagram('{"version":1,"parts":[],"connections":[]}'),
    modules: new Map(),
    chipFiles: new Map([['a', join(folder, 'a.chip.wasm')]]),
    flash: Uint8Array.of(1, 2, 0xff),
  }
  const stage = await RemoteStage.open(project, 'secret', 60e9)
  await play(parseScenario(SCENARIO), stage, 'f.yaml', () => {})
  stage.close()
  server.close()
  expect(authorization).toBe('Bearer secret')
  expect(asked).toEqual([
    'file:upload diagram.json',
    'file:upload firmware.bin',
    'file:upload a.chip.json',
    'file:upload a.chip.wasm',
    'serial-monitor:listen',
    'pause-point:add time-absolute',
    'sim:start',
    'control:set sky',
    'pause-point:add time-relative',
    'sim:resume',
    'serial-monitor:write',
    'pause-point:add serial-bytes',
    'sim:resume',
    'pin:read 3',
    'sim:resume',
  ])
})
