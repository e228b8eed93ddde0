import { it } from 'vitest'
import { ipv4, MemoryLan } from '../../sim/lan/memory_lan'
import { makeEcho, NTP } from './w5500_bench'

it('dbg', async () => {
  const lan = new MemoryLan()
  const CLIENT = { ip: ipv4('192.168.7.50'), port: 40000 }
  lan.addPeer({ ip: CLIENT.ip })
  const bench = await makeEcho(lan)
  bench.log = []
  lan.sendUdp(bench.now + 1e6, CLIENT, NTP, new Uint8Array(48))
  bench.runFor(5e6)
  console.log(bench.now, bench.due, bench.chip.nextEvent(), bench.chip.time, lan.nextEvent())
  console.log(
    bench.log.join('\n'),
    Array.from(bench.chip.counters),
    Array.from(bench.chip.faults),
    bench.counters('udp'),
    bench.counters('socket'),
    bench.polls,
  )
})
