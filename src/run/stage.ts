import { randomBytes } from 'node:crypto'
import type { HostStage } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import { Failure } from '../model/trouble.ts'
import { actionsOf } from '../plan/make.ts'
import { actionFailed, stopped } from './failed.ts'
import { followScript, tell, tellEnd } from './follow.ts'
import { guarded } from './guarded.ts'
import { applyScript, type Item } from './script.ts'
import { type Segment, segmentsOf } from './segments.ts'
import type { Done, Means, Task } from './task.ts'
import { send } from './transfer.ts'

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

async function transfer(task: Task, way: 'files' | 'images', items: Segment['items']): Promise<void> {
  const { stage, hands, means } = task
  const host = stage.host.name
  const first = items[0]!
  await means.uploads.run(async () => {
    if (means.signal.aborted) throw stopped(task)
    const summary = `send ${items.length} ${way}`
    const began = performance.now()
    tell(task, first.step, summary)
    const reply = await send(way, hands, means.prelude, items, means.store, {
      signal: means.signal,
      onBytes: (sent, total) => means.emit({ type: 'bytes', stage: stage.stage, host, sent, total }),
    })
    tellEnd(task, first.step, summary, began, reply.code === 0)
    if (reply.code !== 0) throw await actionFailed(task, first, reply.code, reply.err)
    task.done.actions += items.length
    for (const { id } of items) task.ended.add(id)
  }, stage.host.role === 'control-plane')
}
