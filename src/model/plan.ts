import type { Action } from './action.ts'
import type { Host } from './inventory.ts'

/** What would be done on one host in one stage, step by step. */
export interface HostStage {
  readonly host: Host
  readonly stage: string
  readonly steps: readonly { readonly step: string; readonly actions: readonly Action[] }[]
}

/** What `up` would do; from the same function that `up` itself uses. */
export interface Plan {
  readonly hosts: readonly { readonly host: Host; readonly stages: readonly HostStage[] }[]
}

/** Which steps, on which hosts, after what. Names only. */
export interface Playbook {
  readonly stages: readonly Stage[]
}

export interface Stage {
  readonly name: string
  readonly title: string
  readonly hosts: 'all' | 'leader' | 'others'
  /** Stages this one waits for: of the same host, or of the leader as `leader.NAME`. */
  readonly after: readonly string[]
  readonly steps: readonly string[]
}
