import type { Code } from './codes.ts'
import type { Backend } from './netfilter.ts'

/** The way of a packet through a cluster, as the rules and tables of a dump say it. */
export interface Trace {
  readonly packet: Packet
  readonly from: End
  readonly to: End
  /** flannel vxlan (vni 1, udp 8472) … */
  readonly network: string
  /** One way per endpoint that a Service may choose; one where there is no choice. */
  readonly branches: readonly Branch[]
  /** Could not be followed: what is missing. */
  readonly unknown?: string
  /** Of `--live`. */
  readonly live?: LiveResult
}

/** What became of the packet that was really sent. */
export interface LiveResult {
  /** As the sender saw it: connected, refused (also an answer), timeout, unreachable … */
  readonly answer: string
  /** Did anything come back from the other end? */
  readonly answered: boolean
  /** Which of the branches it took, as far as tables and counters tell; an index. */
  readonly branch?: number
  /** The last hop at which it was seen. */
  readonly lastSeen?: number
  /** Does that agree with what the dump says? */
  readonly agrees: boolean
  readonly text: string
}

export interface Branch {
  /** 0 to 1. */
  readonly share: number
  /** Where it ends: ns/pod, node or address. */
  readonly to: string
  /** Its address and port there, or where it died. */
  readonly ip: string
  readonly port: number
  readonly there: readonly Hop[]
  readonly back: readonly Hop[]
  readonly ok: boolean
  /** The number of the hop where it ends, where it is not ok. */
  readonly diesAt?: number
}

export interface Packet {
  readonly protocol: 'tcp' | 'udp' | 'icmp'
  readonly source: string
  readonly sourcePort: number
  readonly destination: string
  readonly port: number
}

export interface End {
  readonly kind: 'pod' | 'node' | 'service' | 'nodeport' | 'ip'
  /** ns/name, node name, or address. */
  readonly name: string
  readonly ip: string
  readonly node?: string
}

export interface Hop {
  readonly number: number
  readonly node: string
  /** pod eth0, veth3f2a@if2, cni0, nat PREROUTING, route, FORWARD, flannel.1, fdb, outer … */
  readonly place: string
  readonly outcome: 'ok' | 'dies' | 'changed' | 'unknown'
  /** What happens here: 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink */
  readonly text: string
  /** The command that shows it. */
  readonly command: string
  /** Why the packet ends here, where a cause has a name for it. */
  readonly code?: Code
  /** How the packet looks after this hop, where it changed: 10.244.1.2:40000 -> 10.244.2.3:8080 */
  readonly packet?: string
  /** What moves on the node when the packet passes here; `--live` reads it before and after. */
  readonly signs?: readonly Sign[]
  /** Of `--live`: what moved here while the packet passed. */
  readonly live?: { readonly seen: boolean | null; readonly text: string }
}

/** Something that counts packets on a node. */
export type Sign =
  | {
      readonly what: 'rule'
      readonly backend: Backend
      readonly family: string
      readonly table: string
      readonly chain: string
      /** The rule as in model/netfilter.ts; absent for the chain's policy. */
      readonly text?: string
    }
  /** `dropped`: what it was to send and did not; `otherhost`: what came in for another MAC address. */
  | { readonly what: 'link'; readonly name: string; readonly way: 'rx' | 'tx' | 'dropped' | 'otherhost' }
  /** Of /proc/net/snmp and netstat: Udp.InDatagrams */
  | { readonly what: 'counter'; readonly name: string }
