import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import { withLock } from '../run/lock.ts'
import type { CommandIo } from './io.ts'

/**
 * Does the work while holding the cluster's lock on its leader. `held` settles when it is taken: await it before anything is
 * changed; it throws LOCKED (exit 7). Without the leader there is no lock. The io handed to the work is also told to stop when the lock is lost; then LOCK_LOST is thrown.
 */
export async function locked<T>(
  io: CommandIo,
  hands: ReadonlyMap<Host, Hands>,
  verb: string,
  inventory: Inventory,
  work: (io: CommandIo, held: Promise<void>) => Promise<T>,
): Promise<T> {
  const leader = hands.get(leaderOf(inventory))
  if (!leader) return work(io, Promise.resolve())
  const note = (text: string) => {
    io.follow?.event({ type: 'note', text })
    io.err(`note: ${text}\n`)
  }
  const script = await readFile(new URL('../../templates/lock.sh', import.meta.url), 'utf8')
  const who = `${io.user}@${hostname()}`
  const doing = `k8snet ${verb} of ${inventory.cluster.name}`
  return withLock(leader, { script, who, doing, signal: io.signal, note }, ({ held, lost }) =>
    work({ ...io, signal: AbortSignal.any([io.signal, lost]) }, held),
  )
}
