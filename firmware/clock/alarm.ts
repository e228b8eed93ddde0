// The clock's alarm: the pulses say something that no crystal and no capture can explain.
//
// The discipline raises it with a reason and the size of the contradiction, and takes it back once it follows pulses again.
// Whoever tells people (console, logs, the light) reads it here.

export const enum ClockAlarm {
  None = 0,
  /** Pulses in a row contradict the clock by more than it can be off. They are refused. */
  Jump = 1,
  /** The labels contradict the clock by half a second or more. They are refused. */
  Label = 2,
  /** Pulses came to lie elsewhere by what a cable or a shaken board could do; the clock has followed. */
  Shift = 3,
  /** A contradiction was kept up for so long that the clock gave in and stepped. */
  Step = 4,
}

let reason: ClockAlarm = ClockAlarm.None
let size: i64 = 0
let raised: u32 = 0
let last: ClockAlarm = ClockAlarm.None

export function alarmInit(): void {
  reason = ClockAlarm.None
  last = ClockAlarm.None
  size = 0
  raised = 0
}

/** `nanos`: truth as the pulses have it, minus clock. */
export function alarmRaise(why: ClockAlarm, nanos: f64): void {
  if (why !== reason) raised++
  reason = why
  last = why
  size = <i64>Math.min(Math.max(nanos, -9e18), 9e18)
}

export function alarmClear(): void {
  reason = ClockAlarm.None
}

/** Why there is an alarm now; None when there is none. */
export function clockAlarm(): ClockAlarm {
  return reason
}

/** The reason and the size (pulses minus clock, ns) of the last alarm, past or present. */
export function clockAlarmLast(): ClockAlarm {
  return last
}

export function clockAlarmNanos(): i64 {
  return size
}

/** How often one was raised since boot. */
export function clockAlarms(): u32 {
  return raised
}
