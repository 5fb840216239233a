import type { Picture } from '../model/dump.ts'
import type { Check } from '../model/report.ts'

/** Where a check's packets begin and end. From outside there is no node to begin at; a Service ends on all of its nodes. */
export interface Ends {
  readonly from: string | undefined
  readonly to: readonly string[]
}

/**
 * Finds the nodes of a check by the names that it shows: of a node, of a pod (probe pods are named for their node), or of a
 * Service, which may lead to every node.
 */
export function endsOf({ nodes, unread, cluster }: Picture): (check: Check) => Ends {
  const names = new Set([...nodes.keys(), ...unread.keys(), ...(cluster?.nodes.map(({ name }) => name) ?? [])])
  const pods = new Map(cluster?.pods.map(({ name, node }) => [name, node]))
  const all = [...names]
  const nodeOf = (name: string): string | undefined => {
    if (names.has(name)) return name
    const probe = /^[a-z]-(.+)$/.exec(name)?.[1]
    return probe !== undefined && names.has(probe) ? probe : pods.get(name)
  }
  return ({ from, to, scenario }) => {
    const begin = nodeOf(from)
    const end = nodeOf(to)
    // A NodePort of a node leads from there to endpoints on all of them, whoever asked.
    if (scenario === 'outside-to-service') return { from: end ?? begin, to: all }
    if (scenario === 'node-to-service') return { from: begin, to: all }
    // What lies outside of the cluster is on no node.
    if (scenario === 'egress') return { from: begin, to: [] }
    if (to === 'localhost' || to === 'network-namespace') return { from: begin, to: begin ? [begin] : [] }
    return { from: begin, to: end ? [end] : scenario === 'addresses' && begin ? [begin] : all }
  }
}
