import type { Action, Kind } from '../model/action.ts'
import type { Sh } from '../model/shell.ts'
import { exec } from './exec.ts'
import { file } from './file.ts'
import { firewall } from './firewall.ts'
import { image } from './image.ts'
import type { KindOf, Shown } from './kind.ts'
import { line } from './line.ts'
import { module } from './module.ts'
import { service } from './service.ts'
import { swap } from './swap.ts'
import { sysctl } from './sysctl.ts'
import { upload } from './upload.ts'
import { wait } from './wait.ts'

type Kinds = { [K in Kind]: KindOf<Extract<Action, { kind: K }>> }

const kinds = { file, line, sysctl, module, service, swap, firewall, upload, image, exec, wait } satisfies Kinds

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

function kindOf<A extends Action>(action: A): KindOf<A> {
  return kinds[action.kind] as unknown as KindOf<A>
}
