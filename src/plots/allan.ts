// Overlapping Allan deviation (NIST SP 1065, section 5.2.4) of a phase, one sample a second.

/** `phase` in seconds; at octaves of tau, as long as a third of the record is left. */
export function allanDeviation(phase: ArrayLike<number>): [tau: number, deviation: number][] {
  const result: [number, number][] = []
  for (let m = 1; 3 * m <= phase.length; m *= 2) {
    const count = phase.length - 2 * m
    let sum = 0
    for (let i = 0; i < count; i++) sum += (phase[i + 2 * m]! - 2 * phase[i + m]! + phase[i]!) ** 2
    result.push([m, Math.sqrt(sum / (2 * m * m * count))])
  }
  return result
}
