import type { Finding } from '../../model/cause.ts'
import { cidrText, contains, networkOf } from '../../model/cidr.ts'
import type { Picture, Route } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import { type Member, nodeEvidence, type Seen, seenOf, shown } from './ground.ts'
import { listOf } from './running.ts'

/**
 * The routes of a pod network that is not flannel's but leads each podCIDR to the address of its node, as static routes and
 * kindnet do. That it is so shows in the routes themselves: what another node has is missing here, and nothing stands in for it.
 */
export function missingRoutes(picture: Picture): Finding[] {
  const all = seenOf(picture)
  const leading = new Map(all.map((member) => [member.name, leadingOf(member, all)]))
  const rows = all.flatMap((node) =>
    all.flatMap((peer) => {
      if (node === peer || !peer.cidr || leading.get(node.name)?.has(peer.name) || isCovered(node, peer)) return []
      const others = all.filter(({ name }) => name !== node.name && leading.get(name)?.has(peer.name))
      // of two nodes there is no other that could have it: the way back tells
      const known = others.length > 0 || (all.length === 2 && leading.get(peer.name)?.has(node.name))
      return known ? [{ node, peer, cidr: cidrText(peer.cidr) }] : []
    }),
  )
  return [...groupBy(rows, ({ node }) => node.name)].map(([name, missing]): Finding => {
    const [first] = missing
    const { peer, cidr } = first!
    const ip = peer.api?.internalIPs.find((it) => !it.includes(':')) ?? 'its address'
    return {
      where: missing.length === 1 ? `${name} -> ${peer.name}` : name,
      message: `${name} has no route to the pods of ${listOf(missing.map((row) => row.peer.name))}`,
      evidence: [
        ...missing.slice(0, 3).map((row) => shown(name, `ip route show ${row.cidr}`, '(nothing)')),
        nodeEvidence(peer.name, 'spec.podCIDR', cidr),
      ],
      breaks: { pairs: missing.map((row) => [name, row.peer.name] as const) },
      fix: `Add it on ${name} (ip route add ${cidr} via ${ip}), and see why what made the routes of the other nodes did not make this one.`,
    }
  })
}

/** The peers to whose podCIDR a node has a route of its own by their address. */
function leadingOf({ view }: Seen, all: readonly Seen[]): ReadonlySet<string> {
  const via = new Map(view.routes.filter(isWay).map((route) => [route.to, route.via]))
  const led = all.filter(({ cidr, api }) => {
    const gateway = cidr && via.get(cidrText(cidr))
    return gateway !== undefined && api?.internalIPs.includes(gateway)
  })
  return new Set(led.map(({ name }) => name))
}

/** Does any route but the default one lead to the pods of a peer? */
function isCovered({ view }: Seen, { cidr }: Member): boolean {
  return view.routes.filter(isWay).some(({ to }) => {
    const network = networkOf(to)
    return network !== null && network.prefix > 0 && cidr !== undefined && contains(network, cidr)
  })
}

const isWay = ({ type, table }: Route): boolean => type === 'unicast' && table !== 'local'
