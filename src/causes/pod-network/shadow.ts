import type { Cause, Finding } from '../../model/cause.ts'
import { networkOf, overlaps } from '../../model/cidr.ts'
import type { Picture, PolicyRule, Route } from '../../model/dump.ts'
import { bridgeOf, type Member, type Seen, seenOf, shown } from './ground.ts'
import { listOf } from './running.ts'
import { type Ground, groundOf, isConnected, ownerOf, strangeRoutes } from './strange-routes.ts'

/** A route that takes (a part of) the packets for one podCIDR, and the node that has the podCIDR. */
function shadowOf(picture: Picture, member: Seen, ground: Ground): { route: Route; owner: Member }[] {
  const bridge = bridgeOf(member)
  return strangeRoutes(picture, member, ground).flatMap(({ route, network }) => {
    if (route.table !== 'main' || ['throw', 'broadcast', 'multicast'].includes(route.type)) return []
    const owner = ownerOf(ground, network)
    if (!owner || isConnected(route)) return []
    // routes to single pods of the node itself
    if (owner.name === member.name && (route.dev === bridge || /^veth/.test(route.dev ?? ''))) return []
    return [{ route, owner }]
  })
}

/** Rules that look at something k8snet cannot tell of a packet: they are left out, but for those of the bridge of the pods. */
const selective = /\b(fwmark|uidrange|ipproto|sport|dport|tos|dsfield|oif|l3mdev|tun_id)\b/

/** The peers whose packets a rule leads elsewhere, with the line that does it. */
function takenBy(member: Seen, rule: PolicyRule, { owners }: Ground): { line: string; owners: Member[] } | null {
  const iif = /\biif (\S+)/.exec(rule.line)?.[1]
  if (iif !== undefined && iif !== bridgeOf(member)) return null
  if (selective.test(rule.line) && !/\bnot\b/.test(rule.line)) return null
  const [from, to] = [rule.from, rule.to].map((text) => networkOf(text.includes('/') ? text : `${text}/32`))
  if (from && !owners.some(({ cidr }) => overlaps(cidr, from))) return null
  const refuses = /\b(blackhole|unreachable|prohibit)\b/.test(rule.line)
  const table = member.view.routes
    .filter((route) => route.table === rule.table && route.type !== 'throw' && !/^flannel/.test(route.dev ?? ''))
    .map((route) => ({ route, network: networkOf(route.to) }))
  const hits = owners.flatMap(({ member: owner, cidr }) => {
    if (owner.name === member.name || (to && !overlaps(to, cidr))) return []
    if (refuses) return [{ owner, line: rule.line }]
    const hit = table.find(({ network }) => network && overlaps(network, cidr))
    const straight = hit?.route.via !== undefined && owner.api?.internalIPs.includes(hit.route.via)
    return hit && !straight ? [{ owner, line: hit.route.line }] : []
  })
  return hits[0] ? { line: hits[0].line, owners: hits.map(({ owner }) => owner) } : null
}

/** The first policy rule before the table main that leads packets of pods elsewhere. */
function ruleOf(member: Seen, ground: Ground): { rule: PolicyRule; line: string; owners: Member[] } | null {
  for (const rule of [...member.view.rules].sort((a, b) => a.priority - b.priority)) {
    // all that is left has passed the routes of the pod network
    if (rule.table === 'main' && !selective.test(rule.line) && rule.from === 'all' && rule.to === 'all') return null
    if (['local', 'main', 'default'].includes(rule.table)) continue
    const taken = takenBy(member, rule, ground)
    if (taken) return { rule, ...taken }
  }
  return null
}

/** `node peer` of all pairs that a shadow explains. */
export function shadowed(picture: Picture): ReadonlySet<string> {
  const ground = groundOf(picture)
  return new Set(
    seenOf(picture).flatMap((member) =>
      shadowOf(picture, member, ground).map(({ owner }) => `${member.name} ${owner.name}`),
    ),
  )
}

export const routeShadowed: Cause = {
  code: 'ROUTE_SHADOWED',
  because:
    'The kernel takes the most specific route, and policy rules decide in which table it looks first. Somebody added one that wins over the route of the pod network, so the packets for these pods go elsewhere or nowhere.',
  shows: 'ip route show table all; ip rule',
  fix: 'Remove the route or the rule where it was made (network configuration, VPN, a script), and now with ip route del or ip rule del.',
  needs: 'flannel',
  find(picture) {
    const ground = groundOf(picture)
    return seenOf(picture).flatMap((member): Finding[] => {
      const { name } = member
      const routes = shadowOf(picture, member, ground)
      const owners = [...new Set(routes.map(({ owner }) => owner.name))]
      const findings: Finding[] = []
      if (routes.length > 0)
        findings.push({
          where: owners.length === 1 && owners[0] !== name ? `${name} -> ${owners[0]}` : name,
          message: `on ${name} ${routes.map(({ route }) => `${route.type === 'unicast' ? 'the route' : route.type} ${route.to}`).join(', ')} takes packets for pods of ${owners.join(', ')}`,
          evidence: routes.slice(0, 4).map(({ route }) => shown(name, 'ip route', route.line)),
          breaks: owners.includes(name) ? { nodes: [name] } : { pairs: owners.map((owner) => [name, owner] as const) },
        })
      const taken = ruleOf(member, ground)
      if (taken) findings.push(ruleFinding(name, taken, ground.owners.length - 1))
      return findings
    })
  },
}

function ruleFinding(
  name: string,
  { rule, line, owners }: NonNullable<ReturnType<typeof ruleOf>>,
  peers: number,
): Finding {
  const names = owners.map((owner) => owner.name)
  return {
    where: names.length === 1 ? `${name} -> ${names[0]}` : name,
    message: `a policy rule of ${name} leads packets for pods of ${listOf(names)} past the routes of the pod network`,
    evidence: [
      shown(name, 'ip rule', rule.line),
      ...(line === rule.line ? [] : [shown(name, `ip route show table ${rule.table}`, line)]),
    ],
    breaks:
      names.length < peers || peers === 1
        ? { pairs: names.map((owner) => [name, owner] as const) }
        : { nodes: [name], acrossOnly: true },
  }
}
