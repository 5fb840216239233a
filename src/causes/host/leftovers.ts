import type { Cause } from '../../model/cause.ts'
import { cidrOf, contains, overlaps } from '../../model/cidr.ts'
import type { NodeView } from '../../model/dump.ts'
import type { Chain, Rule } from '../../model/netfilter.ts'
import { once, onNodes, overServices, podSubnetOf, serviceSubnetOf, shownAt, some, spotsOf } from './tools.ts'

export const rulesOfOldCluster: Cause = {
  code: 'RULES_OF_OLD_CLUSTER',
  because:
    'kubeadm reset leaves the rules of kube-proxy and flannel where they are. Those of the older cluster send packets to addresses that mean nothing, or something else, in this one.',
  shows: 'iptables-save | grep -E "KUBE-|FLANNEL-"; iptables-legacy-save | grep -E "KUBE-|FLANNEL-"',
  fix: 'Remove them (kube-proxy --cleanup, or reboot the node): they are in no file and come back only if something still writes them.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const old = oldRules(picture).get(node.node) ?? []
      const first = old[0]
      if (!first) return null
      return {
        where: node.node,
        message: `${node.node} has ${old.length} rules of Kubernetes or flannel for addresses outside of this cluster: ${some([...new Set(old.map(({ address }) => address))])}`,
        evidence: old.slice(0, 3).map(({ chain, rule }) => shownAt({ chain, rule })),
        breaks: { scenarios: overServices, nodes: [node.node] },
      }
    }),
}

export const iptablesModeMix: Cause = {
  code: 'IPTABLES_MODE_MIX',
  because:
    'Rules of Kubernetes stand in the old iptables and in the one on nftables, and the kernel passes both. Only one of them is kept up to date; the other goes on to translate addresses as they were.',
  shows: 'iptables-legacy-save | grep -c KUBE-; iptables-nft-save | grep -c KUBE-',
  fix: 'Let the host and the images use the same one (update-alternatives --config iptables), remove the rules of the other, or reboot the node.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const kube = (backend: Chain['backend']) =>
        node.netfilter.chains.filter((chain) => chain.backend === backend && isProxys(chain) && chain.rules.length > 0)
      const legacy = kube('iptables-legacy')
      const nft = kube('iptables-nft')
      if (!legacy[0] || !nft[0] || (oldRules(picture).get(node.node)?.length ?? 0) > 0) return null
      return {
        where: node.node,
        message: `${node.node} has chains of kube-proxy in both: ${legacy.length} in iptables-legacy, ${nft.length} in iptables-nft`,
        evidence: [legacy[0], nft[0]].map((chain) => shownAt({ chain, rule: chain.rules[0]! })),
        breaks: { scenarios: overServices, nodes: [node.node] },
      }
    }),
}

/** Is it one of kube-proxy's? */
export const isProxys = ({ name, table }: Chain): boolean =>
  table === 'kube-proxy' || /^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|S(VC|VL|EP)-)/.test(name)

interface Old {
  readonly chain: Chain
  readonly rule: Rule
  readonly address: string
}

const oldRules = once((picture): ReadonlyMap<string, readonly Old[]> => {
  const known = knownOf(picture)
  return new Map(known ? [...picture.nodes.values()].map((node) => [node.node, oldOn(node, known)]) : [])
})

/** Is this an address of this cluster? */
interface Known {
  readonly target: (ip: string) => boolean
  readonly service: (ip: string) => boolean
  readonly network: (cidr: string) => boolean
}

export const knownOf = once((picture): Known | null => {
  const { cluster } = picture
  const pods = cidrOf(podSubnetOf(picture) ?? '')
  const services = cidrOf(serviceSubnetOf(picture) ?? '')
  if (!cluster || !pods || !services) return null
  const nodes = [...spotsOf(picture).values()]
  const podCidrs = nodes.flatMap(({ podCidr }) => cidrOf(podCidr ?? '') ?? [])
  const hosts = new Set([
    ...nodes.flatMap(({ ip }) => ip ?? []),
    ...cluster.nodes.flatMap(({ internalIPs }) => internalIPs),
    ...[...picture.nodes.values()].flatMap(({ links }) =>
      links.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)),
    ),
  ])
  const endpoints = new Set(cluster.slices.flatMap((slice) => slice.endpoints.map(({ ip }) => ip)))
  const own = new Set(
    cluster.services.flatMap((one) => [...one.clusterIPs, ...one.externalIPs, ...one.loadBalancerIPs]),
  )
  const ofPods = [pods, ...podCidrs.filter((cidr) => !contains(pods, cidr))]
  return {
    target: (ip) => ofPods.some((cidr) => contains(cidr, ip)) || hosts.has(ip) || endpoints.has(ip),
    service: (ip) => contains(services, ip) || own.has(ip) || hosts.has(ip),
    network: (text) => {
      const cidr = cidrOf(text)
      return !cidr || cidr.prefix < 5 || ofPods.some((one) => overlaps(one, cidr))
    },
  }
})

function oldOn({ netfilter, flannelEnv }: NodeView, known: Known): Old[] {
  const network = flannelEnv?.get('FLANNEL_NETWORK')
  const flannels = netfilter.chains.filter(({ family, name }) => family === 'ip' && name.startsWith('FLANNEL-'))
  // where none of that name is for the right network, flannel's own are wrong: FLANNEL_RULES_LOST
  const right = new Set(
    flannels.flatMap(({ name, rules }) =>
      rules.some((rule) => addressesOf(rule).some((cidr) => cidr === network)) ? [name] : [],
    ),
  )
  const kube = netfilter.chains.filter(({ family, name }) => family === 'ip' && name.startsWith('KUBE-'))
  return [
    ...kube.flatMap((chain) => chain.rules.flatMap((rule) => oldAddress(chain, rule, known))),
    ...flannels
      .filter(({ name }) => right.has(name))
      .flatMap((chain) =>
        chain.rules.flatMap((rule) => {
          const address = addressesOf(rule).find((cidr) => !known.network(cidr))
          return address ? [{ chain, rule, address }] : []
        }),
      ),
  ]
}

function oldAddress(chain: Chain, rule: Rule, known: Known): Old[] {
  const target = rule.verdicts.flatMap((verdict) => (verdict.do === 'dnat' ? (verdict.ip ?? []) : []))[0]
  if (target) return known.target(target) ? [] : [{ chain, rule, address: target }]
  if (chain.name !== 'KUBE-SERVICES') return []
  const daddr = rule.matches.find((match) => match.what === 'daddr' && !match.not)
  const ip = daddr?.what === 'daddr' ? daddr.cidrs[0]?.replace(/\/32$/, '') : undefined
  return !ip || ip.includes('/') || known.service(ip) ? [] : [{ chain, rule, address: ip }]
}

const addressesOf = ({ matches }: Rule): string[] =>
  matches.flatMap((match) => (match.what === 'saddr' || match.what === 'daddr' ? match.cidrs : []))
