// What the machine asks of the two larger parts on its buses. The chip models are fitted to these shapes by
// `receiver.ts` and `ethernet.ts`; a test may fit its own.

/** The GNSS receiver on the UART, with its time pulse. */
export interface ReceiverDevice {
  /** Next instant (nanos) at which it acts by itself: a pulse edge, a byte's end. */
  nextEvent(): number
  /** Lets it act up to `now`; bytes and edges go to its `ReceiverWires`. */
  advance(now: number): void
  /** The host's UART is set to this rate. */
  setBaud(baud: number): void
  /** A byte is on its way to it; its stop bit ends at `nanos`, which may lie ahead. */
  receive(byte: number, nanos: number): void
  powerOn(now: number): void
  powerOff(now: number): void
}

/** Where a receiver's signals go. */
export interface ReceiverWires {
  /** The time pulse rises at exactly this instant. */
  pulse(nanos: number): void
  /** A byte has arrived completely. */
  byte(value: number, nanos: number): void
}

/** The W5500 on the SPI bus, with its INTn. */
export interface EthernetDevice {
  nextEvent(): number
  advance(now: number): void
  /** One SPI frame; returns the instant of its end. */
  write(header: number, headerLength: number, data: Uint8Array, now: number): number
  read(header: number, headerLength: number, out: Uint8Array, now: number): number
  /** Level of INTn: 0 while a cause is unserved. */
  interruptLevel(now: number): number
  /** RSTn. */
  reset(level: number, now: number): void
  /** Power fails and comes back. */
  powerCycle(now: number): void
}

/** Where the Ethernet part's signals go. */
export interface EthernetWires {
  /** INTn falls at this instant. May be called at any time, also from a socket of the host. */
  interrupt(nanos: number): void
}
