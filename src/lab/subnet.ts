import { networkInterfaces } from 'node:os'
import type { Lab } from './lab.ts'
import { must, tools, works } from './tools.ts'

/** The private networks that a lab may have: those that VirtualBox allows without being configured. */
export const subnets = Array.from({ length: 8 }, (_, i) => `192.168.${56 + i}`)

/** How Vagrant names the Docker network of a subnet. */
export const networkName = (subnet: string): string => `vagrant_network_${subnet}.0/24`

/** The first subnet that nobody else has; the last one where all are taken. */
export function freeSubnet(taken: readonly string[]): string {
  return subnets.find((subnet) => !taken.includes(subnet)) ?? subnets.at(-1)!
}

/** The first three numbers of the addresses that this machine has, networks without any container in them left out. */
export async function takenSubnets(lab: Lab): Promise<string[]> {
  const empty: string[] = []
  const $ = tools(lab)
  for (const subnet of subnets) {
    const count = await $`docker network inspect ${networkName(subnet)} --format ${'{{len .Containers}}'}`
    if (count.stdout.trim() === '0') empty.push(subnet)
  }
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses
    .map(({ address }) => address.split('.').slice(0, 3).join('.'))
    .filter((subnet) => !empty.includes(subnet))
}

/** Removes the Docker network of a subnet, unless somebody uses it. */
export async function removeNetwork(lab: Lab, subnet: string): Promise<void> {
  const $ = tools(lab)
  if (await works(lab, $`docker network inspect ${networkName(subnet)}`)) {
    await must(lab, 'docker network rm', $`docker network rm ${networkName(subnet)}`)
  }
}
