// The console's line: what the device prints, and what somebody types.

const KEEP = 64 * 1024

export class ConsolePort {
  /** The last part of all that was printed. */
  output = ''
  private readonly decoder = new TextDecoder()
  private readonly encoder = new TextEncoder()
  private typed = new Uint8Array(0)

  constructor(private readonly onText?: (text: string) => void) {}

  /** Complete lines printed so far. */
  get lines(): string[] {
    return this.output.split(/\r?\n/).slice(0, -1)
  }

  type(text: string): void {
    const more = this.encoder.encode(text)
    const all = new Uint8Array(this.typed.length + more.length)
    all.set(this.typed)
    all.set(more, this.typed.length)
    this.typed = all
  }

  print(bytes: Uint8Array): void {
    const text = this.decoder.decode(bytes.slice(), { stream: true })
    this.output = (this.output + text).slice(-KEEP)
    this.onText?.(text)
  }

  /** True when there is something to take. */
  get waiting(): boolean {
    return this.typed.length > 0
  }

  take(out: Uint8Array): number {
    const count = Math.min(out.length, this.typed.length)
    out.set(this.typed.subarray(0, count))
    this.typed = this.typed.slice(count)
    return count
  }
}
