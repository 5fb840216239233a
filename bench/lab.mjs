import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { k8snet } from './pair.mjs'

export const inventory = 'vagrant/inventory.yaml'

/** Three bare hosts in place of whatever the lab held. */
export async function freshHosts() {
  await k8snet('lab', 'down')
  await k8snet('lab', 'up', '--hosts', '3')
}

/** Three hosts that run the cluster. */
export async function converged() {
  await k8snet('lab', 'up')
  await k8snet('up', inventory, '--yes', '--no-verify', '--quiet')
}

export const hosts = () => parse(readFileSync(inventory, 'utf8'))

/** An ssh config for the lab's hosts, by name: strict host keys, no multiplexing. */
export function sshConfig() {
  const text = Object.entries(hosts().hosts).map(
    ([name, { address, port, user, key }]) => `Host ${name}
  HostName ${address}
  Port ${port}
  User ${user}
  IdentityFile ${key}
  IdentitiesOnly yes
  UserKnownHostsFile vagrant/known_hosts
  StrictHostKeyChecking yes
  LogLevel ERROR
`,
  )
  const file = join(mkdtempSync(join(tmpdir(), 'k8snet-bench-')), 'config')
  writeFileSync(file, text.join(''))
  return file
}
