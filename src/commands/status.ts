import type { Command } from 'commander'
import { cluster } from '../facts/cluster.ts'
import { leaderOf } from '../model/inventory.ts'
import { countChanges } from '../plan/make.ts'
import { table } from '../view/table.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { planOn } from './plan.ts'
import { prepare, withHosts } from './session.ts'

/** `k8snet status`: each host's role, readiness and version, and how many changes `up` would make. */
export function statusCommand(io: CommandIo): Command {
  return inventoryCommand(
    'status',
    'Hosts, roles, versions, and how many changes up would make.',
    'k8snet status inventory.yaml',
  ).action(async (file: string, options: CommonOptions) => {
    const prepared = await prepare(io, file, options.only)
    const { plan, answers } = await withHosts(io, prepared.hosts, (hands) => planOn(io, prepared, hands))
    const nodes = answers.get(leaderOf(prepared.inventory))?.get(cluster)?.nodes
    const hosts = plan.hosts.map(({ host, stages }) => ({
      name: host.name,
      role: host.role,
      ready: nodes?.get(host.name)?.ready ?? false,
      version: nodes?.get(host.name)?.version ?? '',
      changes: countChanges(stages),
    }))
    io.out(options.output === 'json' ? `${JSON.stringify({ hosts }, null, 2)}\n` : text(hosts))
  })
}

function text(
  hosts: readonly { name: string; role: string; ready: boolean; version: string; changes: number }[],
): string {
  const rows = hosts.map(({ name, role, ready, version, changes }) => [
    name,
    role,
    ready ? 'Ready' : 'not Ready',
    version || '-',
    String(changes),
  ])
  return table([['HOST', 'ROLE', 'STATE', 'VERSION', 'CHANGES'], ...rows])
}
