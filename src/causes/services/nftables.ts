import { chainNamed, chainsAt } from '../../model/chains.ts'
import type { Chain, Netfilter, Rule, SetElement, Verdict } from '../../model/netfilter.ts'
import type { Place } from '../host/walk.ts'
import { type Branch, type DoorRules, doorOf, jumpOf, marksOwn, type ProxyRules, type ServiceRules } from './rules.ts'

/**
 * The table `ip kube-proxy`: the map service-ips leads to service-… chains (local-… where only endpoints of the node itself may
 * answer), the map service-nodeports by external-… chains to the same. Those of 1.37 translate themselves (`dnat to …`, or
 * `numgen random mod n map`), and the set hairpin-connections holds the endpoints of this node; those before, and those with
 * session affinity, go on to endpoint-… chains, which before 1.37 mark their own packets. Source: pkg/proxy/nftables.
 */
export function nftRules(netfilter: Netfilter): ProxyRules {
  const own = netfilter.chains.filter(({ table, family }) => table === 'kube-proxy' && family === 'ip')
  const named = (name: string) => own[0] && chainNamed(netfilter, own[0], name)
  const elements = (name: string): readonly SetElement[] => netfilter.sets.get(`ip kube-proxy ${name}`) ?? []
  const hairpins = netfilter.sets.has('ip kube-proxy hairpin-connections') ? elements('hairpin-connections') : undefined
  const local = hairpins && new Set(hairpins.map(({ key }) => `${key[0]}:${key[3]}`))
  const services = new Map<string, ServiceRules>()
  const doors = new Map<string, DoorRules>()
  const root = named('services')
  const leads = (chain: Chain, { key, verdict }: SetElement) => ({
    chain: root ?? chain,
    rule: textRule(`${key.join(' . ')} : goto ${targetOf(verdict)}`),
  })
  const inner = (name: string, by: Place) => {
    const chain = /^(service|local)-/.test(name) ? named(name) : undefined
    return chain && serviceOf(netfilter, chain, by, local)
  }
  for (const element of elements('service-ips')) {
    const chain = named(targetOf(element.verdict))
    if (chain) services.set(element.key.join(' '), serviceOf(netfilter, chain, leads(chain, element), local))
  }
  for (const element of elements('service-nodeports')) {
    const chain = named(targetOf(element.verdict))
    if (chain?.name.startsWith('external-'))
      doors.set(element.key.join(' '), doorOf(chain, leads(chain, element), 'mark-for-masquerade', inner))
  }
  const masquerading = named('masquerading')
  const masquerade = masquerading?.rules.find(masquerades)
  const marking = named('mark-for-masquerade')
  const mark = marking?.rules.find(({ verdicts }) => verdicts.some((verdict) => verdict.do === 'mark'))
  const goesTo = (hook: 'prerouting' | 'output' | 'postrouting', name: string) =>
    chainsAt(netfilter, hook).some(
      (chain) => chain.table === 'kube-proxy' && chain.rules.some((rule) => jumpOf(rule) === name),
    )
  const translates = masquerading && masquerade && goesTo('postrouting', 'masquerading')
  const place = masquerading && masquerade && { chain: masquerading, rule: masquerade }
  return {
    mode: 'nftables',
    services,
    nodePorts: new Set(elements('service-nodeports').map(({ key }) => key.join(' '))),
    doors,
    reached: goesTo('prerouting', 'services') && goesTo('output', 'services'),
    ...(masquerading && {
      postrouting: { chain: masquerading, ...(masquerading.rules[0] && { rule: masquerading.rules[0] }) },
    }),
    ...(translates && place && { masquerade: place }),
    // since 1.37 each chain marks by itself
    ...(marking ? mark && { mark: { chain: marking, rule: mark } } : place && { mark: place }),
  }
}

/** Of the rules that masquerade, the one for what is marked: that for hairpins alone has no mark. */
const masquerades = ({ matches, verdicts }: Rule): boolean =>
  verdicts.some((verdict) => verdict.do === 'masquerade') && matches.every(({ what }) => what === 'mark')

function serviceOf(
  netfilter: Netfilter,
  chain: Chain,
  by: Place,
  hairpins: ReadonlySet<string> | undefined,
): ServiceRules {
  const branches: Branch[] = []
  for (const rule of chain.rules) {
    // those of clients that have been here before: session affinity
    if (rule.matches.some(({ what }) => what === 'set')) continue
    const place = { chain, rule }
    for (const verdict of rule.verdicts) {
      if (verdict.do === 'goto') branches.push(branchOf(netfilter, verdict.to, place, 1, hairpins))
      else if (verdict.do === 'vmap')
        for (const [to, share] of sharesOf(netfilter, verdict, ({ verdict }) => targetOf(verdict)))
          branches.push(branchOf(netfilter, to, place, share, hairpins))
      else if (verdict.do === 'dnat' && verdict.map)
        for (const [value, share] of sharesOf(netfilter, { keys: verdict.keys ?? [], set: verdict.map }, addressOf))
          branches.push(directly(value.replace(' . ', ':'), place, share, hairpins))
      else if (verdict.do === 'dnat' && verdict.ip)
        branches.push(directly(`${verdict.ip}:${verdict.port ?? 0}`, place, 1, hairpins))
    }
  }
  const all = branches.reduce((sum, { share }) => sum + share, 0)
  return { chain, by, branches, complete: all > 1 - 1e-6 }
}

const addressOf = ({ value = '' }: SetElement): string => value

/** What a map by `numgen random mod n` leads to, with its share of the n. */
function sharesOf(
  { sets }: Netfilter,
  { keys, set }: { readonly keys: readonly string[]; readonly set: string },
  targetOf: (element: SetElement) => string,
): [string, number][] {
  const mod = Number(/\bmod (\d+)/.exec(keys.join(' '))?.[1])
  const counts = new Map<string, number>()
  for (const element of sets.get(set) ?? []) {
    const to = targetOf(element)
    if (to) counts.set(to, (counts.get(to) ?? 0) + 1)
  }
  return mod > 0 ? [...counts].map(([to, count]) => [to, count / mod]) : []
}

function directly(to: string, by: Place, share: number, hairpins: ReadonlySet<string> | undefined): Branch {
  return { to, share, by, dnat: by, hairpin: hairpins ? hairpins.has(to) : true, ...(hairpins && { onlyHere: true }) }
}

function branchOf(
  netfilter: Netfilter,
  name: string,
  by: Place,
  share: number,
  hairpins: ReadonlySet<string> | undefined,
): Branch {
  const endpoint = chainNamed(netfilter, by.chain, name)
  const rule = endpoint?.rules.find(({ verdicts }) => verdicts.some((verdict) => verdict.do === 'dnat'))
  const target = rule?.verdicts.flatMap((verdict) => (verdict.do === 'dnat' ? verdict : []))[0]
  if (!endpoint || !rule || !target?.ip) return { share, by, hairpin: true }
  const to = `${target.ip}:${target.port ?? 0}`
  if (hairpins) return { ...directly(to, by, share, hairpins), dnat: { chain: endpoint, rule } }
  const hairpin = marksOwn(endpoint, target.ip, 'mark-for-masquerade')
  return { to, share, by, dnat: { chain: endpoint, rule }, hairpin }
}

const targetOf = (verdict: Verdict | undefined): string =>
  verdict?.do === 'goto' || verdict?.do === 'jump' ? verdict.to : ''

const textRule = (text: string): Rule => ({ text, matches: [], verdicts: [] })
