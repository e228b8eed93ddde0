// The clock room, driven by a record in memory, so that a machine whose calls take integers only can run it.
//
//   record   op u32 | - | eight f64: the arguments, and after it has run the results

import * as room from '../../src/clock.entry'

const enum Op {
  Init = 1,
  Pulse = 2,
  Poll = 3,
  Serve = 4,
}

const RECORD: usize = memory.data(72, 8)

export function record(): usize {
  return RECORD
}

/** Runs the record. */
export function run(): void {
  const op = load<u32>(RECORD)
  const a = RECORD + 8
  if (op === Op.Init) {
    room.init(load<f64>(a), load<f64>(a, 8))
  } else if (op === Op.Pulse) {
    room.pulse(
      load<f64>(a),
      load<f64>(a, 8),
      <u32>load<f64>(a, 16),
      <i32>load<f64>(a, 24),
      <u32>load<f64>(a, 32),
      <i32>load<f64>(a, 40),
      load<f64>(a, 48),
      load<f64>(a, 56),
    )
    store<f64>(a, room.difference())
    store<f64>(a, <f64>room.state(), 8)
  } else if (op === Op.Poll) {
    store<f64>(a, room.poll(load<f64>(a)))
  } else if (op === Op.Serve) {
    const ticks = load<f64>(a)
    store<f64>(a, room.serve(ticks))
    store<f64>(a, <f64>room.fraction(), 8)
    store<f64>(a, <f64>room.leap(), 16)
    store<f64>(a, room.error(ticks), 24)
  }
}
