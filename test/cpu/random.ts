// A seeded source of random numbers (xorshift32), so that each run tests the same programs.

export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (seed * 2654435761 + 88675123) >>> 0 || 1
  }

  u32(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return this.u32() % n
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
}
