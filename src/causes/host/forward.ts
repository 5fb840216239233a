import type { Cause, Finding } from '../../model/cause.ts'
import type { Code } from '../../model/codes.ts'
import type { NodeView, Picture } from '../../model/dump.ts'
import type { Passing } from '../../model/passing.ts'
import type { Scenario } from '../../model/report.ts'
import {
  apiPortOf,
  once,
  overPodNetwork,
  placeText,
  podSubnetOf,
  shownAt,
  some,
  spotsOf,
  type Ways,
  waysOf,
} from './tools.ts'
import { type Block, blockOnWay, mayBlock, type Place } from './walk.ts'

export const forwardDrop: Cause = {
  code: 'FORWARD_DROP',
  because:
    'Packets between pods of two nodes pass the FORWARD hook of both, and a firewall drops them there. Docker sets the policy of FORWARD to DROP, and then the rules of flannel (FLANNEL-FWD) have to accept them.',
  shows: 'iptables -S FORWARD',
  fix: 'Accept the pod network in FORWARD (flannel does it with FLANNEL-FWD: restart it on that node), or remove the rule that drops it.',
  find: (picture) => drops(picture).filter(({ code }) => code === 'FORWARD_DROP'),
}

export const firewallLateDrop: Cause = {
  code: 'FIREWALL_LATE_DROP',
  because:
    'Every base chain at a hook of netfilter is passed, and each may drop: what FLANNEL-FWD accepts in iptables is still dropped by a chain of another table after it. firewalld and hand-made nftables rules are such tables.',
  shows: 'nft list ruleset',
  fix: 'Let that firewall accept the pod network too: firewall-cmd --permanent --zone=trusted --add-source=POD-SUBNET && firewall-cmd --reload, or a rule in its forward chain.',
  find: (picture) => drops(picture).filter(({ code }) => code === 'FIREWALL_LATE_DROP'),
}

interface Drop extends Finding {
  readonly code: Code
}

interface Way {
  readonly packet: Passing
  readonly peer?: string
  readonly kind: 'across' | 'within' | 'out'
}

/** A port that nobody makes a rule for, and that of DNS, for which people do. */
const kinds: readonly Pick<Passing, 'protocol' | 'dport'>[] = [
  { protocol: 'tcp', dport: 40123 },
  { protocol: 'udp', dport: 40123 },
  { protocol: 'icmp' },
  { protocol: 'udp', dport: 53 },
  { protocol: 'tcp', dport: 53 },
]

const fresh = { sport: 50123, ctstate: ['new'], mark: 0, types: { saddr: 'unicast', daddr: 'unicast' } } as const

/** More peers than that are not tried one by one. */
const mostPeers = 50

export const drops = once((picture): Drop[] => [...picture.nodes.values()].flatMap((node) => dropsOn(picture, node)))

/** Is this what drops packets of pods on a node, whichever port they are for? Then it is told as that. */
export function isDrop(picture: Picture, node: string, place: Place): boolean {
  const told = JSON.stringify(shownAt(place))
  return drops(picture).some(({ where, evidence }) => where === node && JSON.stringify(evidence.at(-1)) === told)
}

function dropsOn(picture: Picture, node: NodeView): Drop[] {
  const ways = waysOf(picture, node)
  const own = spotsOf(picture).get(node.node)?.podCidr
  const all = podSubnetOf(picture)
  if (!ways?.known || !own || !all) return []
  const found = new Map<string, { block: Block; ways: Way[] }>()
  for (const way of narrowed(picture, node, generalWays(picture, node, ways, own, all))) {
    const block = blockOf(node, way.packet)
    if (!block) continue
    const key = JSON.stringify(shownAt(block.walk.by))
    const there = found.get(key) ?? { block, ways: [] }
    there.ways.push(way)
    found.set(key, there)
  }
  return [...found.values()].map(({ block, ways }) => dropOf(node.node, block, ways))
}

function generalWays(picture: Picture, node: NodeView, ways: Ways, own: string, all: string): Way[] {
  const { bridge, tunnel, outer } = ways
  const spots = [...spotsOf(picture).values()]
  const alone = spots.length < 2
  const api = spots.find(({ controlPlane, name, ip }) => controlPlane && name !== node.node && ip)
  const seesBridge = node.sysctls.get('net.bridge.bridge-nf-call-iptables') === '1'
  return kinds.flatMap((kind): Way[] => {
    const packet = { ...fresh, ...kind }
    return [
      ...(alone
        ? []
        : [
            { kind: 'across' as const, packet: { ...packet, saddr: all, daddr: own, iif: tunnel, oif: bridge } },
            { kind: 'across' as const, packet: { ...packet, saddr: own, daddr: all, iif: bridge, oif: tunnel } },
          ]),
      ...(seesBridge
        ? [{ kind: 'within' as const, packet: { ...packet, saddr: own, daddr: own, iif: bridge, oif: bridge } }]
        : []),
      ...(api?.ip && kind.protocol === 'tcp' && kind.dport !== 53
        ? [
            {
              kind: 'out' as const,
              packet: { ...packet, saddr: own, daddr: api.ip, dport: apiPortOf(picture), iif: bridge, oif: outer },
            },
          ]
        : []),
    ]
  })
}

/** Where rules tell peers or pods apart, each of them is tried by itself. */
function narrowed(picture: Picture, node: NodeView, general: readonly Way[]): Way[] {
  return general.flatMap((way) => {
    if (blockOf(node, way.packet) || way.kind !== 'across') return [way]
    if (!mayBlock(node.netfilter, 'prerouting', way.packet) && !mayBlock(node.netfilter, 'forward', way.packet))
      return []
    const peers = [...spotsOf(picture).values()].filter(({ name, podCidr }) => name !== node.node && podCidr)
    const own = spotsOf(picture).get(node.node)?.podCidr
    const theirs = way.packet.saddr === own ? 'daddr' : 'saddr'
    return peers
      .slice(0, mostPeers)
      .map(({ name, podCidr }) => ({ ...way, peer: name, packet: { ...way.packet, [theirs]: podCidr } }))
  })
}

function blockOf({ netfilter }: NodeView, packet: Passing): Block | null {
  const { oif: _, ...before } = packet
  return blockOnWay(netfilter, { ...before, oif: '' }, packet)
}

function dropOf(node: string, block: Block, ways: readonly Way[]): Drop {
  const { by } = block.walk
  const [late] = block.accepted
  const peers = [...new Set(ways.flatMap(({ peer }) => peer ?? []))]
  const toAll = ways.some(({ kind, peer }) => kind !== 'within' && !peer)
  const only = (one: Way['kind']) => ways.every(({ kind }) => kind === one)
  const protocols = [...new Set(ways.flatMap(({ packet }) => packet.protocol ?? []))]
  const onlyDns = ways.every(({ packet }) => packet.dport === 53)
  const { packet } = ways[0]!
  const what = `${packet.saddr} -> ${packet.daddr} (${packet.iif} -> ${packet.oif})${onlyDns ? ', port 53' : ''}`
  return {
    code: late ? 'FIREWALL_LATE_DROP' : 'FORWARD_DROP',
    where: node,
    message: late
      ? `${node} drops ${what}: ${placeText(late.by)} accepts it, ${placeText(by)} drops it all the same`
      : `${node} drops ${what}: ${placeText(by)} does${peers.length > 0 && !toAll ? `, for ${some(peers)}` : ''}`,
    evidence: [...(late ? [shownAt(late.by)] : []), shownAt(by)],
    breaks: {
      scenarios: scenariosOf(onlyDns, only('out')),
      ...(peers.length > 0 && !toAll ? { pairs: peers.map((peer) => [node, peer] as const) } : { nodes: [node] }),
      ...(only('within')
        ? { withinOnly: true }
        : ways.some(({ kind }) => kind === 'within')
          ? {}
          : { acrossOnly: true }),
      ...(protocols.length < 3 && !onlyDns && { protocols }),
    },
  }
}

function scenariosOf(onlyDns: boolean, onlyOut: boolean): Scenario[] {
  if (onlyDns) return ['dns']
  return onlyOut ? ['api', 'pod-to-node', 'egress'] : [...overPodNetwork, 'api', 'pod-to-node', 'egress']
}

export const nodePortBlocked: Cause = {
  code: 'NODEPORT_BLOCKED',
  because:
    'A firewall of the node drops what comes from outside for NodePorts, before kube-proxy turns it to a pod or after it. The Service answers inside of the cluster, but nowhere outside of it.',
  shows: 'iptables -t mangle -S PREROUTING; iptables -S FORWARD; nft list ruleset',
  fix: 'Accept the NodePorts (30000-32767, TCP and UDP) there, or remove the rule that drops them.',
  find: (picture) => {
    const used = picture.cluster?.services.flatMap((service) =>
      service.ports.flatMap(({ nodePort, protocol }) => (nodePort ? [{ nodePort, protocol }] : [])),
    )
    // where no Service has one, nothing is broken yet
    const ports = used?.length === 0 ? ['tcp', 'udp'].map((protocol) => ({ nodePort: 31999, protocol })) : used
    const all = podSubnetOf(picture)
    if (!ports?.length || !all) return []
    return [...picture.nodes.values()].flatMap((node): Finding[] => {
      const ways = waysOf(picture, node)
      const spot = spotsOf(picture).get(node.node)
      if (!ways?.known || !spot?.ip) return []
      const blocked = ports.flatMap(({ nodePort, protocol }) => {
        const block = nodePortBlock(node, ways, spot.ip!, { nodePort, protocol, pods: spot.podCidr ?? all })
        return block && !isDrop(picture, node.node, block.walk.by) ? [{ nodePort, protocol, block }] : []
      })
      const first = blocked[0]
      if (!first) return []
      const protocols = [...new Set(blocked.map(({ protocol }) => protocol.toLowerCase() as 'tcp' | 'udp'))]
      return [
        {
          where: node.node,
          message: `${node.node} drops ${some([...new Set(blocked.map(({ nodePort, protocol }) => `${protocol} ${nodePort}`))])} from outside: ${placeText(first.block.walk.by)} does`,
          evidence: [shownAt(first.block.walk.by)],
          breaks: { scenarios: ['outside-to-service', 'traffic-policy', 'ingress'], nodes: [node.node], protocols },
          ...(used?.length === 0 && { level: 'warning' as const }),
        },
      ]
    })
  },
}

function nodePortBlock(
  { netfilter }: NodeView,
  { outer, bridge }: Ways,
  ip: string,
  { nodePort, protocol, pods }: { nodePort: number; protocol: string; pods: string },
): Block | null {
  const name = protocol.toLowerCase()
  if (name !== 'tcp' && name !== 'udp') return null
  const packet: Passing = { protocol: name, sport: 50123, iif: outer }
  const types = { saddr: 'unicast', daddr: 'local' }
  const arriving = { ...packet, daddr: ip, dport: nodePort, oif: '', ctstate: ['new'], mark: 0, types }
  const going = { ...packet, daddr: pods, dport: 40123, oif: bridge, ctstate: ['new', 'dnat'], mark: 0x4000 }
  return blockOnWay(netfilter, arriving, going)
}
