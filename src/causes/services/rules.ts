import { chainNamed, chainsAt } from '../../model/chains.ts'
import type { NodeView, Picture } from '../../model/dump.ts'
import type { Chain, Netfilter, Rule } from '../../model/netfilter.ts'
import type { Place } from '../host/walk.ts'
import { nftRules } from './nftables.ts'

/** What kube-proxy wrote on a node, in one form for both of its modes. */
export interface ProxyRules {
  readonly mode: 'iptables' | 'nftables'
  /** `10.96.0.10 udp 53` -> what is done with it. */
  readonly services: ReadonlyMap<string, ServiceRules>
  /** `tcp 30080` */
  readonly nodePorts: ReadonlySet<string>
  /** Do packets come to these rules at all? */
  readonly reached: boolean
  /** The rule that translates the source of marked packets; absent where it is missing. */
  readonly masquerade?: Place
  /** The rule that marks. */
  readonly mark?: Place
  /** Where it would stand. */
  readonly postrouting?: Place
}

export interface ServiceRules {
  readonly chain: Chain
  readonly by: Place
  readonly branches: readonly Branch[]
  /** The branch of the last rule is taken without a condition. */
  readonly complete: boolean
}

export interface Branch {
  /** `10.244.0.2:53`; absent where the chain of the endpoint is missing or translates nothing. */
  readonly to?: string
  /** 0 to 1, of what comes to the Service. */
  readonly share: number
  readonly by: Place
  /** The rule that translates. */
  readonly dnat?: Place
  /** Packets that the endpoint sends to its own Service get another source. */
  readonly hairpin: boolean
  /** That has to be so only on the node of the endpoint. */
  readonly onlyHere?: true
}

export const serviceKey = (ip: string, protocol: string, port: number): string => `${ip} ${protocol} ${port}`

const read = new WeakMap<NodeView, { rules: ProxyRules | null }>()

/** Null where kube-proxy has another mode (ipvs), where its rules could not be read, or where there are none of it at all. */
export function proxyRules(picture: Picture, node: NodeView): ProxyRules | null {
  const there = read.get(node) ?? { rules: rulesOf(picture.cluster?.configs.proxy?.mode ?? '', node) }
  read.set(node, there)
  return there.rules
}

function rulesOf(mode: string, { netfilter, dump }: NodeView): ProxyRules | null {
  if (mode === 'ipvs') return null
  const inNft = mode === 'nftables' || (mode === '' && netfilter.chains.some(({ table }) => table === 'kube-proxy'))
  if (inNft) return dump.parts.nft === undefined ? null : nftRules(netfilter)
  return dump.parts['iptables-save'] === undefined ? null : iptablesRules(netfilter)
}

/** KUBE-SERVICES -> KUBE-SVC-… (or KUBE-SVL-…) -> KUBE-SEP-…, in the table nat. */
function iptablesRules(netfilter: Netfilter): ProxyRules {
  const roots = netfilter.chains.filter(
    ({ name, table, family }) => name === 'KUBE-SERVICES' && table === 'nat' && family === 'ip',
  )
  // where both kinds of iptables have it, the fuller one is the one that kube-proxy keeps
  const root = roots.sort((a, b) => b.rules.length - a.rules.length)[0]
  const from = root ?? netfilter.chains.find(({ table, family }) => table === 'nat' && family === 'ip')
  const named = (name: string) => (from ? chainNamed(netfilter, from, name) : undefined)
  const services = new Map<string, ServiceRules>()
  for (const rule of root?.rules ?? []) {
    const keys = keysOf(rule)
    const chain = named(jumpOf(rule) ?? '')
    if (root && chain?.name.match(/^KUBE-S(VC|VL)-/))
      for (const key of keys) services.set(key, serviceOf(chain, { chain: root, rule }, named))
  }
  const ports = named('KUBE-NODEPORTS')?.rules.flatMap((rule) => (jumpOf(rule) ? portsOf(rule) : [])) ?? []
  const postrouting = named('KUBE-POSTROUTING')
  const marking = named('KUBE-MARK-MASQ')
  const goesTo = (hook: 'prerouting' | 'output' | 'postrouting', name: string) =>
    chainsAt(netfilter, hook).some(
      (chain) => chain.table === 'nat' && chain.rules.some((rule) => jumpOf(rule) === name),
    )
  const masquerade = postrouting?.rules.find(({ verdicts }) => verdicts.some((verdict) => verdict.do === 'masquerade'))
  const mark = marking?.rules.find(({ verdicts }) => verdicts.some((verdict) => verdict.do === 'mark'))
  return {
    mode: 'iptables',
    services,
    nodePorts: new Set(ports),
    reached: goesTo('prerouting', 'KUBE-SERVICES') && goesTo('output', 'KUBE-SERVICES'),
    ...(postrouting && {
      postrouting: { chain: postrouting, ...(postrouting.rules[0] && { rule: postrouting.rules[0] }) },
    }),
    ...(postrouting &&
      masquerade &&
      goesTo('postrouting', 'KUBE-POSTROUTING') && { masquerade: { chain: postrouting, rule: masquerade } }),
    ...(marking && mark && { mark: { chain: marking, rule: mark } }),
  }
}

function serviceOf(chain: Chain, by: Place, named: (name: string) => Chain | undefined): ServiceRules {
  let left = 1
  const branches: Branch[] = []
  for (const rule of chain.rules) {
    const name = jumpOf(rule)
    // those of clients that have been here before: session affinity
    if (!name?.startsWith('KUBE-SEP-') || rule.matches.some(({ what }) => what === 'recent')) continue
    const random = rule.matches.find((match) => match.what === 'random')
    const share = left * (random?.what === 'random' ? random.probability : 1)
    left -= share
    branches.push(branchOf(named(name), { chain, rule }, share))
  }
  return { chain, by, branches, complete: left < 1e-6 }
}

function branchOf(endpoint: Chain | undefined, by: Place, share: number): Branch {
  const rule = endpoint?.rules.find(({ verdicts }) => verdicts.some((verdict) => verdict.do === 'dnat'))
  const target = rule?.verdicts.flatMap((verdict) => (verdict.do === 'dnat' ? verdict : []))[0]
  if (!endpoint || !rule || !target?.ip) return { share, by, hairpin: true }
  return {
    to: `${target.ip}:${target.port ?? 0}`,
    share,
    by,
    dnat: { chain: endpoint, rule },
    hairpin: marksOwn(endpoint, target.ip, 'KUBE-MARK-MASQ'),
  }
}

/** Does the chain mark what comes from the endpoint itself? */
export function marksOwn({ rules }: Chain, ip: string, marking: string): boolean {
  return rules.some(
    (rule) =>
      jumpOf(rule) === marking &&
      rule.matches.every(
        (match) => match.what === 'saddr' && !match.not && match.cidrs.some((cidr) => cidr.replace(/\/32$/, '') === ip),
      ),
  )
}

export function jumpOf({ verdicts }: Rule): string | undefined {
  for (const verdict of verdicts) if (verdict.do === 'jump' || verdict.do === 'goto') return verdict.to
  return undefined
}

function keysOf(rule: Rule): string[] {
  const daddr = rule.matches.find((match) => match.what === 'daddr')
  const ips = daddr?.what === 'daddr' && !daddr.not ? daddr.cidrs.map((cidr) => cidr.replace(/\/32$/, '')) : []
  return ips.flatMap((ip) => portsOf(rule).map((port) => `${ip} ${port}`))
}

/** `tcp 30080`, of each protocol and port that the rule matches. */
function portsOf({ matches }: Rule): string[] {
  const protocol = matches.find((match) => match.what === 'protocol')
  const dport = matches.find((match) => match.what === 'dport')
  if (protocol?.what !== 'protocol' || dport?.what !== 'dport') return []
  return protocol.protocols.flatMap((name) => dport.ports.map(([port]) => `${name} ${port}`))
}
