import { show } from '../actions/index.ts'
import type { Sh } from '../model/shell.ts'
import { actionFailed, stopped } from './failed.ts'
import { type Item, type Outcome, readOutcome, stopScript } from './script.ts'
import type { Task } from './task.ts'

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

/** Says that an action begins. */
export function tell({ stage, means }: Task, step: string, summary: string): void {
  means.emit({ type: 'action', stage: stage.stage, host: stage.host.name, step, summary })
}

/** Says how an action ended; `began` is when, by the clock of performance. */
export function tellEnd({ stage, means }: Task, step: string, summary: string, began: number, well: boolean): void {
  const ms = performance.now() - began
  const outcome = well ? 'done' : 'failed'
  means.emit({ type: 'done', stage: stage.stage, host: stage.host.name, step, summary, ms, outcome })
}

function secondsOf({ action }: Item): number {
  if (action.kind === 'package') return 900
  return action.kind === 'exec' || action.kind === 'wait' ? action.timeoutSeconds : 20
}
