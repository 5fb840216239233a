import type { Code } from './codes.ts'
import type { Trace } from './trace.ts'
import type { Evidence, Trouble } from './trouble.ts'

/** What became of a run: returned, never thrown. The names are the JSON's. */
export interface RunReport {
  ok: boolean
  hosts: HostResult[]
  stages: { name: string; ms: number }[]
  ms: number
  verify?: VerifyReport
}

export interface HostResult {
  name: string
  outcome: 'changed' | 'unchanged' | 'failed' | 'skipped'
  actions: number
  ms: number
  error?: Trouble
}

export type Scenario =
  | 'containers'
  | 'pod-to-pod'
  | 'pod-to-service'
  | 'outside-to-service'
  | 'dns'
  | 'node-to-pod'
  | 'api'
  | 'addresses'
  // of the full level
  | 'node-to-service'
  | 'hairpin'
  | 'spread'
  | 'affinity'
  | 'traffic-policy'
  | 'host-port'
  | 'pod-to-node'
  | 'large-packets'
  | 'udp-endpoint-gone'
  | 'kubelet'
  | 'egress'
  | 'network-policy'
  | 'ingress'

/** One check with the packet's way in its words: who sent what to whom, and what came of it. */
export interface Check {
  /** Unique and stable: pod-to-pod/w1/cp1/tcp */
  id: string
  scenario: Scenario
  from: string
  to: string
  protocol?: 'tcp' | 'udp' | 'icmp'
  outcome: 'passed' | 'failed' | 'skipped'
  ms: number
  code?: Trouble['code']
  evidence?: string
  fix?: string
  /** What a reader should know though the check is as it should be: a known deviation of flannel or kube-proxy. */
  note?: string
}

/** What was seen of a network: the checks that were made, and why those failed that did. Returned, never thrown. */
export interface VerifyReport {
  /** Nothing failed, and no cause was found that would make something fail. */
  ok: boolean
  ms: number
  level?: 'quick' | 'full'
  checks: Check[]
  /** Of many nodes only some pairs are tried: how many of how many. */
  sampled?: { pairs: number; of: number }
  /** What is wrong, the one that explains most first. Absent where nobody looked. */
  causes?: CauseReport[]
  /** Ids of failed checks that no cause explains. */
  unexplained?: string[]
  /** Causes that were not looked for, and why. */
  skippedCauses?: { code: Code; why: string }[]
  topology?: Topology
  /** The ways of some failed pairs. */
  traces?: Trace[]
}

/** A cause at one place, with the failed checks that it explains. */
export interface CauseReport {
  code: Code
  /** A warning breaks nothing now. */
  level: 'error' | 'warning'
  /** A node, `node -> peer`, or namespace/name. */
  where: string
  message: string
  /** Two sentences: what is wrong, and why that breaks what it breaks. */
  because: string
  evidence: Evidence[]
  fix: string
  /** Ids of failed checks. */
  explains: string[]
  /** `verify --fix` can mend it. */
  safe: boolean
}

/** What a picture of the network is drawn from. */
export interface Topology {
  nodes: {
    name: string
    ip: string
    podCIDR?: string
    controlPlane: boolean
    /** The node could be read; else nothing else of it is known. */
    read: boolean
    /** Why it could not. */
    why?: string
    bridge?: { name: string; ip?: string; mtu: number; up: boolean }
    tunnel?: { name: string; kind: string; mac: string; mtu: number; up: boolean; vni?: number }
    uplink?: { name: string; mtu: number }
    pods: { name: string; ip: string }[]
  }[]
  /** Between each two nodes: what failed there, by number of checks. */
  links: { from: string; to: string; failed: number; checks: number }[]
}
