import type { Command } from 'commander'
import { Option } from 'commander'
import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { RunReport } from '../model/report.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { downPlan, runDown } from '../run/down.ts'
import { type Leaving, leavingHosts } from '../run/drain.ts'
import { type Past, pastOf } from '../run/journal.ts'
import type { OnChanged } from '../run/script.ts'
import { settle } from '../run/settle.ts'
import { reportText } from '../view/run.ts'
import { consent } from './consent.ts'
import type { CommandIo } from './io.ts'
import { locked } from './locked.ts'
import { prelude } from './means.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { recorded, stopped } from './recorded.ts'
import { choose, open, withAny } from './session.ts'
import { upJson } from './up.ts'
import { viewFor } from './views.ts'

interface DownOptions extends CommonOptions {
  yes?: boolean
  keepChanged?: boolean
  overwriteChanged?: boolean
  drain: boolean
}

/** What a `down` is about, before anything is changed. */
interface Scope {
  readonly inventory: Inventory
  readonly chosen: readonly Host[]
  readonly hands: ReadonlyMap<Host, Hands>
  /** Hosts asked for that cannot be reached, trusted or read. */
  readonly failures: Map<Host, Failure>
}

/** `k8snet down`: undoes what the hosts' journals say, the last change first. */
export function downCommand(io: CommandIo): Command {
  return inventoryCommand(
    'down',
    'Takes back what up did, from the journals on the hosts. What somebody else changed since is left and named (exit 3).',
    'k8snet down inventory.yaml --only w2',
  )
    .option('-y, --yes', 'do not ask')
    .option('--keep-changed', 'what somebody else changed since: leave it so for good, and forget it')
    .addOption(
      new Option(
        '--overwrite-changed',
        'what somebody else changed since: put back what was there before k8snet all the same',
      ).conflicts('keepChanged'),
    )
    .option('--no-drain', 'with --only: do not move the pods away before a node leaves the cluster')
    .action(async (file: string, options: DownOptions) => {
      const inventory = open(io, file)
      const chosen = choose(inventory, options.only)
      const leader = leaderOf(inventory)
      const hosts = inventory.hosts.filter((host) => host === leader || chosen.includes(host))
      await recorded(io, 'down', inventory, [], (io) =>
        withAny(io, hosts, async (hands, unreached) => {
          const failures = new Map([...unreached].filter(([host]) => chosen.includes(host)))
          if (failures.size === chosen.length) throw new Failure(exits.unreachable, troublesOf(failures))
          const scope = { inventory, chosen, hands, failures }
          if (!hands.has(leader))
            say(io, `${leader.name} cannot be reached: nothing keeps another run from working on the same hosts`)
          const report = await locked(io, hands, 'down', inventory, (io, held) => down(io, scope, options, held))
          const json = upJson(report)
          io.out(options.output === 'json' ? `${JSON.stringify(json, null, 2)}\n` : reportText(report, io.color))
          io.exit(io.signal.aborted ? stopped(io.signal) : report.ok ? exits.done : exits.someHosts)
          return json
        }),
      )
    })
}

async function down(io: CommandIo, scope: Scope, options: DownOptions, held: Promise<void>): Promise<RunReport> {
  const began = performance.now()
  const { chosen, hands, failures } = scope
  io.follow?.phase('look')
  const looked = await lookAll(scope)
  await held
  const pasts = await settled(io, scope, looked)
  const leaving = await leavingFrom(io, scope, pasts, options)
  const planned = [...pasts].map(([host, past]) => ({ name: host.name, actions: downPlan(past, leaving.get(host)) }))
  const busy = planned.some(({ actions }) => actions.length > 0)
  if (busy && !options.yes) await consent(io, planned, question(scope))
  const view = await viewFor(io, options, busy)
  const leader = hands.get(leaderOf(scope.inventory))
  try {
    const report = await runDown({
      pasts,
      leaving,
      ...(leader && { leader }),
      hands,
      onChanged: onChanged(options),
      prelude: await prelude(),
      emit: view.emit,
      signal: io.signal,
      clock: () => performance.now(),
    })
    const lost = chosen.flatMap((host) => failed(host, failures.get(host)))
    const results = [...report.hosts, ...lost]
    return {
      ...report,
      ok: report.ok && lost.length === 0,
      hosts: chosen.map(({ name }) => results.find((it) => it.name === name)!),
      ms: performance.now() - began,
    }
  } finally {
    await view.end()
  }
}

/** Reads every host's journal; one that cannot be read stops no other. */
async function lookAll({ chosen, hands, failures }: Scope): Promise<Map<Host, Past>> {
  const pasts = new Map<Host, Past>()
  const look = async (host: Host) => {
    try {
      pasts.set(host, await pastOf(hands.get(host)!))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      failures.set(host, error)
    }
  }
  await Promise.all(chosen.filter((host) => hands.has(host)).map(look))
  return new Map(chosen.flatMap((host): [Host, Past][] => (pasts.has(host) ? [[host, pasts.get(host)!]] : [])))
}

/** Where a run that was cut off is still at work, it ends first, and the journal is read again. */
async function settled(io: CommandIo, scope: Scope, pasts: Map<Host, Past>): Promise<Map<Host, Past>> {
  const busy = [...pasts].filter(([, past]) => past.busy).map(([host]) => host)
  if (busy.length === 0) return pasts
  await Promise.all(
    busy.map((host) => {
      say(io, `${host.name}: an earlier run was cut off; what it is at ends first`)
      return settle(scope.hands.get(host)!, io.signal, (line) => say(io, line))
    }),
  )
  return lookAll(scope)
}

/** The nodes that leave a cluster which goes on: nobody's, when the leader is taken back too. */
async function leavingFrom(
  io: CommandIo,
  { inventory, chosen, hands }: Scope,
  pasts: ReadonlyMap<Host, Past>,
  options: DownOptions,
): Promise<ReadonlyMap<Host, Leaving>> {
  const leader = leaderOf(inventory)
  const hand = hands.get(leader)
  if (chosen.includes(leader)) {
    if (chosen.length < inventory.hosts.length)
      say(io, `${leader.name} is taken back, too: no node is drained or removed from the cluster`)
    return new Map()
  }
  const found = hand && (await leavingHosts(hand, pasts))
  if (!found)
    say(io, `the control plane ${leader.name} does not answer: no node is drained or removed from the cluster`)
  const drain = options.drain
  return new Map([...(found ?? [])].map(([host, it]) => [host, { ...it, drain: it.drain && drain }]))
}

function question({ inventory, chosen, failures }: Scope): string {
  const left =
    failures.size > 0
      ? ` ${[...failures.keys()].map(({ name }) => name).join(', ')}: not reached, left as they are.`
      : ''
  const gone = chosen.includes(leaderOf(inventory))
    ? 'The cluster and what runs on it will be gone.'
    : 'These hosts leave the cluster.'
  return `${gone}${left} Go on?`
}

function onChanged({ keepChanged, overwriteChanged }: DownOptions): OnChanged {
  return keepChanged ? 'keep' : overwriteChanged ? 'overwrite' : 'leave'
}

function failed(host: Host, failure: Failure | undefined): RunReport['hosts'] {
  if (!failure) return []
  return [{ name: host.name, outcome: 'failed', actions: 0, ms: 0, error: failure.troubles[0]! }]
}

const troublesOf = (failures: ReadonlyMap<Host, Failure>): Trouble[] =>
  [...failures.values()].flatMap(({ troubles }) => troubles)

function say(io: CommandIo, text: string): void {
  io.follow?.event({ type: 'note', text })
  io.err(`note: ${text}\n`)
}
