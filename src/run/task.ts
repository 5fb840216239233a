import type { Emit } from '../model/event.ts'
import type { HostStage } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import type { Sh } from '../model/shell.ts'
import type { Item } from './script.ts'
import type { Store } from './transfer.ts'
import type { Window } from './window.ts'

/** What carrying out a stage needs besides the stage. */
export interface Means {
  readonly prelude: Sh
  readonly store: Store
  /** How many hosts get bytes at once; those that others wait for go first. */
  readonly uploads: Window
  readonly emit: Emit
  readonly signal: AbortSignal
  /** Takes what must not be seen out of a text. */
  readonly mask: (text: string) => string
  /** How long a host that went away is waited for; 90 s */
  readonly patienceMs?: number
  /** How long a change that can lock out stands unconfirmed before the host takes it back; 60 s */
  readonly confirmSeconds?: number
}

/** What was done so far; it is counted while it happens, so that it is known of a stage that fails, too. */
export interface Done {
  /** Changes; waiting is none. */
  actions: number
}

/** One host's stage on its way. */
export interface Task {
  readonly stage: HostStage
  readonly hands: Hands
  readonly means: Means
  readonly done: Done
  readonly items: readonly Item[]
  /** The ids of the items that have ended, well or not. */
  readonly ended: Set<string>
}
