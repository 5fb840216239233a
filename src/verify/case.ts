import type { Inventory } from '../model/inventory.ts'
import type { Check, Scenario } from '../model/report.ts'
import type { ClusterState } from './cluster.ts'
import type { Pairs } from './pairs.ts'
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
  /** Why a server may see another address than the ideal one. */
  readonly deviation?: string
  /** The id of a check without which this one says nothing: it is skipped when both fail. */
  readonly needs?: string
  /** It cannot be made a second time. */
  readonly once?: true
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
  /** The pairs that are tried; all where nothing is said. */
  readonly pairs?: Pairs
  /** What the full level has besides; the quick one goes without. */
  readonly full?: FullScene
}

export interface FullScene {
  /** The lines of the resolv.conf of each node's pod a, by node. */
  readonly resolv: ReadonlyMap<string, readonly string[]>
  /** The nodes on whose own port a server answers. */
  readonly hosts: ReadonlySet<string>
  /** Probe pods beside a and b whose server answers. */
  readonly extras: ReadonlySet<string>
  /** Where egress is tried: an address or a name, with or without a port. */
  readonly egress?: string
}

/** A case before it has its numbers. */
export type Draft = Omit<Case, 'id' | 'probes'> & { readonly probes?: readonly Omit<Probe, 'id'>[] }

/** The first words of a draft: one packet's way. */
export function way<P extends 'tcp' | 'udp' | 'icmp'>(scenario: Scenario, node: string, to: string, protocol: P) {
  return { scenario, node, from: node, to, protocol }
}

/** scenario/from/to/protocol */
export function checkId({
  scenario,
  from,
  to,
  protocol,
}: Pick<Check, 'scenario' | 'from' | 'to' | 'protocol'>): string {
  return [scenario, from, to, protocol].filter(Boolean).join('/')
}
