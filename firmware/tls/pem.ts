// PEM, the textual form of DER (RFC 7468): what an administrator downloads and pastes.

import { putAscii } from '../bytes/ascii'

const ALPHABET: StaticArray<u8> = [
  0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53,
  0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c,
  0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x30, 0x31, 0x32, 0x33, 0x34,
  0x35, 0x36, 0x37, 0x38, 0x39, 0x2b, 0x2f,
]

/** Bytes of DER that make one full line of 64 characters. */
const LINE_BYTES: u32 = 48

/**
 * Writes `length` bytes of DER at `der` as PEM to `out`; returns the characters written. `label` is a literal such as
 * 'CERTIFICATE'. `out` needs `pemLength` bytes. The secret parts of DER must not pass here: the alphabet is a table.
 */
export function pemEncode(der: usize, length: u32, label: string, out: usize): u32 {
  let at = putAscii(putAscii(putAscii(out, '-----BEGIN '), label), '-----\n')
  for (let done: u32 = 0; done < length; done += LINE_BYTES) {
    const line = length - done < LINE_BYTES ? length - done : LINE_BYTES
    at = putBase64(at, der + done, line)
    store<u8>(at, 0x0a)
    at += 1
  }
  at = putAscii(putAscii(putAscii(at, '-----END '), label), '-----\n')
  return <u32>(at - out)
}

/** Characters that `pemEncode` writes for `length` bytes of DER under a label of `labelLength` characters. */
export function pemLength(length: u32, labelLength: u32): u32 {
  const characters = ((length + 2) / 3) * 4
  const lines = (length + LINE_BYTES - 1) / LINE_BYTES
  return 17 + labelLength + characters + lines + 15 + labelLength
}

/** Base64 with padding (RFC 4648, section 4); returns the address after it. */
function putBase64(out: usize, data: usize, length: u32): usize {
  let at = out
  for (let i: u32 = 0; i < length; i += 3) {
    const rest = length - i
    const second: u32 = rest > 1 ? load<u8>(data + i + 1) : 0
    const third: u32 = rest > 2 ? load<u8>(data + i + 2) : 0
    const group = ((<u32>load<u8>(data + i)) << 16) | (second << 8) | third
    store<u8>(at, digit(group >> 18))
    store<u8>(at, digit(group >> 12), 1)
    store<u8>(at, rest > 1 ? digit(group >> 6) : 0x3d, 2)
    store<u8>(at, rest > 2 ? digit(group) : 0x3d, 3)
    at += 4
  }
  return at
}

function digit(value: u32): u32 {
  return unchecked(ALPHABET[value & 63])
}
