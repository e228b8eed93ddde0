// DER as a tree, to spoil certificates in ways in which no tool makes them.

export interface Node {
  tag: number
  children?: Node[]
  contents?: Buffer
  /** Length octets in place of the right ones. */
  length?: Buffer
}

export function parseDer(bytes: Buffer): Node {
  const [node, rest] = parseOne(bytes)
  if (rest.length > 0) throw new Error('trailing bytes')
  return node
}

function parseOne(bytes: Buffer): [Node, Buffer] {
  const tag = bytes[0] as number
  let length = bytes[1] as number
  let head = 2
  if (length >= 0x80) {
    head += length - 0x80
    length = bytes.readUIntBE(2, length - 0x80)
  }
  const contents = bytes.subarray(head, head + length)
  const rest = bytes.subarray(head + length)
  if ((tag & 0x20) === 0) return [{ tag, contents: Buffer.from(contents) }, rest]
  const children: Node[] = []
  for (let left = contents; left.length > 0; ) {
    const [child, after] = parseOne(left)
    children.push(child)
    left = after
  }
  return [{ tag, children }, rest]
}

export function encodeDer(node: Node): Buffer {
  const contents = node.contents ?? Buffer.concat((node.children ?? []).map(encodeDer))
  return Buffer.concat([Buffer.of(node.tag), node.length ?? lengthOctets(contents.length), contents])
}

export function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length)
  return length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff)
}

/** The parts of a certificate, by name. `change` them, then encode the tree. */
export class CertificateTree {
  readonly root: Node

  constructor(der: Buffer) {
    this.root = parseDer(der)
  }

  encode(): Buffer {
    return encodeDer(this.root)
  }

  get signed(): Node {
    return child(this.root, 0)
  }
  get outerAlgorithm(): Node {
    return child(this.root, 1)
  }
  get signature(): Node {
    return child(this.root, 2)
  }
  /** version, serial, signature, issuer, validity, subject, key, extensions, from 0. */
  field(index: number): Node {
    return child(this.signed, index)
  }
  get extensions(): Node[] {
    const last = (this.signed.children as Node[]).at(-1) as Node
    return child(last, 0).children as Node[]
  }
  /** By the identifier in hexadecimal. */
  extension(id: string): Node {
    const found = this.extensions.find((each) => child(each, 0).contents?.toString('hex') === id)
    if (!found) throw new Error(`no extension ${id}`)
    return found
  }
  /** The OCTET STRING of an extension. */
  value(id: string): Node {
    return this.extension(id).children?.at(-1) as Node
  }
}

export function child(node: Node, index: number): Node {
  const found = node.children?.[index]
  if (!found) throw new Error(`no child ${index}`)
  return found
}

/** A certificate, spoiled. */
export function spoil(der: Buffer, change: (tree: CertificateTree) => void): Buffer {
  const tree = new CertificateTree(der)
  change(tree)
  return tree.encode()
}
