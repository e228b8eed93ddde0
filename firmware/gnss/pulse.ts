// A labelled pulse: "the edge at tick T began UTC second N". The receiver makes it, the clock consumes it.

/** 40 bytes, 8-aligned. */
@unmanaged
export class Pulse {
  /** Ticks of the captured rising edge; the sawtooth is not yet taken off. */
  ticks: u64
  /** POSIX second of UTC that began at this edge. Inside 23:59:60 it repeats 23:59:59 and `leapSecond` is 1. */
  second: i64
  /**
   * The leap second that is announced: the POSIX number of 23:59:59 of its day, so that `leapAt + 1` is the
   * following midnight, for an inserted as for a deleted second. 0 when none is announced.
   */
  leapAt: i64
  /** Bound of |edge - start of the second|, sawtooth taken off, as the receiver states it; nanoseconds. */
  errorNanos: u32
  /** The edge came this much after the receiver's own idea of the second (quantisation of its clock); picoseconds. */
  sawtoothPicos: i32
  /** TAI - UTC in seconds during this second; 0 when the receiver does not say. */
  taiOffset: i32
  /** +1: a second will be inserted after `leapAt`; -1: second `leapAt` will be left out; 0: nothing announced. */
  leapWarning: i8
  /** 1 when this second is 23:59:60. */
  leapSecond: u8
  /** 1: the label has been earned. 0: do not use it as time. */
  valid: u8
  /** 1: the receiver's date was behind by whole 1024-week cycles and has been put right. */
  rollover: u8
}

/** Bytes of a `Pulse`. */
export const PULSE_SIZE: usize = 40
