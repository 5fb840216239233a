import type { Breaks, Cause, Finding } from '../../model/cause.ts'
import { cidrOf, contains } from '../../model/cidr.ts'
import type { NodeView, Picture } from '../../model/dump.ts'
import type { Passing } from '../../model/passing.ts'
import { placeText, shownAt, some, spotsOf, waysOf } from '../host/tools.ts'
import { natAt, type Place } from '../host/walk.ts'
import { rulesByNode } from './endpoints.ts'
import type { Branch } from './rules.ts'
import { wantedOf } from './wanted.ts'
import { type Way, waysTo } from './ways.ts'

export const trafficPolicyBroken: Cause = {
  code: 'TRAFFIC_POLICY_BROKEN',
  because:
    'With a traffic policy Local a node leads only to its own endpoints, and with externalTrafficPolicy Local these see who asks; a node without one stays silent, and that is no fault. Here rules lead to other nodes, or put the address of the node in place of that of the client.',
  shows: 'iptables-save -t nat | grep -E "KUBE-(EXT|SVL)-|MASQUERADE"; nft list table ip kube-proxy',
  fix: 'Restart kube-proxy on that node (kubectl -n kube-system delete pod): it writes its rules anew. Remove the rule that translates the source where it is not one of kube-proxy.',
  find: (picture) =>
    [...picture.nodes.values()].flatMap((node) => {
      const ways = localWays(picture, node)
      return [leadsAway(node, ways), hidesClients(picture, node, ways)].flatMap((finding) => finding ?? [])
    }),
}

/** One thing that the rules of a Local way do. */
interface Ruled {
  readonly way: Way
  readonly branch: Branch
  /** The node of the endpoint, as the API server has it. */
  readonly on: string | undefined
}

function localWays(picture: Picture, { node }: NodeView): Ruled[] {
  const rules = rulesByNode(picture).get(node)
  if (!rules) return []
  return wantedOf(picture)
    .flatMap((wanted) => waysTo(wanted, rules))
    .filter(({ local }) => local)
    .flatMap((way) =>
      (way.rules?.branches ?? []).map((branch) => ({
        way,
        branch,
        on: way.wanted.endpoints.find(({ to }) => to === branch.to)?.node,
      })),
    )
}

function leadsAway({ node }: NodeView, ruled: readonly Ruled[]): Finding | null {
  const away = ruled.filter(({ on }) => on !== undefined && on !== node)
  const first = away[0]
  if (!first) return null
  const ways = [...new Set(away.map(({ way }) => way))]
  return {
    where: node,
    message: `${node} leads ${namesOf(ways)} to ${first.branch.to} of ${first.on}, although the traffic policy is Local`,
    evidence: away.slice(0, 3).map(({ branch }) => shownAt(branch.by)),
    breaks: breaksOf(node, ways),
  }
}

function hidesClients(picture: Picture, node: NodeView, ruled: readonly Ruled[]): Finding | null {
  const hidden = ruled
    .filter(({ way, on }) => way.outside && on === node.node)
    .flatMap(({ way, branch }) => {
      const by = way.rules?.marks ?? translated(picture, node, way, branch)
      return by ? [{ way, by }] : []
    })
  const first = hidden[0]
  if (!first) return null
  const ways = [...new Set(hidden.map(({ way }) => way))]
  return {
    where: node.node,
    message: `${node.node} hides the client of ${namesOf(ways)} from its endpoints: ${placeText(first.by)} does`,
    evidence: [shownAt(first.by)],
    breaks: breaksOf(node.node, ways),
  }
}

/** What translates the source of a client outside of the cluster on its way to a pod of this node, though nothing marked it. */
function translated(picture: Picture, node: NodeView, way: Way, { to = '' }: Branch): Place | undefined {
  const ways = waysOf(picture, node)
  const own = spotsOf(picture).get(node.node)?.podCidr
  const pods = cidrOf(own ?? '')
  const [ip = '', port] = to.split(':')
  const protocol = way.wanted.port.protocol
  if (!ways?.known || !pods || !contains(pods, ip) || (protocol !== 'tcp' && protocol !== 'udp')) return undefined
  const peers = [...spotsOf(picture).values()].flatMap((spot) => (spot.name !== node.node && spot.ip) || [])
  const packet: Passing = {
    ...{ protocol, sport: 50123, dport: Number(port), daddr: ip, mark: 0, ctmark: 0, ctstate: ['new', 'dnat'] },
    ...{ types: { saddr: 'unicast', daddr: 'unicast' }, iif: ways.outer, oif: ways.bridge },
  }
  return [...peers.slice(0, 1), '198.51.100.1']
    .map((saddr) => natAt(node.netfilter, 'postrouting', { ...packet, saddr }))
    .find((taken) => taken !== null)?.by
}

const namesOf = (ways: readonly Way[]): string => some(ways.map(({ name }) => name))

function breaksOf(node: string, ways: readonly Way[]): Breaks {
  const outside = ways.some((way) => way.outside)
  const inside = ways.some((way) => !way.outside)
  return {
    scenarios: [
      ...(outside ? (['traffic-policy', 'ingress'] as const) : []),
      ...(inside ? (['hairpin'] as const) : []),
    ],
    nodes: [node],
  }
}
