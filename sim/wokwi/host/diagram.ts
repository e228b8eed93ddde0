// A Wokwi diagram (diagram.json): its parts, and the nets that its connections make.
//
// Wires and resistors join pins; everything else is a part with pins. Names of pins are "part:pin".

export interface Part {
  id: string
  type: string
  attrs: Record<string, string>
}

export interface Diagram {
  parts: Part[]
  /** Each net is the set of its pins. Pins without a wire are in none. */
  nets: string[][]
}

/** Throws an Error whose message is a sentence when the text is no diagram, or a wire ends at no part. */
export function parseDiagram(text: string): Diagram {
  const json = readJson(text)
  if (json.version !== 1 || !Array.isArray(json.parts) || !Array.isArray(json.connections))
    throw new Error('diagram.json is not a diagram of version 1')
  const parts: Part[] = json.parts.map(({ id, type, attrs }: Part) => ({ id, type, attrs: attrs ?? {} }))
  const ids = new Set(parts.map(({ id }) => id))
  const wires: [string, string][] = json.connections.map(([a, b]: [string, string]) => [a, b])
  for (const end of wires.flat())
    if (!end.startsWith('$') && !ids.has(partOf(end)))
      throw new Error(`diagram.json: a wire ends at ${end}: no such part`)
  for (const { id, type } of parts) if (type === 'wokwi-resistor') wires.push([`${id}:1`, `${id}:2`])
  return { parts, nets: join(wires) }
}

// biome-ignore lint/suspicious/noExplicitAny: a diagram is checked as it is read
function readJson(text: string): any {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`diagram.json is not JSON: ${(error as Error).message}`)
  }
}

export const partOf = (pin: string): string => pin.slice(0, pin.indexOf(':'))
export const nameOf = (pin: string): string => pin.slice(pin.indexOf(':') + 1)

function join(wires: [string, string][]): string[][] {
  const nets = new Map<string, string[]>()
  for (const [a, b] of wires) {
    const one = nets.get(a) ?? [a]
    const other = nets.get(b) ?? [b]
    const all = one === other ? one : [...one, ...other]
    for (const pin of all) nets.set(pin, all)
  }
  return [...new Set(nets.values())]
}
