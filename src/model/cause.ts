import type { Action } from './action.ts'
import type { Code } from './codes.ts'
import type { Picture } from './dump.ts'
import type { Scenario } from './report.ts'
import type { Evidence } from './trouble.ts'

/** One way in which a cluster's network breaks: how it is seen in a dump, what it means, what to do. One object per code. */
export interface Cause {
  readonly code: Code
  /** Two sentences: what is wrong, and why that breaks what it breaks. */
  readonly because: string
  /** The command that shows it, as a person would type it on the node: `bridge fdb show dev flannel.1`. */
  readonly shows: string
  /** What to do about it in general. */
  readonly fix: string
  /** Where it looks only at what flannel makes, or at one proxy mode: it is skipped elsewhere, and the report says so. */
  readonly needs?: 'flannel' | 'vxlan' | 'host-gw' | 'iptables' | 'nftables'
  /** Pure. Nothing where it is well, or where the parts it needs could not be read. */
  find(picture: Picture): Finding[]
}

/** One place where a cause holds. */
export interface Finding {
  /** A node, `node -> peer`, or `namespace/name`. */
  readonly where: string
  /** One line: what is wrong here, with its values. */
  readonly message: string
  /** The command and the very line. At least one. */
  readonly evidence: readonly Evidence[]
  readonly breaks: Breaks
  /** `warning`: it may be harmless now (a certificate near its end); it never makes a report not ok by itself. */
  readonly level?: 'warning'
  /** What to do here, where the general fix can be said more exactly. */
  readonly fix?: string
  /** Safe changes for `verify --fix`, per node: journalled and undone like any change. */
  readonly remedy?: readonly { readonly node: string; readonly actions: readonly Action[] }[]
}

/**
 * The checks that a finding explains: those of `scenarios` (all where it is left out) whose packets touch its nodes. An empty
 * list of nodes means none; left out, every node.
 */
export interface Breaks {
  readonly scenarios?: readonly Scenario[]
  /** Between each of these pairs, in either direction. */
  readonly pairs?: readonly (readonly [string, string])[]
  /** Whatever begins or ends on one of these nodes. */
  readonly nodes?: readonly string[]
  /** Only with another node: pairs on one node are not explained by it. */
  readonly acrossOnly?: true
  /** Only on one node: */
  readonly withinOnly?: true
  readonly protocols?: readonly ('tcp' | 'udp' | 'icmp')[]
}
