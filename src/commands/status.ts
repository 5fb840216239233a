import { resolve } from 'node:path'
import type { Command } from 'commander'
import { cluster } from '../facts/cluster.ts'
import { type Inventory, leaderOf } from '../model/inventory.ts'
import { exits, Failure } from '../model/trouble.ts'
import { countChanges } from '../plan/make.ts'
import { runsDir } from '../record/place.ts'
import { lastRecord } from '../record/read.ts'
import { timelineOf } from '../record/timeline.ts'
import { failureText, troubleJson } from '../view/failure.ts'
import { table } from '../view/table.ts'
import { timelineText } from '../view/timeline.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { planOn } from './plan.ts'
import { open, prepare, withAny } from './session.ts'

/** `k8snet status`: each host's role, readiness and version, and how many changes `up` would make; or the last run. */
export function statusCommand(io: CommandIo): Command {
  return inventoryCommand(
    'status',
    'Hosts, roles, versions, and how many changes up would make.',
    'k8snet status inventory.yaml',
  )
    .option('--last', 'the last run in place of the hosts: where its time went, and what failed')
    .action((file: string, options: CommonOptions & { last?: true }) =>
      options.last ? last(io, open(io, file), options) : now(io, file, options),
    )
}

async function now(io: CommandIo, file: string, options: CommonOptions): Promise<void> {
  const prepared = await prepare(io, file, options.only)
  const { plan, answers, lost } = await withAny(io, prepared.hosts, (hands, lost) => planOn(io, prepared, hands, lost))
  const nodes = answers.get(leaderOf(prepared.inventory))?.get(cluster)?.nodes
  const changes = new Map(plan.hosts.map(({ host, stages }) => [host, countChanges(stages)]))
  const hosts = prepared.hosts.map((host): Status => {
    const error = lost.get(host)?.troubles[0]
    return {
      name: host.name,
      role: host.role,
      ready: nodes?.get(host.name)?.ready ?? false,
      version: nodes?.get(host.name)?.version ?? '',
      changes: changes.get(host) ?? null,
      ...(error && { error: troubleJson(error) }),
    }
  })
  io.out(options.output === 'json' ? `${JSON.stringify({ hosts }, null, 2)}\n` : text(hosts))
  if (lost.size === 0) return
  io.exit(exits.someHosts)
  if (options.output !== 'json') for (const failure of lost.values()) io.err(failureText(failure, io.color))
}

/** Reads the newest record of the cluster; touches no host. */
async function last(io: CommandIo, inventory: Inventory, { output }: CommonOptions): Promise<void> {
  const root = runsDir(io.env, io.home)
  const record = await lastRecord(root, inventory.cluster.name, resolve(io.cwd, inventory.file))
  if (!record)
    throw new Failure(exits.badInput, {
      code: 'FILE_NOT_FOUND',
      message: `there is no record of a run of the cluster ${inventory.cluster.name}`,
      where: root,
      fix: 'up, down and verify leave one, on the machine and for the user that they run as',
    })
  const timeline = timelineOf(record)
  if (output === 'json') {
    const { header, ...rest } = timeline
    const { type: _, format: __, ...run } = header
    return io.out(`${JSON.stringify({ ...run, ...rest }, null, 2)}\n`)
  }
  const utf8 = /utf-?8/i.test(io.env.LC_ALL || io.env.LC_CTYPE || io.env.LANG || '')
  io.out(timelineText(timeline, { color: io.color, utf8, width: io.columns ?? 100 }))
}

/** A host as the documented JSON; a host that could not be asked has an `error`, and what is not known of it is null. */
interface Status {
  readonly name: string
  readonly role: string
  readonly ready: boolean
  readonly version: string
  readonly changes: number | null
  readonly error?: ReturnType<typeof troubleJson>
}

function text(hosts: readonly Status[]): string {
  const rows = hosts.map(({ name, role, ready, version, changes, error }) => [
    name,
    role,
    error ? error.code : ready ? 'Ready' : 'not Ready',
    version || '-',
    changes === null ? '?' : String(changes),
  ])
  return table([['HOST', 'ROLE', 'STATE', 'VERSION', 'CHANGES'], ...rows])
}
