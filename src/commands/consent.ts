import { exits, Failure } from '../model/trouble.ts'
import { changesText, type HostChanges } from '../view/changes.ts'
import type { CommandIo } from './io.ts'

/** Shows what would be done and asks. Returns only after a yes; nothing has been changed before it. */
export async function consent(io: CommandIo, hosts: readonly HostChanges[], question: string): Promise<void> {
  io.err(changesText(hosts, io.color))
  const answer = await io.ask(`${question} (y/N) `)
  if (answer === undefined) {
    const message = 'this command asks before it changes hosts, and nobody is there to answer'
    throw new Failure(exits.badInput, { code: 'USAGE', message, fix: 'add --yes' })
  }
  if (/^y(es)?$/i.test(answer.trim())) return
  throw new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'not confirmed; nothing was changed' })
}
