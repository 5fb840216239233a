import type { Link, NodeView, Picture } from '../model/dump.ts'
import type { Check, Topology } from '../model/report.ts'
import { endsOf } from './ends.ts'

type Node = Topology['nodes'][number]

/** The kinds of links that carry packets between nodes inside other packets, as `ip -d link` names them. */
const tunnels = ['vxlan', 'tun', 'ipip', 'wireguard', 'geneve', 'gre']

/** What a picture of the network is drawn from: the nodes as they were found, and what failed between each two. */
export function topologyOf(picture: Picture, checks: readonly Check[]): Topology {
  const names = new Set([
    ...(picture.cluster?.nodes.map(({ name }) => name) ?? []),
    ...picture.nodes.keys(),
    ...picture.unread.keys(),
  ])
  return { nodes: [...names].map((name) => nodeOf(name, picture)), links: linksOf(picture, checks) }
}

function nodeOf(name: string, { cluster, nodes, unread }: Picture): Node {
  const said = cluster?.nodes.find((node) => node.name === name)
  const view = nodes.get(name)
  const why = unread.get(name)
  const pods = cluster?.pods.filter((pod) => pod.node === name && !pod.hostNetwork && !pod.leaving) ?? []
  return {
    name,
    ip: said?.internalIPs[0] ?? view?.kubelet.nodeIP ?? '',
    ...(said?.podCIDRs[0] && { podCIDR: said.podCIDRs[0] }),
    controlPlane: said?.controlPlane ?? false,
    read: view !== undefined,
    ...(why !== undefined && { why }),
    ...(view && devicesOf(view, said?.internalIPs[0])),
    pods: pods.map((pod) => ({ name: `${pod.namespace}/${pod.name}`, ip: pod.ips[0] ?? '' })),
  }
}

function devicesOf({ links }: NodeView, ip: string | undefined): Partial<Node> {
  const bridge = links.find(({ name, kind }) => kind === 'bridge' && name === 'cni0')
  const tunnel =
    links.find(({ kind, name }) => tunnels.includes(kind ?? '') && name.startsWith('flannel')) ??
    links.find(({ kind }) => tunnels.includes(kind ?? ''))
  const uplink = links.find(({ addresses }) => addresses.some((address) => address.ip === ip))
  return {
    ...(bridge && { bridge: { name: bridge.name, ...ipOf(bridge), mtu: bridge.mtu, up: isUp(bridge) } }),
    ...(tunnel && {
      tunnel: {
        name: tunnel.name,
        kind: tunnel.kind ?? tunnel.type,
        mac: tunnel.mac,
        mtu: tunnel.mtu,
        up: isUp(tunnel),
        ...(tunnel.vxlan && { vni: tunnel.vxlan.id }),
      },
    }),
    ...(uplink && { uplink: { name: uplink.name, mtu: uplink.mtu } }),
  }
}

const isUp = ({ flags }: Link): boolean => flags.includes('UP')
const ipOf = ({ addresses }: Link): { ip?: string } => {
  const address = addresses.find(({ family }) => family === 4)
  return address ? { ip: `${address.ip}/${address.prefix}` } : {}
}

/** Only checks with one node at each end say something about the way between two. */
function linksOf(picture: Picture, checks: readonly Check[]): Topology['links'] {
  const ends = endsOf(picture)
  const links = new Map<string, Topology['links'][number]>()
  for (const check of checks) {
    const { from, to } = ends(check)
    const [other] = to
    if (from === undefined || other === undefined || to.length > 1 || other === from || check.outcome === 'skipped')
      continue
    const [a, b] = [from, other].sort() as [string, string]
    const link = links.get(`${a} ${b}`) ?? { from: a, to: b, failed: 0, checks: 0 }
    link.checks += 1
    if (check.outcome === 'failed') link.failed += 1
    links.set(`${a} ${b}`, link)
  }
  return [...links.values()]
}
