import { type Cidr, cidrText, contains, networkOf, overlaps } from '../../model/cidr.ts'
import type { NodeView, Picture, Route } from '../../model/dump.ts'
import { backendOf, differencesOf, type Member, membersOf, type Seen } from './ground.ts'
import { misassigned } from './networks.ts'

/** Links that belong to pod networks of all kinds. */
export const podLinks =
  /^(cni|cbr|flannel|veth|cali|cilium|lxc|kube|tunl|vxlan|weave|nodelocaldns|wireguard\.cali|eni|azv)/

export interface Ground {
  readonly subnets: readonly { readonly what: string; readonly text: string; readonly network: Cidr }[]
  readonly owners: readonly { readonly member: Member; readonly cidr: Cidr }[]
  /** The networks of pods and Services, and podCIDRs that lie outside of them. */
  readonly networks: readonly Cidr[]
  /** The podCIDRs as text. */
  readonly exact: ReadonlyMap<string, Member>
  readonly nodeIps: ReadonlySet<string>
  readonly flannel: boolean
}

function readGround(picture: Picture): Ground {
  const { kubeadm, controllerManager, flannel, provider } = picture.cluster?.configs ?? {}
  const pods = kubeadm?.podSubnet ?? controllerManager?.clusterCIDR ?? flannel?.network
  const services = kubeadm?.serviceSubnet ?? controllerManager?.serviceCIDR
  const subnets = (
    [
      ['the pod network', pods],
      ['the network of Services', services],
    ] as const
  ).flatMap(([what, list]) =>
    (list?.split(',') ?? []).flatMap((text) => {
      const network = networkOf(text.trim())
      return network ? [{ what, text: text.trim(), network }] : []
    }),
  )
  const members = membersOf(picture)
  const wrong = misassigned(picture)
  const owners = members
    .filter((member) => !wrong.has(member.name))
    .flatMap((member) =>
      (member.api?.podCIDRs ?? (member.cidr ? [cidrText(member.cidr)] : [])).flatMap((text) => {
        const cidr = networkOf(text)
        return cidr ? [{ member, cidr }] : []
      }),
    )
  const stated = subnets.map(({ network }) => network)
  return {
    subnets,
    owners,
    networks: [...stated, ...owners.map(({ cidr }) => cidr).filter((cidr) => !stated.some((it) => contains(it, cidr)))],
    exact: new Map(owners.map(({ member, cidr }) => [cidrText(cidr), member])),
    nodeIps: new Set(members.flatMap(({ api, lease }) => [...(api?.internalIPs ?? []), lease.ip ?? ''])),
    flannel: provider === 'flannel',
  }
}

const grounds = new WeakMap<Picture, Ground>()

export function groundOf(picture: Picture): Ground {
  const ground = grounds.get(picture) ?? readGround(picture)
  grounds.set(picture, ground)
  return ground
}

/** The network of an interface itself, made by the kernel for its address. */
export const isConnected = (route: Route) =>
  !route.via && (route.src !== undefined || / proto kernel /.test(route.line))

const strange = new WeakMap<NodeView, Strange[]>()

interface Strange {
  readonly route: Route
  readonly network: Cidr
}

/** Routes of a node that are not local, with their network. The routes to exactly one podCIDR are left out: they are those of the peers. */
export function strangeRoutes(picture: Picture, member: Seen, ground: Ground): readonly Strange[] {
  const found = strange.get(member.view) ?? readStrange(picture, member, ground)
  strange.set(member.view, found)
  return found
}

function readStrange(picture: Picture, member: Seen, ground: Ground): Strange[] {
  const { exact } = ground
  if (!worthReading(picture, member, ground)) return []
  return member.view.routes.flatMap((route) => {
    if (route.table === 'local' || route.to === '0.0.0.0/0' || route.to === '::/0') return []
    if (route.type === 'unicast' && exact.has(route.to) && !(isConnected(route) && !podLinks.test(route.dev ?? '')))
      return []
    const network = networkOf(route.to)
    return network ? [{ route, network }] : []
  })
}

/**
 * May there be such a route? Told from the text: of a thousand nodes each has a thousand routes to its peers, and none of them
 * has to be read where they are as announced.
 */
function worthReading(picture: Picture, member: Seen, { networks }: Ground): boolean {
  if (backendOf(picture) !== 'vxlan' || differencesOf(picture, member).some(({ table }) => table === 'routes'))
    return true
  const text = member.view.dump.parts.routes ?? ''
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    end = text.indexOf('\n', at)
    if (end < 0) end = text.length
    if (text.startsWith(' onlink', end - 7)) continue
    const line = text.slice(at, end)
    if (/^(default|local|broadcast|multicast|anycast) | dev cni0 proto kernel /.test(line)) continue
    const target = networkOf(/[\da-f]*[.:][\da-f.:]*(\/\d+)?/.exec(line)?.[0].replace(/^[^/]*$/, '$&/32') ?? '')
    if (target && networks.some((it) => overlaps(it, target))) return true
  }
  return false
}

/** The node whose podCIDR holds a network. */
export function ownerOf({ owners, exact }: Ground, network: Cidr): Member | undefined {
  return exact.get(cidrText(network)) ?? owners.find(({ cidr }) => contains(cidr, network))?.member
}
