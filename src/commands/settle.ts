import { job } from '../facts/job.ts'
import type { Host } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import { Failure } from '../model/trouble.ts'
import { unconfirmed } from '../run/revert.ts'
import { settle } from '../run/settle.ts'
import type { CommandIo } from './io.ts'
import { type Planned, planOn } from './plan.ts'
import type { Prepared } from './session.ts'

/**
 * Plans from a picture in which nothing of an earlier run moves any more, once the cluster's lock is `held`. Where a script of a
 * run that was cut off is still going on, it is asked to stop after the action it is at, and waited for; a change that stands
 * unconfirmed is confirmed by this connection, which is a new one. Then the hosts are asked once more.
 */
export async function settledPlan(
  io: CommandIo,
  prepared: Prepared,
  hands: ReadonlyMap<Host, Hands>,
  unreached: ReadonlyMap<Host, Failure>,
  held: Promise<void>,
): Promise<Planned> {
  const first = await lookAround(io, prepared, hands, unreached)
  await held
  const restless = restlessOf(first)
  if (restless.length === 0) return first
  const say = (text: string) => {
    io.follow?.event({ type: 'note', text })
    io.err(`${text}\n`)
  }
  await Promise.all(
    restless.map(async (host) => {
      say(`${host.name}: an earlier run was cut off; what it began comes to its end first`)
      await settle(hands.get(host)!, io.signal, say).catch(mayBeLost)
    }),
  )
  return planOn(io, prepared, hands, unreached)
}

/** A picture of the hosts, also of what may still be going on there of an earlier run. */
export function lookAround(
  io: CommandIo,
  prepared: Prepared,
  hands: ReadonlyMap<Host, Hands>,
  unreached: ReadonlyMap<Host, Failure>,
): Promise<Planned> {
  return planOn(io, prepared, hands, unreached, [job, unconfirmed])
}

/** Is there nothing to do, and nothing of an earlier run going on? Then nothing needs the lock. */
export function isAtRest(planned: Planned): boolean {
  return planned.plan.hosts.every(({ stages }) => stages.length === 0) && restlessOf(planned).length === 0
}

function restlessOf({ prepared, answers }: Planned): Host[] {
  return prepared.hosts.filter((host) => {
    const known = answers.get(host)!
    return known.get(job) !== null || known.get(unconfirmed)
  })
}

/** A host that went away shows that when it is asked once more. */
function mayBeLost(error: unknown): void {
  if (!(error instanceof Failure)) throw error
}
