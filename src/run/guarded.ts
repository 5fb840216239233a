import { randomBytes } from 'node:crypto'
import type { Hands } from '../model/ports.ts'
import { exits, Failure, lineOf, type Trouble } from '../model/trouble.ts'
import { stopped } from './failed.ts'
import { followScript } from './follow.ts'
import { confirmScript, guardedScript, isGone, withdrawScript } from './revert.ts'
import type { Item } from './script.ts'
import type { Task } from './task.ts'

/** Asked this often whether the host lets somebody in, and whether it has taken the changes back. */
const everyMs = 1000

/**
 * Makes changes that could keep everybody out of the host. Before the first of them the host is told to take them back by itself
 * when nobody objects in time; that takes a new connection, made after the last of them. Throws CHANGE_REVERTED where there was
 * none: then the host is as it was before.
 */
export async function guarded(task: Task, items: readonly Item[]): Promise<void> {
  const { means, hands, done } = task
  const id = randomBytes(4).toString('hex')
  const seconds = means.confirmSeconds ?? 60
  const before = done.actions
  let failure: Failure | undefined
  try {
    await followScript(task, items, guardedScript(means.prelude, id, items, seconds))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    failure = error
  }
  const why = await confirm(hands, id, seconds, means.signal)
  if (failure) throw failure
  if (why === undefined) return
  done.actions = before
  for (const item of items) task.ended.delete(item.id)
  if (means.signal.aborted) throw stopped(task)
  const back = await isBack(hands, id)
  throw new Failure(exits.someHosts, reverted(task, items, why, back))
}

/** Comes in anew and says so; resolves with what stood in the way, where nothing helped before the host took the changes back. */
async function confirm(hands: Hands, id: string, seconds: number, signal: AbortSignal): Promise<Trouble | undefined> {
  const until = performance.now() + seconds * 1000
  let why: Trouble = { code: 'TIMEOUT', message: 'no new connection in time' }
  while (performance.now() < until && !signal.aborted) {
    try {
      const fresh = await hands.again()
      try {
        const reply = await fresh.change(confirmScript(id), { timeoutMs: 1000 * seconds })
        if (reply.code !== 0) return why
        await fresh.change(withdrawScript(id)).catch(() => undefined)
        return undefined
      } finally {
        fresh.close()
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      why = error.troubles[0]!
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  return why
}

/** Waits until the host has taken the changes back; false where it does not say so in time. */
async function isBack(hands: Hands, id: string): Promise<boolean> {
  for (let tries = 0; tries < 30; tries += 1) {
    const reply = await hands.look(isGone(id)).catch(() => undefined)
    if (reply?.code === 0) return true
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  return false
}

function reverted({ stage }: Task, items: readonly Item[], why: Trouble, back: boolean): Trouble {
  const steps = [...new Set(items.map(({ step }) => step))].join(', ')
  return {
    code: 'CHANGE_REVERTED',
    message: `after ${steps} the host let no new connection in, so it ${back ? 'took the changes back by itself' : 'takes the changes back by itself; that it did could not be seen'}`,
    where: `${stage.host.name}: ${steps}`,
    evidence: [{ source: 'new connection', line: lineOf(why) }, ...(why.evidence ?? [])],
    fix: `make sure that SSH stays open beside what ${steps} asks for (k8snet plan shows it), and run the command again`,
  }
}
