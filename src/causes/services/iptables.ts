import { chainNamed, chainsAt } from '../../model/chains.ts'
import type { Chain, Netfilter, Rule } from '../../model/netfilter.ts'
import type { Place } from '../host/walk.ts'
import { type Branch, type DoorRules, doorOf, jumpOf, marksOwn, type ProxyRules, type ServiceRules } from './rules.ts'

/**
 * In the table nat: KUBE-SERVICES -> KUBE-SVC-… (or KUBE-SVL-…, where only endpoints of the node itself may answer) -> KUBE-SEP-…,
 * and KUBE-NODEPORTS -> KUBE-EXT-… -> the same.
 */
export function iptablesRules(netfilter: Netfilter): ProxyRules {
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
  const nodePorts = named('KUBE-NODEPORTS')
  const ports = nodePorts?.rules.flatMap((rule) => (jumpOf(rule) ? portsOf(rule) : [])) ?? []
  const inner = (name: string, by: Place) => {
    const chain = /^KUBE-S(VC|VL)-/.test(name) ? named(name) : undefined
    return chain && serviceOf(chain, by, named)
  }
  const doors = new Map<string, DoorRules>()
  for (const rule of nodePorts?.rules ?? []) {
    const chain = named(jumpOf(rule) ?? '')
    if (nodePorts && chain?.name.startsWith('KUBE-EXT-'))
      for (const port of portsOf(rule))
        doors.set(port, doorOf(chain, { chain: nodePorts, rule }, 'KUBE-MARK-MASQ', inner))
  }
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
    doors,
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
