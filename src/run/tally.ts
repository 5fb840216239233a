import type { Emit } from '../model/event.ts'
import type { Host } from '../model/inventory.ts'
import type { Stage } from '../model/plan.ts'
import type { HostResult } from '../model/report.ts'
import { Failure, type Trouble } from '../model/trouble.ts'
import type { Done } from './task.ts'

interface End {
  readonly stage: string
  readonly outcome: HostResult['outcome']
  readonly actions: number
  readonly from: number
  readonly to: number
  readonly error?: Trouble
}

/** Keeps the score of a run: what each task did, how long it took, why it failed. */
export interface Tally {
  /**
   * Runs one host's stage after what it needs; resolves with whether it went well, and never throws. The work resolves with how
   * many changes it made, and counts them in `done` where that is to be known of a failed one, too.
   */
  task(
    stage: Stage,
    host: Host,
    needs: readonly Promise<boolean>[],
    emit: Emit,
    work: (done: Done) => Promise<number>,
  ): Promise<boolean>
  stages(): { name: string; ms: number }[]
  /** What became of a host so far. */
  result(host: Host): HostResult
}

export function tally(clock: () => number): Tally {
  const ends = new Map<Host, End[]>()
  const spans = new Map<string, { from: number; to: number }>()
  return {
    async task(stage, host, needs, emit, work) {
      const met = (await Promise.all(needs)).every(Boolean)
      const from = clock()
      const end = met
        ? await attempt(host, work)
        : { outcome: 'skipped' as const, actions: 0, error: skipped(stage, host) }
      const to = clock()
      const own = ends.get(host) ?? []
      ends.set(host, own)
      own.push({ stage: stage.name, from, to, ...end })
      const span = spans.get(stage.name) ?? { from, to }
      spans.set(stage.name, { from: Math.min(span.from, from), to: Math.max(span.to, to) })
      const { outcome, error } = end
      emit({ type: 'end', stage: stage.name, host: host.name, ms: to - from, outcome, ...(error && { error }) })
      return outcome === 'changed' || outcome === 'unchanged'
    },
    stages: () => [...spans].map(([name, { from, to }]) => ({ name, ms: to - from })),
    result: (host) => resultOf(host, ends.get(host) ?? []),
  }
}

/** What became of each host. */
export function hostResults(hosts: readonly Host[], counts: Tally): HostResult[] {
  return hosts.map((host) => counts.result(host))
}

/** What became of a host over all its stages; the first error counts. */
function resultOf({ name }: Host, own: readonly End[]): HostResult {
  const error = own.find(({ outcome }) => outcome === 'failed')?.error ?? own.find(({ error: any }) => any)?.error
  return {
    name,
    outcome: worst(own.map(({ outcome }) => outcome)),
    actions: own.reduce((sum, { actions }) => sum + actions, 0),
    ms: own.reduce((sum, { from, to }) => sum + to - from, 0),
    ...(error && { error }),
  }
}

function worst(outcomes: readonly HostResult['outcome'][]): HostResult['outcome'] {
  return (['failed', 'skipped', 'changed'] as const).find((outcome) => outcomes.includes(outcome)) ?? 'unchanged'
}

async function attempt(
  host: Host,
  work: (done: Done) => Promise<number>,
): Promise<{ outcome: HostResult['outcome']; actions: number; error?: Trouble }> {
  const done: Done = { actions: 0 }
  try {
    const actions = await work(done)
    return { outcome: actions > 0 ? 'changed' : 'unchanged', actions }
  } catch (error) {
    return { outcome: 'failed', actions: done.actions, error: troubleOf(error, host) }
  }
}

function troubleOf(error: unknown, { name: where }: Host): Trouble {
  if (error instanceof Failure) return error.troubles[0]!
  if (error instanceof Error && error.name === 'AbortError')
    return {
      code: 'INTERRUPTED',
      message: 'stopped by the user',
      where,
      fix: 'run the command again: it goes on from what is there',
    }
  return { code: 'DEFECT', message: error instanceof Error ? (error.stack ?? error.message) : String(error), where }
}

function skipped(stage: Stage, host: Host): Trouble {
  return {
    code: 'DEPENDENCY_FAILED',
    message: `${stage.title}: not done, because something it needs failed`,
    where: host.name,
  }
}
