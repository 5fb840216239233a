import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Container, containersOf, removeContainers } from './containers.ts'
import { answers } from './engine.ts'
import { readJson, writeIfChanged, writeJson } from './files.ts'
import { publicKeyOf, waitForBoot } from './guest.ts'
import { haveImage, imageName } from './image.ts'
import { inventoryText, knownHostsText, type LabCluster, type LabHost } from './inventory.ts'
import { type Lab, paths } from './lab.ts'
import { freePorts } from './ports.ts'
import { prepare } from './prepare.ts'
import { chooseProvider, lookAtMachine, type Provider, there } from './provider.ts'
import { checkCount, defaultHosts, hostNames, nodeIpOf, readSettings, type Settings } from './settings.ts'
import { freeSubnet, subnets, takenSubnets } from './subnet.ts'
import { sshHosts, vagrantDestroy, vagrantUp } from './vagrant.ts'

/** What became of `lab up`. */
export interface LabUp {
  readonly provider: Provider
  readonly hosts: readonly LabHost[]
  /** Path of the inventory. */
  readonly inventory: string
  /** False when everything had been up already. */
  readonly changed: boolean
}

/**
 * Brings the hosts of the lab up and writes their inventory. Without a number it keeps the hosts that are there, or makes three;
 * with a smaller one it removes the others. When all run already it only asks Docker and changes nothing.
 *
 * @throws Failure USAGE, LAB_TOOL, INTERRUPTED
 */
export async function up(
  lab: Lab,
  wish: { readonly hosts?: number | undefined; readonly cluster: LabCluster },
): Promise<LabUp> {
  const before = await readSettings(lab)
  const names = hostNames(checkCount(wish.hosts ?? before?.hosts ?? defaultHosts))
  const provider = before?.provider ?? chooseProvider(await lookAtMachine(lab))
  const known = await knownAndRunning(lab, names, provider)
  const hosts = known ?? (await bringUp(lab, names, provider, before))
  const inventory = paths.inventory(lab)
  const written = [
    await writeJson(paths.hosts(lab), hosts),
    await writeIfChanged(paths.knownHosts(lab), knownHostsText(hosts)),
    await writeIfChanged(inventory, inventoryText(hosts, wish.cluster)),
  ]
  return { provider, hosts, inventory, changed: !known || written.includes(true) }
}

/** The hosts as they were last reached, if they are exactly these and nothing about them can have changed. */
async function knownAndRunning(
  lab: Lab,
  names: readonly string[],
  provider: Provider,
): Promise<readonly LabHost[] | undefined> {
  const hosts = await readJson<LabHost[]>(paths.hosts(lab))
  if (provider !== 'docker' || hosts?.map(({ name }) => name).join() !== names.join() || !(await answers(lab)))
    return undefined
  const containers = await containersOf(lab)
  const same = async (host: LabHost) =>
    containers.some(({ id, state, port }) => id === host.container && state === 'running' && port === host.port) &&
    (await there(host.key))
  return containers.length === hosts.length && (await Promise.all(hosts.map(same))).every(Boolean) ? hosts : undefined
}

async function bringUp(
  lab: Lab,
  names: readonly string[],
  provider: Provider,
  before: Settings | undefined,
): Promise<LabHost[]> {
  await prepare(lab, provider)
  const surplus = hostNames(before?.hosts ?? 0).filter((name) => !names.includes(name))
  if (provider !== 'docker' && surplus.length > 0) await vagrantDestroy(lab, surplus)
  const kept = provider === 'docker' ? await heal(lab, names) : []
  const image = provider === 'docker' ? await imageName(lab) : undefined
  if (image && kept.length < names.length) await haveImage(lab, image)
  const subnet = before?.subnet ?? (provider === 'docker' ? freeSubnet(await takenSubnets(lab)) : subnets[0]!)
  const port = before?.port ?? (await freePorts())
  const settings: Settings = { id: lab.id, provider, hosts: names.length, subnet, port, ...(image && { image }) }
  await writeJson(paths.settings(lab), settings)
  await vagrantUp(lab, provider)
  return await reached(lab, settings)
}

/**
 * Makes containers and Vagrant's memory of them agree: forgets containers that are gone, removes those that Vagrant knows nothing
 * of (their keys are lost) and those that are no longer wanted. Returns what is left.
 */
async function heal(lab: Lab, names: readonly string[]): Promise<Container[]> {
  const containers = await containersOf(lab)
  const remembered = await Promise.all(containers.map((it) => remembers(lab, it)))
  const kept = containers.filter((it, i) => remembered[i] && names.includes(it.host))
  const removed = containers.filter((it) => !kept.includes(it))
  for (const { host } of removed)
    lab.say(`removing ${host}: ${names.includes(host) ? 'its key is lost' : 'no longer wanted'}`)
  await removeContainers(lab, removed)
  const stale = [...names, ...removed.map(({ host }) => host)].filter((name) => !kept.some(({ host }) => host === name))
  await Promise.all(stale.map((name) => rm(paths.machine(lab, name, 'docker'), { recursive: true, force: true })))
  return kept
}

/** Does Vagrant know this container and hold its key? */
async function remembers(lab: Lab, { id, host }: Container): Promise<boolean> {
  const dir = paths.machine(lab, host, 'docker')
  const known = await readFile(join(dir, 'id'), 'utf8').catch(() => '')
  return known.trim() === id && (await there(join(dir, 'private_key')))
}

/** Asks Vagrant how the hosts are reached and the hosts themselves for their keys. */
async function reached(lab: Lab, { provider, subnet }: Settings): Promise<LabHost[]> {
  const containers = provider === 'docker' ? await containersOf(lab) : []
  const idOf = (name: string) => containers.find(({ host }) => host === name)?.id
  await Promise.all(containers.map((it) => waitForBoot(lab, it)))
  return await Promise.all(
    (await sshHosts(lab)).map(async (host, i): Promise<LabHost> => {
      const container = idOf(host.name)
      const publicKey = await publicKeyOf(lab, host.name, container)
      return { ...host, nodeIP: nodeIpOf(subnet, i), publicKey, ...(container && { container }) }
    }),
  )
}
