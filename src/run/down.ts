import { show, undo } from '../actions/index.ts'
import { changedStatus } from '../actions/kind.ts'
import type { JournalEntry } from '../model/action.ts'
import type { Emit } from '../model/event.ts'
import type { Host } from '../model/inventory.ts'
import type { Eyes, Hands } from '../model/ports.ts'
import type { RunReport } from '../model/report.ts'
import type { Sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { type Outcome, readJournal, readOutcome, stopScript, undoScript } from './script.ts'
import { hostResults, tally } from './tally.ts'

/** What a host's journal says was done to it and is not yet undone, oldest first. */
export async function journalOf(eyes: Eyes): Promise<JournalEntry[]> {
  const reply = await eyes.look('cat /var/lib/k8snet/journal 2>/dev/null || [ ! -e /var/lib/k8snet/journal ]')
  if (reply.code !== 0) {
    throw new Failure(exits.someHosts, {
      code: 'LOOK_FAILED',
      message: 'the journal could not be read',
      where: eyes.host.name,
    })
  }
  return readJournal(reply.out)
}

/** What `down` would do on a host: for each entry, the last one first, what takes it back. */
export function undoPlan(entries: readonly JournalEntry[]) {
  return [...entries].reverse().flatMap(({ step, action }) => undo(action).map((back) => ({ step, action: back })))
}

export interface DownInput {
  readonly journals: ReadonlyMap<Host, readonly JournalEntry[]>
  readonly hands: ReadonlyMap<Host, Hands>
  readonly prelude: Sh
  readonly emit: Emit
  readonly signal: AbortSignal
  readonly clock: () => number
}

/** Undoes on every host what its journal says. A step that cannot be undone is named and does not stop the others. */
export async function runDown(input: DownInput): Promise<RunReport> {
  const { journals, emit, clock } = input
  const began = clock()
  const counts = tally(clock)
  const hosts = [...journals.keys()]
  const stage = { name: 'undo', title: 'Undo what up did', hosts: 'all' as const, after: [], steps: [] }
  emit({ type: 'stage', stage: stage.name, title: stage.title, hosts: hosts.map(({ name }) => name) })
  await Promise.all(hosts.map((host) => counts.task(stage, host, [], emit, () => undoHost(host, input))))
  const results = hostResults(hosts, counts)
  return {
    ok: results.every(({ outcome }) => outcome !== 'failed'),
    hosts: results,
    stages: counts.stages(),
    ms: clock() - began,
  }
}

async function undoHost(host: Host, { journals, hands, prelude, emit, signal }: DownInput): Promise<number> {
  const entries = journals.get(host)!
  if (entries.length === 0) return 0
  const byId = new Map(entries.map((entry) => [entry.id, entry]))
  const failed: Outcome[] = []
  let done = 0
  emit({ type: 'begin', stage: 'undo', host: host.name, actions: entries.length })
  const hand = hands.get(host)!
  const stop = () => void hand.change(stopScript).catch(() => undefined)
  signal.addEventListener('abort', stop, { once: true })
  const reply = await hand.change(undoScript(prelude, entries), {
    timeoutMs: 15 * 60_000,
    onLine: (line) => {
      const begun = line.startsWith('@begin ') ? byId.get(line.slice(7)) : undefined
      const back = begun && undo(begun.action)[0]
      if (begun && back)
        emit({ type: 'action', stage: 'undo', host: host.name, step: begun.step, summary: show(back).summary })
      const outcome = readOutcome(line)
      if (outcome) done += 1
      if (outcome && outcome.status !== 0) failed.push(outcome)
    },
  })
  signal.removeEventListener('abort', stop)
  if (failed.length === 0 && reply.code === 0 && done < entries.length) signal.throwIfAborted()
  if (failed.length === 0 && done === entries.length && reply.code === 0) return entries.length
  throw new Failure(
    exits.someHosts,
    failed.length > 0
      ? failed.map((outcome) => notUndone(host, byId.get(outcome.id)!, outcome))
      : broken(host, reply.err),
  )
}

function notUndone(host: Host, { step, action }: JournalEntry, { status, output }: Outcome) {
  const back = undo(action)[0]!
  const changed = status === changedStatus
  return {
    code: changed ? ('HOST_CHANGED' as const) : ('ACTION_FAILED' as const),
    message: `${show(back).summary}: ${changed ? 'left as it is, because somebody else changed it since' : `ended with status ${status}`}`,
    where: `${host.name}: ${step}`,
    evidence: output.trim() ? [{ source: step, line: output.trim().split('\n').at(-1)! }] : [],
    fix: 'look at it on the host, mend it, and run down again: the journal still has it',
  }
}

function broken(host: Host, err: string) {
  return {
    code: 'ACTION_FAILED' as const,
    message: 'the undo script ended early',
    where: host.name,
    evidence: [{ source: 'stderr', line: err.trim().slice(-300) }],
  }
}
