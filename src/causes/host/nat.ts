import type { Cause, Finding } from '../../model/cause.ts'
import { chainsAt } from '../../model/chains.ts'
import type { NodeView, Picture } from '../../model/dump.ts'
import type { Chain } from '../../model/netfilter.ts'
import type { Passing } from '../../model/passing.ts'
import type { Evidence } from '../../model/trouble.ts'
import { drops } from './forward.ts'
import {
  onNodes,
  placeText,
  podSubnetOf,
  rulesRead,
  shown,
  shownAt,
  some,
  spotsOf,
  type Ways,
  waysOf,
} from './tools.ts'
import { natAt, type Place, translates, walk } from './walk.ts'

export const podSnatRule: Cause = {
  code: 'POD_SNAT_RULE',
  because:
    'A rule in nat POSTROUTING gives packets from pod to pod the address of the node. They arrive, but the server does not see who asked: NetworkPolicies, allow-lists and logs are wrong.',
  shows: 'iptables -t nat -S POSTROUTING; nft list ruleset',
  fix: 'Let that rule leave out the pod network as destination, or remove it.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const ways = waysOf(picture, node)
      const own = spotsOf(picture).get(node.node)?.podCidr
      const all = podSubnetOf(picture)
      if (!ways?.known || !own || !all) return null
      const found = directions(ways, own, all)
        .flatMap((packet) => translated(picture, node, packet, own))
        .filter(({ by }) => !isFlannels(by.chain))
      const first = found[0]
      if (!first) return null
      const peers = [...new Set(found.flatMap(({ peer }) => peer ?? []))]
      const toAll = found.some(({ peer }) => !peer)
      return {
        where: node.node,
        message: `${node.node} gives packets from ${first.packet.saddr} to ${first.packet.daddr} another source: ${placeText(first.by)} does${toAll ? '' : `, for ${some(peers)}`}`,
        evidence: [shownAt(first.by)],
        breaks: {
          scenarios: ['pod-to-pod', 'pod-to-service', 'spread', 'traffic-policy', 'network-policy'],
          ...(toAll ? { nodes: [node.node] } : { pairs: peers.map((peer) => [node.node, peer] as const) }),
        },
      }
    }),
}

const fresh = { protocol: 'tcp', sport: 50123, dport: 40123, ctstate: ['new'], mark: 0, ctmark: 0 } as const
const types = { saddr: 'unicast', daddr: 'unicast' }

function directions({ bridge, tunnel }: Ways, own: string, all: string): Passing[] {
  const packet = { ...fresh, types }
  return [
    { ...packet, saddr: own, daddr: all, iif: bridge, oif: tunnel },
    { ...packet, saddr: all, daddr: own, iif: tunnel, oif: bridge },
    { ...packet, saddr: own, daddr: own, iif: bridge, oif: bridge },
  ]
}

interface Translated {
  readonly by: Place
  readonly packet: Passing
  readonly peer?: string
}

/** What translates the source; where rules tell peers apart, some of them are tried by themselves. */
function translated(picture: Picture, { node, netfilter }: NodeView, packet: Passing, own: string): Translated[] {
  const sure = natAt(netfilter, 'postrouting', packet)
  if (sure) return [{ by: sure.by, packet }]
  const doubtful = chainsAt(netfilter, 'postrouting').some((chain) => {
    if (chain.type !== 'nat') return false
    const taken = walk(netfilter, chain, packet)
    return [taken, ...taken.doubts].some(translates)
  })
  if (!doubtful || packet.saddr === packet.daddr) return []
  const theirs = packet.saddr === own ? 'daddr' : 'saddr'
  return [...spotsOf(picture).values()]
    .filter(({ name, podCidr }) => name !== node && podCidr)
    .slice(0, 50)
    .flatMap(({ name, podCidr }) => {
      const one = { ...packet, [theirs]: podCidr }
      const taken = natAt(netfilter, 'postrouting', one)
      return taken ? [{ by: taken.by, packet: one, peer: name }] : []
    })
}

const isFlannels = ({ name, table }: Chain): boolean => name.startsWith('FLANNEL-') || table.startsWith('flannel-')

export const flannelRulesLost: Cause = {
  code: 'FLANNEL_RULES_LOST',
  because:
    'flannel keeps rules that give packets of pods the address of the node when they leave the cluster, that keep their own between pods, and that let them through FORWARD. On this node they are missing, or are for another network.',
  shows: 'iptables -t nat -S FLANNEL-POSTRTG; iptables -S FLANNEL-FWD',
  fix: 'Restart flannel on that node (kubectl -n kube-flannel delete pod), and find what flushes the rules.',
  needs: 'flannel',
  find: (picture) => {
    const fwdUsed = [...picture.nodes.values()].some((node) => flannelChain(node, 'forward').length > 0)
    return onNodes(picture, (node) => {
      const network = node.flannelEnv?.get('FLANNEL_NETWORK')
      const ways = waysOf(picture, node)
      // what flannel itself took for the podCIDR: whether that is right is another matter
      const own = node.flannelEnv?.get('FLANNEL_SUBNET')
      if (!network || !ways || !own || !rulesRead(node) || !picture.cluster?.configs.flannel) return null
      const masq =
        node.flannelEnv?.get('FLANNEL_IPMASQ') === 'true' ? masqTrouble(picture, node, ways, { own, network }) : null
      if (masq) return finding(node.node, masq)
      const dropped = drops(picture).some(({ where }) => where === node.node)
      if (!fwdUsed || dropped || flannelChain(node, 'forward').length > 0) return null
      // nothing drops what it would accept: that would be FORWARD_DROP
      const what = 'FLANNEL-FWD, which lets pods through FORWARD, is missing or nothing jumps to it'
      const lost = finding(node.node, { what, evidence: none(picture, 'FLANNEL-FWD'), scenarios: [] })
      return { ...lost, breaks: { nodes: [] }, level: 'warning' }
    })
  },
}

interface Lost {
  readonly what: string
  readonly evidence: Evidence
  readonly scenarios: NonNullable<Finding['breaks']['scenarios']>
}

const finding = (node: string, { what, evidence, scenarios }: Lost): Finding => ({
  where: node,
  message: `On ${node} ${what}`,
  evidence: [evidence],
  breaks: { scenarios, nodes: [node] },
})

function masqTrouble(
  picture: Picture,
  node: NodeView,
  ways: Ways,
  { own, network }: { own: string; network: string },
): Lost | null {
  const { netfilter } = node
  const chains = flannelChain(node, 'postrouting')
  const first = chains[0]
  const scenarios = ['egress', 'api', 'pod-to-node', 'node-to-service'] as const
  if (!first)
    return {
      what: 'FLANNEL-POSTRTG, which gives packets that leave the cluster the address of the node, is missing, empty, or nothing jumps to it',
      evidence: none(picture, 'FLANNEL-POSTRTG'),
      scenarios,
    }
  const cidrs = chains.flatMap(({ rules }) => rules.flatMap(({ matches }) => matches.flatMap(cidrsOf)))
  const rule = first.rules.find(({ matches }) => matches.some((match) => cidrsOf(match).length > 0)) ?? first.rules[0]
  const line = { chain: first, ...(rule && { rule }) }
  if (!cidrs.includes(network))
    return { what: `the rules of flannel are for another network than ${network}`, evidence: shownAt(line), scenarios }
  const packet = { ...fresh, types, saddr: own, iif: ways.bridge }
  const inside = natAt(netfilter, 'postrouting', { ...packet, daddr: network, oif: ways.tunnel })
  if (inside && isFlannels(inside.by.chain))
    return {
      what: 'flannel translates the source of packets between pods: its rule that leaves them out is missing',
      evidence: shownAt(inside.by),
      scenarios: ['pod-to-pod', 'pod-to-service', 'spread', 'network-policy'],
    }
  const outside = natAt(netfilter, 'postrouting', { ...packet, daddr: '198.51.100.1', oif: ways.outer })
  return outside
    ? null
    : {
        what: 'no rule gives packets that leave the cluster the address of the node',
        evidence: shownAt(line),
        scenarios,
      }
}

/** What a person sees who looks for a chain of flannel that is not there. */
function none(picture: Picture, chain: string): Evidence {
  const inNft = [...picture.nodes.values()].some(({ netfilter }) =>
    netfilter.chains.some(({ table }) => table.startsWith('flannel-')),
  )
  if (inNft) return shown('nft list table ip flannel-ipv4', 'Error: No such file or directory')
  const table = chain === 'FLANNEL-FWD' ? '' : '-t nat '
  return shown(`iptables ${table}-S ${chain}`, 'iptables: No chain/target/match by that name.')
}

const cidrsOf = (match: Chain['rules'][number]['matches'][number]): readonly string[] =>
  match.what === 'saddr' || match.what === 'daddr' ? match.cidrs : []

/** flannel's chains with rules for a hook that packets really come to: a base chain, or one that a base chain jumps to. */
function flannelChain({ netfilter }: NodeView, hook: 'forward' | 'postrouting'): Chain[] {
  const reached = new Set(
    chainsAt(netfilter, hook).flatMap((chain) => [
      keyOf(chain, chain.name),
      ...chain.rules.flatMap(({ verdicts }) =>
        verdicts.flatMap((one) => (one.do === 'jump' || one.do === 'goto' ? [keyOf(chain, one.to)] : [])),
      ),
    ]),
  )
  return netfilter.chains.filter(
    (chain) => isFlannels(chain) && chain.rules.length > 0 && reached.has(keyOf(chain, chain.name)),
  )
}

const keyOf = ({ backend, family, table }: Chain, name: string): string => `${backend} ${family} ${table} ${name}`
