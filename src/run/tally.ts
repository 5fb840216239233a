import type { Emit } from '../model/event.ts'
import type { Host } from '../model/inventory.ts'
import type { Stage } from '../model/plan.ts'
import type { HostResult } from '../model/report.ts'
import { Failure, type Trouble } from '../model/trouble.ts'

interface End {
  readonly host: Host
  readonly stage: string
  readonly outcome: HostResult['outcome']
  readonly actions: number
  readonly from: number
  readonly to: number
  readonly error?: Trouble
}

/** Keeps the score of a run: what each task did, how long it took, why it failed. */
export interface Tally {
  /** Runs one host's stage after what it needs; resolves with whether it went well, and never throws. */
  task(
    stage: Stage,
    host: Host,
    needs: readonly Promise<boolean>[],
    emit: Emit,
    work: () => Promise<number>,
  ): Promise<boolean>
  stages(): { name: string; ms: number }[]
  readonly ends: readonly End[]
}

export function tally(clock: () => number): Tally {
  const ends: End[] = []
  return {
    ends,
    async task(stage, host, needs, emit, work) {
      const met = (await Promise.all(needs)).every(Boolean)
      const from = clock()
      const end = met ? await attempt(work) : { outcome: 'skipped' as const, actions: 0, error: skipped(stage, host) }
      ends.push({ host, stage: stage.name, from, to: clock(), ...end })
      const ms = clock() - from
      emit({
        type: 'end',
        stage: stage.name,
        host: host.name,
        ms,
        outcome: end.outcome,
        ...(end.error && { error: end.error }),
      })
      return end.outcome === 'changed' || end.outcome === 'unchanged'
    },
    stages() {
      const names = [...new Set(ends.map(({ stage }) => stage))]
      return names.map((name) => {
        const these = ends.filter(({ stage }) => stage === name)
        return { name, ms: Math.max(...these.map(({ to }) => to)) - Math.min(...these.map(({ from }) => from)) }
      })
    },
  }
}

/** What became of each host over all its stages; the first error counts. */
export function hostResults(hosts: readonly Host[], { ends }: Tally): HostResult[] {
  return hosts.map((host) => {
    const own = ends.filter((end) => end.host === host)
    const error = own.find(({ outcome }) => outcome === 'failed')?.error ?? own.find(({ error: any }) => any)?.error
    return {
      name: host.name,
      outcome: worst(own.map(({ outcome }) => outcome)),
      actions: own.reduce((sum, { actions }) => sum + actions, 0),
      ms: own.reduce((sum, { from, to }) => sum + to - from, 0),
      ...(error && { error }),
    }
  })
}

function worst(outcomes: readonly HostResult['outcome'][]): HostResult['outcome'] {
  return (['failed', 'skipped', 'changed'] as const).find((outcome) => outcomes.includes(outcome)) ?? 'unchanged'
}

async function attempt(
  work: () => Promise<number>,
): Promise<{ outcome: HostResult['outcome']; actions: number; error?: Trouble }> {
  try {
    const actions = await work()
    return { outcome: actions > 0 ? 'changed' : 'unchanged', actions }
  } catch (error) {
    return { outcome: 'failed', actions: 0, error: troubleOf(error) }
  }
}

function troubleOf(error: unknown): Trouble {
  if (error instanceof Failure) return error.troubles[0]!
  if (error instanceof Error && error.name === 'AbortError')
    return { code: 'INTERRUPTED', message: 'stopped by the user' }
  return { code: 'DEFECT', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

function skipped(stage: Stage, host: Host): Trouble {
  return {
    code: 'DEPENDENCY_FAILED',
    message: `${stage.title}: not done, because something it needs failed`,
    where: host.name,
  }
}
