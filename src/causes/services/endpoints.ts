import type { Cause, Finding } from '../../model/cause.ts'
import type { NodeView, Picture } from '../../model/dump.ts'
import { isProbe } from '../../model/probes.ts'
import { knownOf } from '../host/leftovers.ts'
import { once, onNodes, overServices, rulesRead, shown, shownAt, some } from '../host/tools.ts'
import { downOn } from './proxy.ts'
import { proxyRules } from './read-rules.ts'
import type { Branch, ProxyRules } from './rules.ts'
import { isAlone, portName, scenariosOf, type Wanted, wantedOf } from './wanted.ts'
import { rulesOf, steadyOn, waysTo } from './ways.ts'

export const kubeRulesStale: Cause = {
  code: 'KUBE_RULES_STALE',
  because:
    'The rules of a Service on this node name endpoints that the API server no longer knows. A part of what is sent to the Service goes to nobody.',
  shows: 'iptables-save -t nat | grep KUBE-SEP; kubectl get endpointslices -A',
  fix: 'Restart kube-proxy on that node (kubectl -n kube-system delete pod), and read its log: it does not get the changes, or cannot write them.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const stale = staleOn(picture).get(node.node) ?? []
      const first = stale[0]
      if (!first) return null
      const services = [...new Set(stale.map(({ wanted }) => wanted.service))]
      return {
        where: node.node,
        message: `${node.node} sends packets for ${some([...new Set(stale.map(({ wanted }) => portName(wanted)))])} to ${some([...new Set(stale.map(({ branch }) => branch.to!))])}, which ${stale.length > 1 ? 'are' : 'is'} no endpoint any more`,
        evidence: stale.slice(0, 3).map(({ branch }) => shownAt(branch.dnat ?? branch.by)),
        breaks: { scenarios: scenariosOf(services), nodes: [node.node] },
      }
    }),
}

interface Stale {
  readonly wanted: Wanted
  readonly branch: Branch
}

/** Rules that name what is no endpoint; not where every node has them: then the endpoint left just now. */
export const staleOn = once((picture): ReadonlyMap<string, readonly Stale[]> => {
  const known = knownOf(picture)
  const all = rulesByNode(picture)
  const holders = new Map<string, number>()
  const serving = new Map<string, number>()
  const found = new Map<string, Stale[]>()
  for (const [node, rules] of all) {
    const stale = new Map<string, Stale>()
    for (const wanted of wantedOf(picture)) {
      const served = rulesOf(waysTo(wanted, rules))
      if (served.length > 0) serving.set(wanted.key, (serving.get(wanted.key) ?? 0) + 1)
      for (const branch of served.flatMap(({ rules }) => rules.branches)) {
        const ip = branch.to?.slice(0, branch.to.lastIndexOf(':'))
        if (ip && !wanted.known.has(branch.to ?? '') && known?.target(ip) !== false)
          stale.set(keyOf({ wanted, branch }), { wanted, branch })
      }
    }
    for (const key of stale.keys()) holders.set(key, (holders.get(key) ?? 0) + 1)
    found.set(node, [...stale.values()])
  }
  const lately = (one: Stale) =>
    (serving.get(one.wanted.key) ?? 0) > 1 && holders.get(keyOf(one)) === serving.get(one.wanted.key)
  return new Map([...found].map(([node, stale]) => [node, stale.filter((one) => !lately(one))]))
})

const keyOf = ({ wanted, branch }: Stale): string => `${wanted.key} ${branch.to}`

/** The rules of the nodes whose kube-proxy runs. */
export const rulesByNode = once((picture): ReadonlyMap<string, ProxyRules> => {
  const down = downOn(picture)
  const all = [...picture.nodes.values()].filter(({ node }) => !down.has(node))
  return new Map(
    all.flatMap((node) => {
      const rules = proxyRules(picture, node)
      return rules ? [[node.node, rules] as const] : []
    }),
  )
})

export const kubeRulesMissing: Cause = {
  code: 'KUBE_RULES_MISSING',
  because:
    'The API server has a Service or an endpoint for which this node has no rule. What is sent to it from here leaves unchanged for an address that nobody has, or reaches only the other endpoints.',
  shows: 'iptables-save -t nat | grep KUBE-; kubectl get endpointslices -A',
  fix: 'Restart kube-proxy on that node (kubectl -n kube-system delete pod), and find what removes its rules: another program that flushes the firewall.',
  find: (picture) => onNodes(picture, (node) => missingFinding(picture, node)),
}

function missingFinding(picture: Picture, node: NodeView): Finding | null {
  const rules = rulesByNode(picture).get(node.node)
  if (!rules || !rulesRead(node)) return null
  const expected = wantedOf(picture).filter((wanted) => steadyOn(waysTo(wanted, rules)[0], node).length > 0)
  if (expected.length > 0 && (rules.services.size === 0 || !rules.reached)) {
    const what = rules.services.size === 0 ? 'no rule for any Service' : 'rules for Services, but nothing leads to them'
    const root = rules.mode === 'iptables' ? 'KUBE-SERVICES' : 'services'
    const show =
      rules.mode === 'iptables' ? 'iptables-save -t nat | grep -- "-j KUBE-SERVICES"' : 'nft list table ip kube-proxy'
    return {
      where: node.node,
      message: `${node.node} has ${what}`,
      evidence: [shown(show, `(no rule leads to ${root})`)],
      breaks: { scenarios: overServices, nodes: [node.node] },
    }
  }
  const missing = missingOn(picture).get(node.node) ?? []
  const first = missing[0]
  if (!first) return null
  const services = [...new Set(missing.map(({ wanted }) => wanted.service))]
  return {
    where: node.node,
    message: `${node.node} has no rule for ${some(missing.map((one) => one.what))}`,
    evidence: [first.evidence],
    breaks: { scenarios: scenariosOf(services), nodes: [node.node] },
  }
}

interface Missing {
  readonly wanted: Wanted
  /** `kube-system/kube-dns:dns`, or an endpoint of it. */
  readonly what: string
  readonly evidence: ReturnType<typeof shown>
}

/**
 * What the rules of a node lack. Only what another node has: an endpoint that no node has yet came just now; with one node
 * alone, only what verify itself did not just make.
 */
export const missingOn = once((picture): ReadonlyMap<string, readonly Missing[]> => {
  const all = rulesByNode(picture)
  const there = new Set<string>()
  for (const rules of all.values()) {
    for (const port of rules.nodePorts) there.add(port)
    for (const key of rules.services.keys()) there.add(key)
    for (const wanted of wantedOf(picture))
      for (const { rules: of } of rulesOf(waysTo(wanted, rules)))
        for (const { to } of of.branches) there.add(`${wanted.key} ${to}`)
  }
  const alone = isAlone(picture)
  const stale = staleOn(picture)
  return new Map(
    [...all].map(([name, rules]) => {
      const node = picture.nodes.get(name)!
      const old = new Set(stale.get(name)?.map(({ wanted }) => wanted.key))
      const wanted = wantedOf(picture).filter(({ key, service }) => !old.has(key) && !(alone && isProbe(service)))
      return [name, wanted.flatMap((one) => missingOf(one, node, rules, (key) => alone || there.has(key)))]
    }),
  )
})

function missingOf(wanted: Wanted, node: NodeView, proxy: ProxyRules, elsewhere: (key: string) => boolean): Missing[] {
  const show = proxy.mode === 'iptables' ? `iptables-save -t nat | grep` : 'nft list table ip kube-proxy | grep'
  const missing = (what: string, text: string): Missing => ({
    wanted,
    what,
    evidence: shown(`${show} ${text}`, '(nothing)'),
  })
  const ways = waysTo(wanted, proxy)
  const distinct = new Set(rulesOf(ways).map(({ key }) => key))
  return ways.flatMap((way) => {
    const steady = steadyOn(way, node)
    const { name, key, outside, known, rules } = way
    if (steady.length > 0 && !known && elsewhere(key))
      return [missing(name, outside ? `${wanted.port.nodePort}` : key.split(' ')[0]!)]
    if (!rules || !distinct.has(key)) return []
    const named = new Set(rules.branches.map(({ to }) => to))
    // no kube-proxy leads to a chain that is empty: that endpoint did not come just now
    const lacking = steady.filter(({ to }) => !named.has(to) && (named.size === 0 || elsewhere(`${wanted.key} ${to}`)))
    return lacking.map(({ to }) => missing(`the endpoint ${to} of ${name}`, to))
  })
}
