import type { Code } from '../model/codes.ts'
import type { ClusterDump } from '../model/dump.ts'
import type { Sh } from '../model/shell.ts'

/** The host that a fault is made on: the first control plane, the first worker, the second worker. */
export type Role = 'leader' | 'worker' | 'other'

/**
 * What has to be asked to see a fault: its dump alone, or also packets. `static` is for faults that no probe would feel, and
 * for those in which no probe pod could be made.
 */
export type Level = 'static' | 'quick' | 'full'

/** One way to break a cluster's network, and the code that has to come out first. */
export interface Fault {
  readonly code: Code
  /** What is done, in a few words. */
  readonly title: string
  readonly level: Level
  /** Where both scripts run; on several hosts, on all of them. */
  readonly on: Role | readonly Role[]
  /** POSIX sh, after templates/selftest.sh. Any status but 0 means that it could not be made. */
  readonly make: Sh
  /** Takes it back, also where `make` ended half-way. */
  readonly undo: Sh
  /** Asked on the leader again and again until it succeeds, before anybody looks. */
  readonly settle?: Sh
}

/** One fault, or several at once. */
export type Trial = readonly [Fault, ...Fault[]]

/**
 * A fault that cannot be made on a lab, or only together with the machine that carries it: a real dump is changed in one place
 * and looked at again.
 */
export interface Edited {
  readonly code: Code
  readonly title: string
  readonly edit: (dump: ClusterDump) => ClusterDump
}

/** The same fault on another host. */
export const on = (role: Role, fault: Fault): Fault => ({ ...fault, on: role })
