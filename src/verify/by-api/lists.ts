import type { Case } from '../case.ts'
import { encodeProbe, type ProbeResult } from '../probe.ts'
import type { Kind } from './manifests.ts'

/** The probes of many nodes as lists that all of them share: what all ask stands there once, so they grow with N and not with N². */
export interface Lists {
  /** By the kind of the pods that make them: `* 7 tcp 10.244.1.5 18420` for every node, `w1 9 ...` for one. */
  readonly lines: ReadonlyMap<Kind, readonly string[]>
  /** The number by which a probe stands there. */
  numberOf(place: Case['place'], probe: Case['probes'][number]): number | undefined
}

export function listsOf(cases: readonly Case[]): Lists {
  const numbers = new Map<string, number>()
  const asks = new Map<Kind, Map<string, { line: string; nodes: Set<string> }>>()
  const everywhere = new Set(cases.map(({ node }) => node))
  for (const item of cases.filter(({ skip, verdict }) => skip === undefined && !verdict))
    for (const probe of item.probes) {
      const key = keyOf(item.place, probe)
      const id = numbers.get(key) ?? numbers.size + 1
      numbers.set(key, id)
      const own = asks.get(item.place) ?? new Map()
      asks.set(item.place, own)
      const ask = own.get(key) ?? { line: encodeProbe({ ...probe, id }), nodes: new Set<string>() }
      ask.nodes.add(item.node)
      own.set(key, ask)
    }
  const lines = [...asks].map(([place, own]) => {
    const texts = [...own.values()].flatMap(({ line, nodes }) =>
      nodes.size === everywhere.size ? [`* ${line}`] : [...nodes].map((node) => `${node} ${line}`),
    )
    return [place, texts] as const
  })
  return { lines: new Map(lines), numberOf: (place, probe) => numbers.get(keyOf(place, probe)) }
}

const keyOf = (place: Case['place'], probe: Case['probes'][number]): string =>
  `${place} ${encodeProbe({ ...probe, id: 0 })}`

/** What the nodes answered, as results of the probes of these cases. `answers` is by `place node`, then by number in the list. */
export function resultsOf(
  cases: readonly Case[],
  { numberOf }: Lists,
  answers: ReadonlyMap<string, ReadonlyMap<number, ProbeResult>>,
): Map<number, ProbeResult> {
  const results = new Map<number, ProbeResult>()
  for (const { place, node, probes } of cases)
    for (const probe of probes) {
      const number = numberOf(place, probe)
      const answer = number === undefined ? undefined : answers.get(`${place} ${node}`)?.get(number)
      if (answer) results.set(probe.id, { ...answer, id: probe.id })
    }
  return results
}
