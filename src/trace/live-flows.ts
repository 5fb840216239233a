import type { Tuple } from './packet.ts'

/** A line of /proc/net/nf_conntrack or `conntrack -L`. */
export interface Entry {
  readonly asked: Tuple
  readonly answered: Tuple
  /** Has an answer come by? */
  readonly replied: boolean
  readonly line: string
}

/** Reads the entries; of ICMP the id stands for both ports. */
export function entriesOf(text: string): Entry[] {
  return text.split('\n').flatMap((line) => {
    const all = (name: string) => [...line.matchAll(new RegExp(` ${name}=(\\S+)`, 'g'))].map((match) => match[1]!)
    const [sources, destinations, ids] = [all('src'), all('dst'), all('id')]
    const [from, to] = [all('sport'), all('dport')]
    if (sources.length < 2 || destinations.length < 2) return []
    const tuple = (i: number): Tuple => ({
      source: sources[i]!,
      sourcePort: Number(from[i] ?? (i === 0 ? ids[0] : 0) ?? 0),
      destination: destinations[i]!,
      port: Number(to[i] ?? (i === 1 ? ids[1] : 0) ?? 0),
    })
    return [{ asked: tuple(0), answered: tuple(1), replied: !line.includes('[UNREPLIED]'), line: line.trim() }]
  })
}

/** The entry of each node on the way; from one node to the next the packet looks as the entry says that it left. */
export function followEntries(
  path: readonly string[],
  flows: ReadonlyMap<string, readonly Entry[]>,
  sourcePort: number,
): ReadonlyMap<string, Entry> {
  const found = new Map<string, Entry>()
  let last: Entry | undefined
  for (const node of path) {
    const entries = flows.get(node) ?? []
    const fits = ({ asked }: Entry) =>
      last
        ? asked.sourcePort === last.answered.port &&
          asked.source === last.answered.destination &&
          asked.destination === last.answered.source
        : asked.sourcePort === sourcePort
    const entry = entries.find(fits)
    if (!entry) continue
    found.set(node, entry)
    last = entry
  }
  return found
}
