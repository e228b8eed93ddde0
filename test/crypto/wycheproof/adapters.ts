// The table of all algorithms that are held to Wycheproof's vectors. To add some: write a file of adapters beside this
// one, and name it here. Every adapter must be given a sample in sample.ts too.

import { Machine } from '../symmetric'
import type { Adapter } from './adapter'
import { publicKeyAdapters } from './public_key'
import { signatureAdapters } from './signatures'
import { symmetricAdapters } from './symmetric'

/** Compiles what the adapters need. */
export async function allAdapters(): Promise<Adapter[]> {
  return [
    ...symmetricAdapters(await Machine.load('release')),
    ...(await publicKeyAdapters()),
    ...(await signatureAdapters()),
  ]
}
