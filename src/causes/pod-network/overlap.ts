import type { Breaks, Cause, Finding } from '../../model/cause.ts'
import { contains, overlaps } from '../../model/cidr.ts'
import type { Picture } from '../../model/dump.ts'
import { bridgeOf, type Member, type Seen, seenOf, shown } from './ground.ts'
import { type Ground, groundOf, isConnected, ownerOf, podLinks, strangeRoutes } from './strange-routes.ts'

function breaksOf(name: string, owner: Member | undefined): Breaks {
  if (!owner) return { nodes: [] }
  return owner.name === name ? { nodes: [name] } : { pairs: [[name, owner.name]] }
}

export const cidrOverlapHost: Cause = {
  code: 'CIDR_OVERLAP_HOST',
  because:
    'The node has a network of its own (its LAN, a bridge of Docker, a VPN) with addresses that the cluster uses for pods or Services. For each such address only one of the two can be reached.',
  shows: 'ip route',
  fix: 'Give that network of the node other addresses, or set the cluster up with another podSubnet or serviceSubnet.',
  find(picture) {
    const ground = groundOf(picture)
    return seenOf(picture).flatMap((member): Finding[] => {
      const all = overlapsOn(picture, member, ground)
      // one for a node: the first that breaks something
      const worst = all.find(({ level }) => level === undefined) ?? all[0]
      return worst ? [worst] : []
    })
  },
}

function overlapsOn(picture: Picture, member: Seen, ground: Ground): Finding[] {
  const { name } = member
  const bridge = bridgeOf(member)
  return strangeRoutes(picture, member, ground).flatMap(({ route, network }): Finding[] => {
    if (route.type !== 'unicast' || podLinks.test(route.dev ?? '') || route.dev === bridge) return []
    if (route.via && ground.nodeIps.has(route.via)) return []
    const hit = ground.subnets.find((subnet) => overlaps(subnet.network, network))
    if (!hit) return []
    const services = hit.what === 'the network of Services'
    // other pod networks may lead to pods by routers that are no nodes
    if (!services && !ground.flannel && route.via && contains(hit.network, network)) return []
    const owner = ownerOf(ground, network)
    // a route into one podCIDR that no interface brings with it is ROUTE_SHADOWED; one for all Services may be there on purpose
    if (!isConnected(route) && ((owner && ground.flannel) || (services && hit.text === route.to))) return []
    // the routes of the pod network are more specific, and win
    const wide = network.prefix < hit.network.prefix && ![...ground.nodeIps].some((ip) => contains(hit.network, ip))
    return [
      {
        where: name,
        message: `${hit.what}, ${hit.text}, overlaps ${route.to}, which ${name} reaches by ${route.dev ?? route.via}`,
        evidence: [shown(name, 'ip route', route.line)],
        ...(wide && { level: 'warning' as const }),
        breaks: services
          ? { scenarios: ['node-to-service', 'api', 'dns'], nodes: wide ? [] : [name] }
          : breaksOf(name, owner),
      },
    ]
  })
}
