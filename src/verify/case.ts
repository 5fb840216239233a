import type { Inventory } from '../model/inventory.ts'
import type { Check } from '../model/report.ts'
import type { ClusterState } from './cluster.ts'
import type { Probe } from './probe.ts'

/** A check before it is made: where its packets start, and what they have to bring back. It passes when all its probes do. */
export interface Case extends Pick<Check, 'id' | 'scenario' | 'from' | 'to' | 'protocol'> {
  /** The inventory's name of the node on which the client runs, and in whose network: pod a or b, or the node itself. */
  readonly node: string
  readonly place: Letter | 'host'
  /** The client's address, where it matters to a reader. */
  readonly source?: string
  /** The node whose probe server has to answer. */
  readonly server?: string
  readonly probes: readonly Probe[]
  /** Why it cannot be made. */
  readonly skip?: string
  /** A verdict that needs no packet. */
  readonly verdict?: Pick<Check, 'code' | 'evidence'>
}
export type Letter = 'a' | 'b'

/** What is known of a cluster whose probe pods run. */
export interface Scene {
  readonly inventory: Inventory
  readonly state: ClusterState
  readonly namespace: string
  /** The names of the nodes whose servers answer; nothing is expected of the others. */
  readonly running: ReadonlySet<string>
  /** Nodes whose NodePorts the controller itself can try; their TCP checks are made there. */
  readonly fromController: ReadonlySet<string>
}

/** A case before it has its numbers. */
export type Draft = Omit<Case, 'id' | 'probes'> & { readonly probes?: readonly Omit<Probe, 'id'>[] }

/** scenario/from/to/protocol */
export function checkId({
  scenario,
  from,
  to,
  protocol,
}: Pick<Check, 'scenario' | 'from' | 'to' | 'protocol'>): string {
  return [scenario, from, to, protocol].filter(Boolean).join('/')
}
