// What the tests of the public-key primitives share: bytes, numbers, and a random source that always says the same.

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'))
}

/** A number as `length` bytes, big end first. */
export function bytesBe(value: bigint, length = 32): Uint8Array {
  return unhex(value.toString(16).padStart(2 * length, '0'))
}

/** A number as `length` bytes, little end first. */
export function bytesLe(value: bigint, length = 32): Uint8Array {
  return bytesBe(value, length).reverse()
}

export function numberBe(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${hex(bytes)}`)
}

export function numberLe(bytes: Uint8Array): bigint {
  return numberBe(bytes.slice().reverse())
}

/** Random bytes from a seed (xorshift, for tests only). */
export function seededBytes(seed: number): (length: number) => Uint8Array {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1
  return (length) =>
    Uint8Array.from({ length }, () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      state >>>= 0
      return (state >>> 11) & 0xff
    })
}

/** 256-bit numbers whose limbs break carries: all zeros, all ones, single bits, and the edges of `modulus`. */
export function edgeNumbers(modulus: bigint): bigint[] {
  const top = 1n << 256n
  const edges = [0n, 1n, 2n, modulus - 1n, modulus - 2n, top - 1n, top - modulus, modulus >> 1n]
  edges.push(modulus, modulus + 1n, 2n * modulus - 1n, 2n * modulus, (1n << 255n) - 1n, 1n << 255n)
  for (let limb = 0n; limb < 8n; limb++) {
    edges.push(1n << (32n * limb), 0xffff_ffffn << (32n * limb), top - 1n - (0xffff_ffffn << (32n * limb)))
  }
  return [...new Set(edges.filter((n) => n >= 0n && n < top))]
}
