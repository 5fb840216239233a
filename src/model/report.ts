import type { Trouble } from './trouble.ts'

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
}

export interface VerifyReport {
  ok: boolean
  ms: number
  checks: Check[]
}
