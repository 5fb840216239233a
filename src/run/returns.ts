import { merge, thingOf, undo } from '../actions/index.ts'
import type { Action, JournalEntry } from '../model/action.ts'

/** One thing that goes back to what it was before k8snet first touched it. */
export interface Return {
  /** The first entry's, in whose place it is taken back. */
  readonly id: string
  /** All entries that it stands for. */
  readonly ids: readonly string[]
  readonly step: string
  readonly actions: readonly Action[]
  /** A run was cut off in the middle of the last of them, or just after it. */
  readonly unfinished: boolean
}

/**
 * What takes the entries of a journal back, the last thing first. What several runs changed is one thing: it goes back to what
 * was before the first of them, in the place of the first, when all that came to rest on it is gone.
 */
export function returns(entries: readonly JournalEntry[]): Return[] {
  const things = new Map<string, JournalEntry[]>()
  for (const entry of entries) {
    const key = thingOf(entry.action) ?? `entry ${entry.id}`
    const earlier = things.get(key)
    if (earlier) earlier.push(entry)
    else things.set(key, [entry])
  }
  return [...things.values()].reverse().map((same) => ({
    id: same[0]!.id,
    ids: same.map(({ id }) => id),
    step: same[0]!.step,
    actions: undo(same.map(({ action }) => action).reduce(merge)),
    unfinished: same.at(-1)!.ended === undefined,
  }))
}
