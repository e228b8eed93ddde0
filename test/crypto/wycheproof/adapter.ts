// How an algorithm of the firmware meets Project Wycheproof's vectors: one adapter object each.

/** One test of a group: `result` says what a right implementation does; the other fields are the algorithm's, mostly hex. */
export interface Test {
  tcId: number
  comment: string
  flags?: string[]
  result: 'valid' | 'invalid' | 'acceptable'
  // biome-ignore lint/suspicious/noExplicitAny: the fields differ by algorithm; an adapter knows its own
  [field: string]: any
}

/** A group's parameters (sizes, curve, public key ...). */
export interface Group {
  type: string
  tests: Test[]
  // biome-ignore lint/suspicious/noExplicitAny: the fields differ by algorithm; an adapter knows its own
  [field: string]: any
}

/** A vector file. */
export interface VectorFile {
  algorithm: string
  numberOfTests: number
  testGroups: Group[]
}

/**
 * What the implementation did with a test. `accepted`: it took the input AND reproduced every output of the vector in
 * every direction it has; an adapter must not say so for less. `rejected`: it refused or its output differs.
 * `unsupported`: the firmware has no way to ask for this (a key size that it never uses); counted apart, with the reason.
 */
export type Verdict = 'accepted' | 'rejected' | { unsupported: string }

export interface Adapter {
  /** The algorithm, as the test's title. */
  readonly name: string
  /** Which vector files are meant, by name. */
  readonly files: RegExp
  judge(group: Group, test: Test): Verdict
}
