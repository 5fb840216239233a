import { addresses, type Route, routes } from '../../facts/network.ts'
import { overlaps, parseCidr } from '../../model/cidr.ts'
import type { Host, Inventory } from '../../model/inventory.ts'
import { guard } from '../../model/step.ts'
import type { Trouble } from '../../model/trouble.ts'

/** The pod and Service ranges are free on every host. */
export const networks = guard({
  title: 'podSubnet and serviceSubnet overlap no route of a host',
  asks: () => ({ routes }),
  look: (all, inventory) =>
    [...all].flatMap(([host, { routes }]) =>
      (['podSubnet', 'serviceSubnet'] as const).flatMap((key) => overlapping(key, host, routes, inventory)),
    ),
})

function overlapping(
  key: 'podSubnet' | 'serviceSubnet',
  host: Host,
  routes: readonly Route[],
  inventory: Inventory,
): Trouble[] {
  const subnet = parseCidr(inventory.cluster[key])
  const foreign = routes.filter((route) => {
    const network = parseCidr(route.network)
    return subnet && network && overlaps(subnet, network) && !isOurs(route, inventory)
  })
  return foreign.length === 0
    ? []
    : [
        {
          code: 'CIDR_OVERLAP_HOST',
          message: `${key} ${inventory.cluster[key]} overlaps ${foreign[0]!.network}, which ${host.name} reaches by ${foreign[0]!.link || 'a route'}`,
          where: host.name,
          evidence: foreign.slice(0, 4).map(({ line }) => ({ source: 'ip route', line })),
          fix: `choose another ${key} in the inventory`,
        },
      ]
}

/** Routes of the pod network itself: to cni0 and flannel's links, or with host-gw by a peer. */
function isOurs({ link, via }: Route, { hosts }: Inventory): boolean {
  return /^(cni0|flannel|veth|kube-ipvs0)/.test(link) || hosts.some(({ nodeIP }) => nodeIP === via)
}

/** The node IP is an address of the host. */
export const nodeIps = guard({
  title: 'Every host has its node IP on an interface',
  asks: () => ({ addresses }),
  look: (all) =>
    [...all]
      // a host without a single one lacks `ip`, which is another guard's
      .filter(([host, { addresses }]) => addresses.length > 0 && !addresses.some(({ ip }) => ip === host.nodeIP))
      .map(([host, { addresses }]) => ({
        code: 'NODE_IP_MISSING',
        message: `no interface of ${host.name} has the address ${host.nodeIP}`,
        where: host.name,
        evidence: [{ source: 'ip addr', line: addresses.map(({ link, ip }) => `${link} ${ip}`).join(', ') }],
        fix: `set nodeIP of ${host.name} to one of its own addresses that the other hosts reach`,
      })),
})
