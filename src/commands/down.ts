import type { Command } from 'commander'
import { show } from '../actions/index.ts'
import type { JournalEntry } from '../model/action.ts'
import type { Host } from '../model/inventory.ts'
import { exits } from '../model/trouble.ts'
import { journalOf, runDown, undoPlan } from '../run/down.ts'
import type { HostChanges } from '../view/changes.ts'
import { reportText } from '../view/run.ts'
import { consent } from './consent.ts'
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
        if (busy && !options.yes)
          await consent(io, changes(journals), 'The cluster and what runs on it will be gone. Go on?')
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

/** What `down` would do on each host. */
function changes(journals: ReadonlyMap<Host, readonly JournalEntry[]>): HostChanges[] {
  return [...journals].map(([{ name }, entries]) => ({
    name,
    actions: undoPlan(entries).map(({ step, action }) => ({ step, ...show(action) })),
  }))
}
