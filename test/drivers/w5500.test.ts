import { describe, expect, it } from 'vitest'
import { Counter } from '../../sim/chips/w5500'
import { ipv4, MemoryLan } from '../../sim/lan/memory_lan'
import { faultsOf, GATEWAY, makeEcho, NTP } from './w5500_bench'

const US = 1e3
const MS = 1e6
const CLIENT = { ip: ipv4('192.168.7.50'), port: 40000 }

function lanWithClient(): MemoryLan {
  const lan = new MemoryLan({ gateway: ipv4(GATEWAY) })
  lan.addPeer({ ip: CLIENT.ip })
  lan.addPeer({ ip: ipv4(GATEWAY) })
  return lan
}

function bytes(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 8)) & 255)
}

describe('bring-up', () => {
  it('brings_the_chip_up_and_opens_its_sockets', async () => {
    const bench = await makeEcho(lanWithClient())
    expect(bench.status().slice(0, 4)).toEqual([4, 1, 4, 1])
    expect(bench.chip.sockets[0]!.state).toBe(0x22)
    expect(bench.chip.sockets[1]!.state).toBe(0x22)
    expect(faultsOf(bench.chip)).toBe(0)
  })
})

describe('UDP', () => {
  it('answers_a_datagram', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    lan.sendUdp(bench.now + MS, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    expect(lan.sent.length).toBe(1)
    expect(lan.sent[0]!.data).toEqual(bytes(48))
    expect(lan.sent[0]).toMatchObject({ ip: CLIENT.ip, port: CLIENT.port, sourcePort: NTP, delivered: true })
    expect(faultsOf(bench.chip)).toBe(0)
    expect(bench.chip.counters[Counter.ArpRequests]).toBe(1)
  })

  it('serves_a_request_in_twelve_spi_frames', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    for (let i = 0; i < 20; i++) lan.sendUdp(bench.now + (i + 1) * 400 * US, CLIENT, NTP, bytes(228, i))
    bench.runFor(6.5 * MS)
    bench.log = []
    bench.runFor(400 * US)
    console.log(bench.log.join('\n'))
    expect(lan.sent.length).toBeGreaterThan(14)
    expect(bench.log.length).toBeLessThanOrEqual(12)
  })
})
