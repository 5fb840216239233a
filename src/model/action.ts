import type { Blob } from './bundle.ts'
import type { Secret } from './secret.ts'
import type { Sh } from './shell.ts'

/**
 * A change to a host, written as data. It says what was there before (`was`, from the facts the plan rests on), so the line
 * in the plan, the diff, the shell that makes the change, the journal entry and the undo all come from this one value.
 * The kinds live in src/actions, one file each; the set is closed and small.
 */
export type Action =
  | FileAction
  | LineAction
  | SysctlAction
  | ModuleAction
  | ServiceAction
  | SwapAction
  | FirewallAction
  | PackageAction
  | UploadAction
  | ImageAction
  | ExecAction
  | WaitAction
export type Kind = Action['kind']

/** A file as it is on a host. */
export interface FileState {
  readonly content: string
  /** Octal: '0644' */
  readonly mode: string
  /** user:group by name or number */
  readonly owner: string
}

/** A whole file; `want: null` removes it. Written beside its place and renamed; parent directories are made, and unmade by undo. */
export interface FileAction {
  readonly kind: 'file'
  readonly path: string
  readonly was: FileState | null
  readonly want: { readonly content: string | Secret; readonly mode: string; readonly owner?: string } | null
  /** The change is not undone, because it lies in a directory that goes away by itself (/run). */
  readonly transient?: true
  /** Every content that k8snet has put there, null for a removal: only in an undo, which touches nothing else. */
  readonly ours?: readonly (string | null)[]
}

/** Lines of a file that belongs to somebody else. Each edit replaces one line (`was`) by another (`want`); null is absence. */
export interface LineAction {
  readonly kind: 'line'
  readonly path: string
  readonly edits: readonly { readonly was: string | null; readonly want: string | null }[]
  /** Only in an undo: a file that nobody else has written to since is given back to the byte. */
  readonly back?: true
}

/** A live kernel setting. `was` is undefined where the key appears only once a module is loaded. */
export interface SysctlAction {
  readonly kind: 'sysctl'
  readonly key: string
  readonly was?: string
  readonly want: string
  /** Every value that k8snet has set: only in an undo, which touches nothing else. */
  readonly ours?: readonly string[]
}

/** A kernel module that is loaded now. Its undo leaves it: unloading is unsafe. */
export interface ModuleAction {
  readonly kind: 'module'
  readonly name: string
}

/** What systemd says of a unit. */
export interface UnitState {
  readonly enabled: 'enabled' | 'disabled' | 'masked' | 'static' | 'absent'
  readonly active: boolean
}

/** A systemd unit: its state at boot and now. `restart` asks for a restart though it runs (its files changed). */
export interface ServiceAction {
  readonly kind: 'service'
  readonly unit: string
  readonly was: UnitState
  readonly want: { readonly enabled?: 'enabled' | 'disabled' | 'masked'; readonly active?: boolean }
  readonly restart?: true
  /** The states at boot that k8snet has made: only in an undo, which leaves a third one alone. */
  readonly ours?: readonly string[]
}

/** Swap areas switched off now; undone by swapon. What happens at boot is the business of lines and services. */
export interface SwapAction {
  readonly kind: 'swap'
  /** off unless it says on */
  readonly want?: 'on'
  /** Paths of the active areas with their priority. */
  readonly was: readonly { readonly path: string; readonly priority: number }[]
}

/** One accepted flow in the host's active firewall. */
export interface FirewallRule {
  /** Source address or CIDR; undefined is anywhere. */
  readonly from?: string
  readonly protocol?: 'tcp' | 'udp'
  /** A port or a range: '6443', '30000-32767' */
  readonly port?: string
  /** Arriving at the host itself, or passing through it. */
  readonly chain: 'input' | 'forward'
  /** Only packets to here whose destination the host has translated: what kube-proxy sends on to a pod. CIDR. */
  readonly translatedTo?: string
}

/** Rules added to the firewall that is active on the host. */
export interface FirewallAction {
  readonly kind: 'firewall'
  readonly tool: 'ufw' | 'firewalld' | 'iptables' | 'nftables'
  readonly rule: FirewallRule
  /** The chain of iptables or nftables that would drop the packet: `INPUT`, `family table chain`; firewalld's zone. */
  readonly into?: string
  /** firewalld: its own files as they were, by path. With the first rule of a plan; its undo, the last one, gives them back. */
  readonly files?: Readonly<Record<string, FileState | null>>
  /** The rule is taken away again: only in an undo. */
  readonly remove?: true
}

/** Packages of the distribution that are not there, installed; nothing that is there is upgraded or replaced. */
export interface PackageAction {
  readonly kind: 'package'
  readonly tool: 'apt' | 'dnf'
  /** What is asked for. */
  readonly names: readonly string[]
  /** Everything that comes new, with the version, what is asked for and its dependencies: what undo removes. */
  readonly adds: readonly { readonly name: string; readonly version: string }[]
  /** The packages are taken away again: only in an undo. */
  readonly remove?: true
}

/** An artifact of the bundle at a path of the host. */
export interface UploadAction {
  readonly kind: 'upload'
  /** Name of the artifact in the bundle. */
  readonly artifact: string
  readonly version: string
  readonly sha256: string
  readonly size: number
  readonly path: string
  readonly mode: string
  /** What k8snet had put there before, or a file of somebody else's, which is kept aside and given back by undo. */
  readonly was: 'absent' | 'ours' | 'foreign'
  /** The hashes of all versions that k8snet has put there: only in an undo, which touches nothing else. */
  readonly ours?: readonly string[]
  /** The file is taken away again: only in an undo. */
  readonly remove?: true
}

/** A container image in containerd's k8s.io namespace. */
export interface ImageAction {
  readonly kind: 'image'
  /** The full reference: registry.k8s.io/pause:3.10.2 */
  readonly ref: string
  /** sha256:… of the image's manifest in the bundle */
  readonly digest: string
  readonly size: number
  readonly blobs: readonly Blob[]
  /** The image is taken away again: only in an undo. */
  readonly remove?: true
}

/** A command. `unless` succeeds when the work is already done, asked once more just before it runs. */
export interface ExecAction {
  readonly kind: 'exec'
  readonly summary: string
  readonly command: Sh
  readonly unless?: Sh
  readonly timeoutSeconds: number
  /** How to take it back; 'nothing' says that there is nothing to take back. */
  readonly undo: readonly Action[] | 'nothing'
}

/** Something the host has to come to by itself, polled with a deadline. `ask` exits 0 when it holds. */
export interface WaitAction {
  readonly kind: 'wait'
  readonly summary: string
  readonly ask: Sh
  readonly timeoutSeconds: number
  /** Printed on failure: shell whose output shows why it does not hold. */
  readonly evidence?: Sh
}

/** One entry of the journal on a host: an action that was begun. Order is the order of the lines. */
export interface JournalEntry {
  readonly id: string
  readonly step: string
  readonly action: Action
  /** What the journal says of its end; without it the run was cut off in the middle of it, or just after it. */
  readonly ended?: 'done' | 'failed'
}
