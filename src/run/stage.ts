import { randomBytes } from 'node:crypto'
import { show } from '../actions/index.ts'
import type { Emit } from '../model/event.ts'
import type { HostStage } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import type { Sh } from '../model/shell.ts'
import { Failure } from '../model/trouble.ts'
import { actionsOf } from '../plan/make.ts'
import { actionFailed, stopped } from './failed.ts'
import { guarded } from './guarded.ts'
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
  /** How long a host that went away is waited for; 90 s */
  readonly patienceMs?: number
  /** How long a change that can lock out stands unconfirmed before the host takes it back; 60 s */
  readonly confirmSeconds?: number
}

/** What was done so far; it is counted while it happens, so that it is known of a stage that fails, too. */
export interface Done {
  /** Changes; waiting is none. */
  actions: number
}

/** One host's stage on its way. */
export interface Task {
  readonly stage: HostStage
  readonly hands: Hands
  readonly means: Means
  readonly done: Done
  readonly items: readonly Item[]
  /** The ids of the items that have ended, well or not. */
  readonly ended: Set<string>
}

/**
 * Carries out one stage on one host, segment by segment. Throws a Failure that names the step and shows what it printed, or
 * INTERRUPTED with what is not done, once the action under way has ended.
 */
export async function runStage(stage: HostStage, hands: Hands, means: Means, done: Done): Promise<void> {
  const items: Item[] = actionsOf(stage).map(({ step, action }) => ({
    id: randomBytes(4).toString('hex'),
    step,
    action,
  }))
  const task: Task = { stage, hands, means, done, items, ended: new Set() }
  try {
    for (const { way, items: some } of segmentsOf(items)) {
      if (means.signal.aborted) throw stopped(task)
      if (way === 'script') await followScript(task, some, applyScript(means.prelude, some))
      else if (way === 'guarded') await guarded(task, some)
      else await transfer(task, way, some)
    }
  } catch (error) {
    throw error instanceof Failure && error.troubles[0]?.code === 'INTERRUPTED' ? stopped(task) : error
  }
}

/** Runs a script made of the items on the host, tells of each as it begins and ends, and holds it to its end. */
export async function followScript(task: Task, items: readonly Item[], script: Sh): Promise<void> {
  const { hands, means } = task
  const byId = new Map(items.map((item) => [item.id, item]))
  let failed: Outcome | undefined
  let began = 0
  const onLine = (line: string) => {
    const begun = line.startsWith('@begin ') ? byId.get(line.slice(7)) : undefined
    if (begun) {
      began = performance.now()
      tell(task, begun.step, show(begun.action).summary)
      // The hands pass the user's interruption on; a script that was only just starting may have missed it.
      if (means.signal.aborted) hands.change(stopScript).catch(() => undefined)
    }
    if (line.startsWith('@note ')) means.emit({ type: 'note', text: `${task.stage.host.name}: ${line.slice(6)}` })
    const outcome = readOutcome(line)
    const item = outcome && byId.get(outcome.id)
    if (!outcome || !item) return
    task.ended.add(item.id)
    if (outcome.status !== 0) failed = outcome
    else if (item.action.kind !== 'wait') task.done.actions += 1
    tellEnd(task, item.step, show(item.action).summary, began, outcome.status === 0)
  }
  const timeoutMs = 1000 * (60 + items.reduce((sum, item) => sum + secondsOf(item), 0))
  const reply = await hands.run(script, { timeoutMs, signal: means.signal, onLine })
  if (failed) throw await actionFailed(task, byId.get(failed.id)!, failed.status, failed.output)
  const left = items.filter(({ id }) => !task.ended.has(id))
  if (reply.code === 0 && left.length === 0) return
  if (reply.code === 0 && means.signal.aborted) throw stopped(task)
  const said = `${reply.out}\n${reply.err}`.split('\n').filter((line) => !/^@(begin|done|failed|note) /.test(line))
  throw await actionFailed(task, left[0] ?? items[0]!, reply.code, said.join('\n'))
}

async function transfer(task: Task, way: 'files' | 'images', items: Segment['items']): Promise<void> {
  const { stage, hands, means } = task
  const host = stage.host.name
  const first = items[0]!
  await means.uploads.run(async () => {
    if (means.signal.aborted) throw stopped(task)
    const summary = `send ${items.length} ${way}`
    const began = performance.now()
    tell(task, first.step, summary)
    const send = way === 'files' ? sendFiles : sendImages
    const reply = await send(hands, means.prelude, items, means.store, {
      signal: means.signal,
      onBytes: (sent, total) => means.emit({ type: 'bytes', stage: stage.stage, host, sent, total }),
    })
    tellEnd(task, first.step, summary, began, reply.code === 0)
    if (reply.code !== 0) throw await actionFailed(task, first, reply.code, reply.err)
    task.done.actions += items.length
    for (const { id } of items) task.ended.add(id)
  }, stage.host.role === 'control-plane')
}

function tell({ stage, means }: Task, step: string, summary: string): void {
  means.emit({ type: 'action', stage: stage.stage, host: stage.host.name, step, summary })
}

function tellEnd({ stage, means }: Task, step: string, summary: string, began: number, well: boolean): void {
  const ms = performance.now() - began
  const outcome = well ? 'done' : 'failed'
  means.emit({ type: 'done', stage: stage.stage, host: stage.host.name, step, summary, ms, outcome })
}

function secondsOf({ action }: Item): number {
  if (action.kind === 'package') return 900
  return action.kind === 'exec' || action.kind === 'wait' ? action.timeoutSeconds : 20
}
