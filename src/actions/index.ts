import type { Action, Kind } from '../model/action.ts'
import type { Sh } from '../model/shell.ts'
import { exec } from './exec.ts'
import { file } from './file.ts'
import { firewall } from './firewall.ts'
import { image } from './image.ts'
import type { KindOf, Shown } from './kind.ts'
import { line } from './line.ts'
import { module } from './module.ts'
import { packages } from './package.ts'
import { service } from './service.ts'
import { swap } from './swap.ts'
import { sysctl } from './sysctl.ts'
import { upload } from './upload.ts'
import { wait } from './wait.ts'

export { canLockOut } from './lockout.ts'

type Kinds = { [K in Kind]: KindOf<Extract<Action, { kind: K }>> }

const kinds = {
  file,
  line,
  sysctl,
  module,
  service,
  swap,
  firewall,
  package: packages,
  upload,
  image,
  exec,
  wait,
} satisfies Kinds

/** What a person sees of an action. */
export function show(action: Action): Shown {
  return kindOf(action).show(action)
}

/** The shell that makes the change; see KindOf.compile. */
export function compile(action: Action): Sh {
  return kindOf(action).compile(action)
}

/** The actions that take it back. */
export function undo(action: Action): readonly Action[] {
  return kindOf(action).undo(action)
}

/** Does it leave something on the host that `down` has to take back? */
export function isJournalled(action: Action): boolean {
  return undo(action).length > 0
}

/** What it is made to, as a word to compare; undefined where every action stands for itself. */
export function thingOf(action: Action): string | undefined {
  const thing = kindOf(action).thing?.(action)
  return thing === undefined ? undefined : `${action.kind} ${thing}`
}

/** Two actions on the same thing as one: from what was before the first to what the later one wants. */
export function merge(first: Action, later: Action): Action {
  return kindOf(first).merge?.(first, later) ?? later
}

function kindOf<A extends Action>(action: A): KindOf<A> {
  return kinds[action.kind] as unknown as KindOf<A>
}
