import { arch } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { defaultBundleDir } from '../bundle/place.ts'
import { newest } from '../bundle/versions.ts'
import { down } from '../lab/down.ts'
import type { LabHost } from '../lab/inventory.ts'
import { type Lab, labOf } from '../lab/lab.ts'
import { mostHosts } from '../lab/settings.ts'
import { ssh } from '../lab/ssh.ts'
import { type HostStatus, status } from '../lab/status.ts'
import { up } from '../lab/up.ts'
import { table } from '../view/table.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, common } from './options.ts'
import { selftestCommand } from './selftest.ts'

/** `k8snet lab`: local hosts to try things on, made by Vagrant. */
export function labCommand(io: CommandIo): Command {
  return new Command('lab')
    .description('Local hosts to try things on, made by Vagrant with VirtualBox, libvirt or Docker.')
    .addCommand(upCommand(io))
    .addCommand(downCommand(io))
    .addCommand(statusCommand(io))
    .addCommand(sshCommand(io))
    .addCommand(selftestCommand(io, (options) => labFor(io, options)))
}

function upCommand(io: CommandIo): Command {
  return common(new Command('up').description('Brings the hosts up and writes their inventory.'), [
    'k8snet lab up',
    'k8snet lab up --hosts 5',
  ])
    .option('--hosts <number>', `how many hosts, 1 to ${mostHosts} (default: those that are there, or 3)`, wholeNumber)
    .option('--bundle <directory>', 'the bundle that the inventory names')
    .action(async (options: CommonOptions & { hosts?: number; bundle?: string }) => {
      const began = performance.now()
      const bundle =
        options.bundle ?? defaultBundleDir({ ...io.env, HOME: io.home }, newest, arch() === 'arm64' ? 'arm64' : 'amd64')
      const lab = labFor(io, options)
      const { provider, hosts, inventory, changed } = await up(lab, {
        hosts: options.hosts,
        cluster: { kubernetes: newest, bundle },
      })
      const ms = Math.round(performance.now() - began)
      if (options.output === 'json')
        io.out(json({ ok: true, provider, changed, hosts: hosts.map(hostJson), inventory, bundle, ms }))
      else
        io.out(
          `${hostsText(hosts.map(hostStatus))}\nThe hosts are up${changed ? '' : ', as they were'}. Next: k8snet up ${inventory}\n`,
        )
    })
}

function downCommand(io: CommandIo): Command {
  return common(new Command('down').description('Removes the hosts with everything on them.'), 'k8snet lab down')
    .option('--all', 'also the host image')
    .action(async (options: CommonOptions & { all?: boolean }) => {
      const began = performance.now()
      const removed = await down(labFor(io, options), options)
      const ms = Math.round(performance.now() - began)
      if (options.output === 'json') io.out(json({ ok: true, ...removed, ms }))
      else
        io.out(removed.hosts.length > 0 ? `Removed ${removed.hosts.join(', ')}.\n` : 'There was no host to remove.\n')
    })
}

function statusCommand(io: CommandIo): Command {
  return common(
    new Command('status').description('Says which hosts there are. Changes nothing.'),
    'k8snet lab status',
  ).action(async (options: CommonOptions) => {
    const { provider, hosts } = await status(labFor(io, options))
    if (options.output === 'json') io.out(json({ ok: true, provider: provider ?? null, hosts }))
    else io.out(hosts.length > 0 ? hostsText(hosts) : 'There is no lab. k8snet lab up makes one.\n')
  })
}

function sshCommand(io: CommandIo): Command {
  return new Command('ssh')
    .description('Opens a shell on a host of the lab, or runs a command there and ends with its status.')
    .argument('<name>', 'the host')
    .argument('[command...]', 'after --: one word is a line of shell, several are one command')
    .addHelpText('after', '\nExamples:\n  k8snet lab ssh cp1\n  k8snet lab ssh cp1 -- sudo kubectl get nodes')
    .action(async (name: string, command: string[]) => {
      io.exit(await ssh(labFor(io, { output: 'text' }), name, command))
    })
}

function labFor(io: CommandIo, { quiet }: CommonOptions): Lab {
  const { env, home, signal } = io
  return labOf({ env, home, signal, say: quiet ? () => undefined : (line) => io.err(`${line}\n`) })
}

const hostStatus = (host: LabHost): HostStatus => ({
  name: host.name,
  state: 'running',
  nodeIP: host.nodeIP,
  ssh: `${host.address}:${host.port}`,
})

const hostJson = ({ name, address, port, nodeIP, user, key }: LabHost) => ({
  name,
  state: 'running',
  address,
  port,
  nodeIP,
  user,
  key,
})

function hostsText(hosts: readonly HostStatus[]): string {
  const rows = hosts.map(({ name, state, nodeIP, ssh, outdated }) => [
    name,
    outdated ? `${state} (older image: lab down, lab up renews it)` : state,
    nodeIP,
    ssh ?? '-',
  ])
  return table([['HOST', 'STATE', 'NODE IP', 'SSH'], ...rows])
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

function wholeNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new InvalidArgumentError('not a whole number')
}
