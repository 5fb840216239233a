import { compile, isJournalled } from '../actions/index.ts'
import { changedStatus } from '../actions/kind.ts'
import type { Action, JournalEntry } from '../model/action.ts'
import { quote, type Sh, sh } from '../model/shell.ts'
import { returns } from './returns.ts'

/** An action in its place: which step wants it, and the id of its journal entry. */
export interface Item {
  readonly id: string
  readonly step: string
  readonly action: Action
}

/** What the script said of one item. */
export interface Outcome {
  readonly id: string
  readonly status: number
  /** What the action printed, when it failed. */
  readonly output: string
}

/**
 * One script that makes all changes in order and stops at the first that fails; each is journalled before it begins, and what
 * cannot be journalled is not done. `before` is shell that comes before a change.
 */
export function applyScript(prelude: Sh, items: readonly Item[], before: (item: Item) => Sh = () => ''): Sh {
  return [
    prelude,
    ...items.map((item) => {
      const [well, ill] = isJournalled(item.action)
        ? [sh`ended ${item.id} done`, sh`ended ${item.id} failed; `]
        : [':', '']
      return `stopped && exit 0\n${journalLine(item)}${before(item)}${attempt(item.id, compile(item.action), `${ill}exit 0`, well)}`
    }),
    'reload_units',
  ].join('\n')
}

/** What to do with what somebody else has changed since: leave it and say so, put back what was before k8snet, or let it be. */
export type OnChanged = 'leave' | 'overwrite' | 'keep'

/**
 * One script that takes entries back, the last one first; it goes on when one fails, and what was undone leaves the journal.
 * When nothing is left in it, all that k8snet keeps on the host goes.
 */
export function undoScript(prelude: Sh, entries: readonly JournalEntry[], onChanged: OnChanged = 'leave'): Sh {
  const back = returns(entries).map(({ id, ids, actions }) => {
    const shell = actions.map((action) => `(\n${compile(action)}\n)`).join('\n')
    // The last one first: were it cut off between two, what is left must still lead back to what was before the first.
    const forgotten = sh`undone ${[...ids].reverse()}`
    const onFailure =
      onChanged === 'keep' ? `if [ $rc -eq ${changedStatus} ]; then ${forgotten}; else failed=1; fi` : 'failed=1'
    return `stopped && exit 0\n${attempt(id, shell, onFailure, forgotten)}`
  })
  return [
    prelude,
    onChanged === 'overwrite' ? 'overwrite=1' : 'overwrite=',
    'failed=',
    ...back,
    'reload_units',
    '[ -n "$failed" ] || forget',
  ].join('\n')
}

/** Asks a script that is under way to stop after the action it is at. */
export const stopScript: Sh = ': >/run/k8snet/stop'

/**
 * The journal entries that are not yet undone, oldest first, from the journal's text. A line that a crash tore off is no line:
 * its action had not begun.
 */
export function readJournal(text: string): JournalEntry[] {
  const entries = new Map<string, JournalEntry>()
  for (const line of text.split('\n').flatMap(lineOfJournal)) {
    if ('undone' in line) entries.delete(line.undone)
    else if ('id' in line) entries.set(line.id, line)
    else {
      const [ended, id] = 'done' in line ? (['done', line.done] as const) : (['failed', line.failed] as const)
      const entry = entries.get(id)
      if (entry) entries.set(id, { ...entry, ended })
    }
  }
  return [...entries.values()]
}

type JournalLine = JournalEntry | { undone: string } | { done: string } | { failed: string }

function lineOfJournal(line: string): JournalLine[] {
  if (!line.startsWith('{')) return []
  try {
    return [JSON.parse(line) as JournalLine]
  } catch {
    return []
  }
}

/** The journal's line for an item, as shell; empty for what leaves nothing behind. */
export function journalLine(item: Item): Sh {
  return isJournalled(item.action) ? `journal ${quote(JSON.stringify(item))}\n` : ''
}

/** Reads the outcome lines that {@link attempt} prints: `@done ID` or `@failed ID STATUS BASE64`. */
export function readOutcome(line: string): Outcome | undefined {
  const [word, id, status, output] = line.split(' ')
  if (word === '@done' && id) return { id, status: 0, output: '' }
  if (word === '@failed' && id)
    return { id, status: Number(status), output: Buffer.from(output ?? '', 'base64').toString() }
  return undefined
}

/** Runs shell under `set -e` with its output held back, and says what became of it. Its descriptor 3 is for lines `@note TEXT`. */
function attempt(id: string, shell: Sh, onFailure: Sh, onSuccess: Sh = ':'): Sh {
  return [
    sh`echo @begin ${id}`,
    `{ out=$( ( set -e\n${shell}\n) 2>&1 ); } 3>&1`,
    `rc=$?`,
    `if [ $rc -eq 0 ]; then`,
    `${sh`  echo @done ${id}`}; ${onSuccess}`,
    `else`,
    `${sh`  echo @failed ${id} `}$rc "$(printf %s "$out" | tail -c 16000 | base64 | tr -d '\\n')"`,
    `  ${onFailure}`,
    `fi`,
  ].join('\n')
}
