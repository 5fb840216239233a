import { randomBytes } from 'node:crypto'
import { show } from '../actions/index.ts'
import { changedStatus } from '../actions/kind.ts'
import type { Emit } from '../model/event.ts'
import type { HostStage } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import type { Sh } from '../model/shell.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { actionsOf } from '../plan/make.ts'
import { applyScript, type Item, type Outcome, readOutcome, stopScript } from './script.ts'
import { type Segment, segmentsOf } from './segments.ts'
import { type Store, sendFiles, sendImages } from './transfer.ts'
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
}

/** Carries out one stage on one host, segment by segment. Throws a Failure that names the step and shows what it printed. */
export async function runStage(stage: HostStage, hands: Hands, means: Means): Promise<void> {
  const items: Item[] = actionsOf(stage).map(({ step, action }) => ({
    id: randomBytes(4).toString('hex'),
    step,
    action,
  }))
  for (const segment of segmentsOf(items)) {
    means.signal.throwIfAborted()
    await (segment.way === 'script'
      ? runScript(stage, segment.items, hands, means)
      : transfer(stage, segment, hands, means))
  }
}

async function runScript(stage: HostStage, items: readonly Item[], hands: Hands, means: Means): Promise<void> {
  const byId = new Map(items.map((item) => [item.id, item]))
  let failed: Outcome | undefined
  let done = 0
  const stop = () => void hands.change(stopScript).catch(() => undefined)
  means.signal.addEventListener('abort', stop, { once: true })
  const reply = await hands.change(applyScript(means.prelude, items), {
    timeoutMs: 1000 * (60 + items.reduce((sum, item) => sum + secondsOf(item), 0)),
    onLine: (line) => {
      const begun = line.startsWith('@begin ') ? byId.get(line.slice(7)) : undefined
      if (begun) tell(stage, begun, means)
      const outcome = readOutcome(line)
      if (outcome?.status === 0) done += 1
      else if (outcome) failed = outcome
    },
  })
  means.signal.removeEventListener('abort', stop)
  if (failed) throw actionFailed(stage, byId.get(failed.id)!, failed.status, failed.output, means)
  if (reply.code === 0 && done < items.length) means.signal.throwIfAborted()
  if (reply.code !== 0 || done !== items.length)
    throw actionFailed(stage, items[done] ?? items[0]!, reply.code, reply.err, means)
}

async function transfer(stage: HostStage, { way, items }: Segment, hands: Hands, means: Means): Promise<void> {
  const [send, what] = way === 'files' ? [sendFiles, 'files'] : [sendImages, 'images']
  await means.uploads.run(async () => {
    means.emit({
      type: 'action',
      stage: stage.stage,
      host: stage.host.name,
      step: items[0]!.step,
      summary: `send ${items.length} ${what}`,
    })
    const reply = await send(hands, means.prelude, items, means.store, {
      signal: means.signal,
      onBytes: (sent, total) => means.emit({ type: 'bytes', stage: stage.stage, host: stage.host.name, sent, total }),
    })
    if (reply.code !== 0) throw actionFailed(stage, items[0]!, reply.code, reply.err, means)
  }, stage.host.role === 'control-plane')
}

function tell(stage: HostStage, { step, action }: Item, { emit }: Means): void {
  emit({ type: 'action', stage: stage.stage, host: stage.host.name, step, summary: show(action).summary })
}

function actionFailed(
  stage: HostStage,
  { step, action }: Item,
  status: number,
  output: string,
  { mask }: Means,
): Failure {
  const { summary } = show(action)
  const where = `${stage.host.name}: ${step}`
  const trouble: Trouble =
    status === changedStatus
      ? {
          code: 'HOST_CHANGED',
          message: `${summary}: it is no longer as it was when the plan was made`,
          where,
          fix: 'run the command again: it plans from what is there now',
        }
      : {
          code: 'ACTION_FAILED',
          message: `${summary}: ended with status ${status}`,
          where,
          evidence: lastLines(summary, mask(output)),
        }
  return new Failure(exits.someHosts, trouble)
}

/** The last lines that were printed, oldest first. */
function lastLines(source: string, output: string): { source: string; line: string }[] {
  const lines = output.trimEnd().split('\n').slice(-8)
  return lines.filter((line) => line.trim() !== '').map((line) => ({ source, line }))
}

function secondsOf({ action }: Item): number {
  return action.kind === 'exec' || action.kind === 'wait' ? action.timeoutSeconds : 20
}
