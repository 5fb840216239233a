import type { NodeView, Picture, PodNet } from '../model/dump.ts'
import type { Hop } from '../model/trace.ts'
import type { Connection } from './conntrack.ts'
import type { Names } from './names.ts'
import type { Flying } from './packet.ts'

/** One way of one packet through the cluster: where the dice fall, what it looks like now, and what it passed. */
export interface Run {
  readonly picture: Picture
  readonly names: Names
  readonly pick: (weights: readonly number[]) => number
  readonly hops: Hop[]
  /** The tables of connections of the nodes that it passed. */
  readonly connections: Map<string, Connection[]>
  packet: Flying
  /** The source that the sender's host chose. */
  own?: string
  /** What is missing in the dump, where it cannot be followed. */
  unknown?: string
}

/** Where a packet is and what happens to it next. */
export type Stage =
  | { readonly at: 'pod-out'; readonly node: string; readonly pod: PodNet }
  /** Comes in by a device, from the wire, a bridge, a tunnel or lo; `port` is the port of the bridge, if any. */
  | { readonly at: 'host-in'; readonly node: string; readonly iif: string; readonly port?: string }
  /** A process on the host sends it. */
  | { readonly at: 'host-out'; readonly node: string }
  /** Goes out by a device to the next hop; `port` is the port of the bridge by which it came, if any. */
  | {
      readonly at: 'device'
      readonly node: string
      readonly oif: string
      readonly next: string
      readonly port?: string
    }
  | { readonly at: 'pod-in'; readonly node: string; readonly pod: PodNet; readonly port: string }
  | End

export type End =
  | { readonly at: 'pod'; readonly node: string; readonly pod: PodNet }
  | { readonly at: 'host'; readonly node: string }
  /** Left the cluster by this device. */
  | { readonly at: 'outside'; readonly node: string; readonly oif: string }
  | { readonly at: 'dead' }
  | { readonly at: 'unknown' }

/** Writes down a hop. */
export function hop(
  run: Run,
  node: string,
  place: string,
  text: string,
  more: Partial<Hop> & { command: string },
): void {
  run.hops.push({ number: run.hops.length + 1, node, place, outcome: 'ok', text, ...more })
}

/** Writes down the hop where the packet ends. */
export function dies(
  run: Run,
  node: string,
  place: string,
  text: string,
  more: Partial<Hop> & { command: string },
): End {
  hop(run, node, place, text, { ...more, outcome: 'dies' })
  return { at: 'dead' }
}

/** Writes down that the packet cannot be followed from here. */
export function lost(run: Run, node: string, place: string, text: string, command: string): End {
  hop(run, node, place, text, { command, outcome: 'unknown' })
  run.unknown = text
  return { at: 'unknown' }
}

export const viewOf = (run: Run, node: string): NodeView | undefined => run.picture.nodes.get(node)
