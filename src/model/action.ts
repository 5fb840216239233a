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
}

/** Lines of a file that belongs to somebody else. Each edit replaces one line (`was`) by another (`want`); null is absence. */
export interface LineAction {
  readonly kind: 'line'
  readonly path: string
  readonly edits: readonly { readonly was: string | null; readonly want: string | null }[]
}

/** A live kernel setting. `was` is undefined where the key appears only once a module is loaded. */
export interface SysctlAction {
  readonly kind: 'sysctl'
  readonly key: string
  readonly was?: string
  readonly want: string
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
  /** Only packets that come in by this interface. */
  readonly interface?: string
}

/** Rules added to the firewall that is active on the host. */
export interface FirewallAction {
  readonly kind: 'firewall'
  readonly tool: 'ufw' | 'firewalld' | 'iptables' | 'nftables'
  readonly rule: FirewallRule
  /** iptables and nftables: the chain that would drop the packet; `INPUT`, or `family table chain`. */
  readonly into?: string
  /** The rule is taken away again: only in an undo. */
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
}
