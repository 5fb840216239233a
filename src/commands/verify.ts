import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { VerifyReport } from '../model/report.ts'
import { exits } from '../model/trouble.ts'
import { verify } from '../verify/verify.ts'
import { verifyText } from '../view/verify.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { outside } from './outside.ts'
import { recorded } from './recorded.ts'
import { choose, open, withHosts } from './session.ts'

/** `k8snet verify`: proves the network; changes nothing but its own probe pods, which it always removes. */
export function verifyCommand(io: CommandIo): Command {
  return inventoryCommand(
    'verify',
    'Proves the network of a running cluster, pair by pair.',
    'k8snet verify inventory.yaml',
  ).action(async (file: string, options: CommonOptions) => {
    const inventory = open(io, file)
    choose(inventory, options.only)
    await recorded(io, 'verify', inventory, [], async (io) => {
      const report = await withHosts(io, inventory.hosts, (hands) => verifyOn(io, inventory, hands, options))
      io.out(
        options.output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : verifyText(report, { color: io.color }),
      )
      if (!report.ok) io.exit(exits.network)
      return report
    })
  })
}

/** Verifies over connections that are already open, among the hosts that these lead to. */
export async function verifyOn(
  io: CommandIo,
  inventory: Inventory,
  hands: ReadonlyMap<Host, Hands>,
  options: CommonOptions,
): Promise<VerifyReport> {
  io.follow?.phase('verify')
  const template = (name: string) => readFile(new URL(`../../templates/${name}`, import.meta.url), 'utf8')
  const [python, perl] = await Promise.all([template('probe.py'), template('probe.pl')])
  const reached = { ...inventory, hosts: inventory.hosts.filter((host) => hands.has(host)) }
  return verify({ leader: hands.get(leaderOf(inventory))!, nodes: hands }, reached, {
    programs: { python, perl },
    outside,
    signal: io.signal,
    ...(options.only && { only: new Set(options.only) }),
    emit: (line: string) => {
      io.follow?.event({ type: 'note', text: `verify: ${line}` })
      if (!options.quiet) io.err(`verify: ${line}\n`)
    },
  })
}
