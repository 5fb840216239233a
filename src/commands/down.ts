import type { Command } from 'commander'
import { show } from '../actions/index.ts'
import type { JournalEntry } from '../model/action.ts'
import type { Host } from '../model/inventory.ts'
import { exits, Failure } from '../model/trouble.ts'
import { journalOf, runDown, undoPlan } from '../run/down.ts'
import { changesText } from '../view/changes.ts'
import { reportText } from '../view/run.ts'
import type { CommandIo } from './io.ts'
import { prelude } from './means.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { choose, open, withHosts } from './session.ts'
import { upJson } from './up.ts'
import { viewFor } from './views.ts'

/** `k8snet down`: undoes what the hosts' journals say, the last change first. */
export function downCommand(io: CommandIo): Command {
  return inventoryCommand(
    'down',
    'Takes back what up did, from the journals on the hosts.',
    'k8snet down inventory.yaml --yes',
  )
    .option('-y, --yes', 'do not ask')
    .action(async (file: string, options: CommonOptions & { yes?: boolean }) => {
      const hosts = choose(open(io, file), options.only)
      const report = await withHosts(io, hosts, async (hands) => {
        const journals = new Map(
          await Promise.all(hosts.map(async (host) => [host, await journalOf(hands.get(host)!)] as const)),
        )
        const busy = [...journals.values()].some((entries) => entries.length > 0)
        if (busy && !options.yes) await consent(io, journals)
        const view = viewFor(io, options, busy)
        try {
          return await runDown({
            journals,
            hands,
            prelude: await prelude(),
            emit: view.emit,
            signal: io.signal,
            clock: () => performance.now(),
          })
        } finally {
          await view.end()
        }
      })
      io.out(options.output === 'json' ? `${JSON.stringify(upJson(report), null, 2)}\n` : reportText(report, io.color))
      if (!report.ok) io.exit(exits.someHosts)
    })
}

async function consent(io: CommandIo, journals: ReadonlyMap<Host, readonly JournalEntry[]>): Promise<void> {
  const hosts = [...journals].map(([{ name }, entries]) => ({
    name,
    actions: undoPlan(entries).map(({ step, action }) => ({ step, ...show(action) })),
  }))
  io.err(changesText(hosts, io.color))
  const answer = await io.ask('The cluster and what runs on it will be gone. Go on? (y/N) ')
  if (answer === undefined)
    throw new Failure(exits.badInput, {
      code: 'USAGE',
      message: 'down asks before it changes hosts, and nobody is there to answer',
      fix: 'add --yes',
    })
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'not confirmed; nothing was changed' })
}
