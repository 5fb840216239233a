import type { Breaks, Cause, Finding } from '../../model/cause.ts'
import type { Code } from '../../model/codes.ts'
import type { NodeView, Picture } from '../../model/dump.ts'
import type { Hook } from '../../model/netfilter.ts'
import type { Passing } from '../../model/passing.ts'
import type { Scenario } from '../../model/report.ts'
import { apiPortOf, once, overPodNetwork, placeText, type Spot, shownAt, some, spotsOf, waysOf } from './tools.ts'
import { type Block, blockAt, mayBlock } from './walk.ts'

export const apiPortBlocked: Cause = {
  code: 'API_PORT_BLOCKED',
  because:
    'The firewall of the control plane drops what nodes and pods send to the API server. Kubelets, kube-proxy and flannel there learn nothing new, and their node becomes NotReady.',
  shows: 'iptables -S INPUT; nft list ruleset',
  fix: 'Accept TCP 6443 from all nodes on the control plane.',
  find: (picture) => blocks(picture).filter(({ code }) => code === 'API_PORT_BLOCKED'),
}

export const tunnelPortBlocked: Cause = {
  code: 'TUNNEL_PORT_BLOCKED',
  because:
    'The pod network wraps packets for other nodes into UDP, and a firewall of a node drops that UDP. Pods of one node still reach each other; everything between nodes is lost.',
  shows: 'iptables -S INPUT; nft list ruleset',
  fix: 'Accept the UDP port of the pod network (8472 for vxlan, 8285 for udp) from all other nodes.',
  find: (picture) => blocks(picture).filter(({ code }) => code === 'TUNNEL_PORT_BLOCKED'),
}

export const inputDropFromPods: Cause = {
  code: 'INPUT_DROP_FROM_PODS',
  because:
    'The firewall of a node drops what its own pods send to the node itself. Pods do not reach programs in the network of the host there: the kubelet, the API server, node exporters.',
  shows: 'iptables -S INPUT; nft list ruleset',
  fix: 'Accept the pod network in INPUT: packets that come from cni0.',
  find: (picture) => blocks(picture).filter(({ code }) => code === 'INPUT_DROP_FROM_PODS'),
}

export const kubeletPortBlocked: Cause = {
  code: 'KUBELET_PORT_BLOCKED',
  because:
    'The API server connects to the kubelet of a node for logs, exec and port-forward, and the firewall of the node drops that. Pods run all the same, but nobody can look into them.',
  shows: 'iptables -S INPUT; nft list ruleset',
  fix: 'Accept TCP 10250 from the control planes.',
  find: (picture) => blocks(picture).filter(({ code }) => code === 'KUBELET_PORT_BLOCKED'),
}

/** What a node has to let in, or out. */
interface Need {
  readonly code: Code
  /** The code where pods are kept from this port only. */
  readonly alone?: Code
  readonly what: string
  readonly hook: Hook
  readonly packet: Passing
  /** Those that the address of the other side is tried for, one by one, where rules tell them apart. */
  readonly peers?: readonly Spot[]
  readonly theirs: 'saddr' | 'daddr'
  readonly scenarios: readonly Scenario[]
}

interface Blocked {
  readonly need: Need
  readonly block: Block
  /** Empty: everybody. */
  readonly peers: readonly string[]
}

/** One rule that blocks several things is one finding, under the first of these codes. */
const order: readonly Code[] = [
  'API_PORT_BLOCKED',
  'TUNNEL_PORT_BLOCKED',
  'INPUT_DROP_FROM_PODS',
  'KUBELET_PORT_BLOCKED',
]
const mostPeers = 50

const blocks = once((picture): (Finding & { code: Code })[] =>
  [...picture.nodes.values()].flatMap((node) => {
    const byRule = new Map<string, Blocked[]>()
    for (const need of needsOf(picture, node)) {
      for (const blocked of blockedBy(node, need)) {
        const key = JSON.stringify(shownAt(blocked.block.walk.by))
        byRule.set(key, [...(byRule.get(key) ?? []), blocked])
      }
    }
    return [...byRule.values()].map((all) => findingOf(node.node, all))
  }),
)

const fresh = { sport: 50123, ctstate: ['new'], mark: 0 } as const

function needsOf(picture: Picture, node: NodeView): Need[] {
  const ways = waysOf(picture, node)
  const spots = [...spotsOf(picture).values()]
  const own = spotsOf(picture).get(node.node)
  if (!ways || !own?.ip) return []
  const peers = spots.filter(({ name, ip }) => name !== node.node && ip)
  const in_ = { ...fresh, daddr: own.ip, oif: '', types: { saddr: 'unicast', daddr: 'local' } }
  const fromNodes = { ...in_, iif: ways.outer }
  const apiPort = apiPortOf(picture)
  const needs: Need[] = []
  if (own.controlPlane && peers.length > 0)
    needs.push({
      ...{ code: 'API_PORT_BLOCKED', what: `the API server (tcp ${apiPort})`, hook: 'input', theirs: 'saddr', peers },
      packet: { ...fromNodes, protocol: 'tcp', dport: apiPort },
      scenarios: ['api'],
    })
  if (ways.port && peers.length > 0) {
    const tunnel = { protocol: 'udp', dport: ways.port } as const
    const what = `the tunnel (udp ${ways.port})`
    const common = { code: 'TUNNEL_PORT_BLOCKED', what, peers, scenarios: overPodNetwork } as const
    const out = { ...fresh, saddr: own.ip, iif: '', oif: ways.outer, types: { saddr: 'local', daddr: 'unicast' } }
    needs.push({ ...common, hook: 'input', theirs: 'saddr', packet: { ...fromNodes, ...tunnel } })
    needs.push({ ...common, hook: 'output', theirs: 'daddr', packet: { ...out, ...tunnel } })
  }
  if (own.podCidr && ways.known) {
    const packet = { ...in_, saddr: own.podCidr, iif: ways.bridge, protocol: 'tcp' } as const
    const common = { code: 'INPUT_DROP_FROM_PODS', hook: 'input', theirs: 'saddr', scenarios: ['pod-to-node'] } as const
    needs.push({
      ...common,
      alone: 'KUBELET_PORT_BLOCKED',
      what: 'the kubelet from its pods (tcp 10250)',
      packet: { ...packet, dport: 10250 },
    })
    needs.push({ ...common, what: 'programs of the host from its pods', packet: { ...packet, dport: 40123 } })
    if (own.controlPlane) {
      const what = `the API server from its pods (tcp ${apiPort})`
      const alone = 'API_PORT_BLOCKED'
      needs.push({ ...common, alone, what, packet: { ...packet, dport: apiPort }, scenarios: ['api', 'pod-to-node'] })
    }
  }
  const leaders = peers.filter(({ controlPlane }) => controlPlane)
  if (leaders.length > 0)
    needs.push({
      ...{ code: 'KUBELET_PORT_BLOCKED', what: 'the kubelet (tcp 10250)', hook: 'input', theirs: 'saddr' },
      peers: leaders,
      packet: { ...fromNodes, protocol: 'tcp', dport: 10250 },
      scenarios: ['kubelet', 'pod-to-node'],
    })
  return needs
}

function blockedBy(node: NodeView, need: Need): Blocked[] {
  const { packet, peers } = need
  const block = blockIn(node, need.hook, packet)
  if (block) return [{ need, block, peers: [] }]
  const hooks: Hook[] = need.hook === 'input' ? ['prerouting', 'input'] : [need.hook]
  if (!peers || !hooks.some((hook) => mayBlock(node.netfilter, hook, packet))) return []
  const byRule = new Map<string, { block: Block; peers: string[] }>()
  for (const { name, ip } of peers.slice(0, mostPeers)) {
    const block = ip && blockIn(node, need.hook, { ...packet, [need.theirs]: ip })
    if (!block) continue
    const key = JSON.stringify(shownAt(block.walk.by))
    byRule.set(key, { block, peers: [...(byRule.get(key)?.peers ?? []), name] })
  }
  return [...byRule.values()].map(({ block, peers: some }) => ({
    need,
    block,
    peers: some.length === peers.length ? [] : some,
  }))
}

function blockIn({ netfilter }: NodeView, hook: Hook, packet: Passing): Block | null {
  return (hook === 'input' && blockAt(netfilter, 'prerouting', packet)) || blockAt(netfilter, hook, packet)
}

function findingOf(node: string, all: readonly Blocked[]): Finding & { code: Code } {
  const everyPort = all.some(({ need }) => need.code === 'INPUT_DROP_FROM_PODS' && !need.alone)
  const codeOf = ({ need }: Blocked) => (everyPort ? need.code : (need.alone ?? need.code))
  const code = order.find((one) => all.some((blocked) => codeOf(blocked) === one)) ?? order[0]!
  const { block } = all[0]!
  const peers = [...new Set(all.flatMap(({ peers }) => peers))]
  const toAll = all.some(({ peers }) => peers.length === 0)
  const things = [...new Set(all.map(({ need }) => need.what))]
  const of = toAll || peers.length === 0 ? '' : ` with ${some(peers)}`
  return {
    code,
    where: node,
    message: `${node} drops what goes to ${things.join(', ')}${of}: ${placeText(block.walk.by)} does`,
    evidence: [...block.accepted.slice(0, 1).map(({ by }) => shownAt(by)), shownAt(block.walk.by)],
    breaks: breaksOf(node, code, all, toAll ? [] : peers),
  }
}

function breaksOf(node: string, code: Code, all: readonly Blocked[], peers: readonly string[]): Breaks {
  const scenarios = [...new Set(all.flatMap(({ need }) => need.scenarios))]
  // what pods of other nodes ask of the API server fails on those nodes
  if (code === 'API_PORT_BLOCKED') return { scenarios, ...(peers.length > 0 && { nodes: [node, ...peers] }) }
  if (code === 'TUNNEL_PORT_BLOCKED')
    return {
      scenarios,
      ...(peers.length > 0 ? { pairs: peers.map((peer) => [node, peer] as const) } : { nodes: [node] }),
      ...(all.every(({ need }) => need.code === code) && { acrossOnly: true }),
    }
  return { scenarios, nodes: [node] }
}
