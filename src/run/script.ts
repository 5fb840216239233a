import { compile, isJournalled, undo } from '../actions/index.ts'
import type { Action, JournalEntry } from '../model/action.ts'
import { quote, type Sh, sh } from '../model/shell.ts'

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

/** One script that makes all changes in order and stops at the first that fails; each is journalled before it begins. */
export function applyScript(prelude: Sh, items: readonly Item[]): Sh {
  return [
    prelude,
    ...items.map(
      (item) => `stopped && exit 0\n${journalLine(item)}${attempt(item.id, compile(item.action), 'exit 0')}`,
    ),
    'reload_units',
  ].join('\n')
}

/** One script that takes entries back, the last one first; it goes on when one fails, and what was undone leaves the journal. */
export function undoScript(prelude: Sh, entries: readonly JournalEntry[]): Sh {
  const back = [...entries].reverse().map(({ id, action }) => {
    const shell = undo(action).map(compile).join('\n')
    return `stopped && exit 0\n${attempt(id, shell, 'failed=1', `journal ${quote(JSON.stringify({ undone: id }))}`)}`
  })
  return [prelude, 'failed=', ...back, 'reload_units', '[ -n "$failed" ] || forget'].join('\n')
}

/** Asks a script that is under way to stop after the action it is at. */
export const stopScript: Sh = ': >/run/k8snet/stop'

/** The journal entries that are not yet undone, oldest first, from the journal's text. */
export function readJournal(text: string): JournalEntry[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{'))
  const entries = new Map<string, JournalEntry>()
  for (const line of lines) {
    const entry = JSON.parse(line) as JournalEntry | { undone: string }
    if ('undone' in entry) entries.delete(entry.undone)
    else entries.set(entry.id, entry)
  }
  return [...entries.values()]
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

/** Runs shell under `set -e` with its output held back, and says what became of it. */
function attempt(id: string, shell: Sh, onFailure: Sh, onSuccess: Sh = ':'): Sh {
  return [
    sh`echo @begin ${id}`,
    `out=$( ( set -e\n${shell}\n) 2>&1 )`,
    `rc=$?`,
    `if [ $rc -eq 0 ]; then`,
    `${sh`  echo @done ${id}`}; ${onSuccess}`,
    `else`,
    `${sh`  echo @failed ${id} `}$rc "$(printf %s "$out" | tail -c 4000 | base64 | tr -d '\\n')"`,
    `  ${onFailure}`,
    `fi`,
  ].join('\n')
}
