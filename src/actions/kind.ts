import type { Action } from '../model/action.ts'
import type { Sh } from '../model/shell.ts'

/** What a person sees of an action in a plan. The names are the JSON's. */
export interface Shown {
  summary: string
  is?: string
  want?: string
  diff?: string
  command?: string
}

/** One kind of action: everything that can be made from the value. Pure. */
export interface KindOf<A extends Action> {
  show(action: A): Shown
  /**
   * Shell that makes the change, run under `set -e` with the functions of templates/prelude.sh.
   * It exits with {@link changedStatus} when the host is no longer as the action's `was` says.
   * Kinds whose bytes come over the wire (upload, image) have none for adding; see src/run/transfer.ts.
   */
  compile(action: A): Sh
  /** The actions that take it back, from the value alone. */
  undo(action: A): readonly Action[]
  /** What the change is made to: actions on the same thing are taken back together, to what was before the first of them. */
  thing?(action: A): string
  /** Both as one, from what was before the first to what the later one wants. */
  merge?(first: A, later: A): A
}

/** Exit status of a compiled action that found the host changed by somebody else. */
export const changedStatus = 97
