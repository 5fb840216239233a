import { show } from '../actions/index.ts'
import { changedStatus } from '../actions/kind.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import type { Item } from './script.ts'
import { spaceTrouble } from './space.ts'
import type { Task } from './task.ts'

/** What it means that an action ended with a status other than 0, and what it printed. */
export async function actionFailed(task: Task, item: Item, status: number, output: string): Promise<Failure> {
  const { summary } = show(item.action)
  const said = task.means.mask(output)
  const where = `${task.stage.host.name}: ${item.step}`
  return new Failure(
    exits.someHosts,
    status === changedStatus
      ? {
          code: 'HOST_CHANGED',
          message: `${summary}: it is no longer as it was when the plan was made`,
          where,
          fix: 'run the command again: it plans from what is there now',
        }
      : ((await spaceTrouble(task.hands, where, summary, said)) ?? {
          code: 'ACTION_FAILED',
          message: `${summary}: ended with status ${status}`,
          where,
          evidence: lastLines(summary, said),
        }),
  )
}

/** An interruption, with what of the stage is done and what is not. */
export function stopped({ stage, done, items, ended }: Task): Failure {
  const left = items.filter(({ id }) => !ended.has(id))
  const next = left[0] ? `, the next one: ${show(left[0].action).summary}` : ''
  const trouble: Trouble = {
    code: 'INTERRUPTED',
    message: `stopped in the stage ${stage.stage}: ${done.actions} done, ${left.length} not${next}`,
    where: stage.host.name,
    fix: 'run the command again: it goes on from what is there',
  }
  return new Failure(exits.interrupted, trouble)
}

/** The last lines that were printed, oldest first. */
export function lastLines(source: string, output: string): { source: string; line: string }[] {
  const lines = output.trimEnd().split('\n').slice(-8)
  return lines.filter((line) => line.trim() !== '').map((line) => ({ source, line }))
}
