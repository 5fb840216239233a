import type { Cause } from '../../model/cause.ts'
import { cidrOf, contains, nth, parseCidr } from '../../model/cidr.ts'
import type { NodeView, Route } from '../../model/dump.ts'
import { isV4, ofDevice, onNodes, overPodNetwork, serviceSubnetOf, shown, some, spotsOf, waysOf } from './tools.ts'

export const noServiceRoute: Cause = {
  code: 'NO_SERVICE_ROUTE',
  because:
    'A process of the node looks for a route before netfilter turns a Service\'s address into that of a pod. Without a route for it, connect() fails with "Network is unreachable".',
  shows: 'ip route get 10.96.0.1',
  fix: 'Give the node a default route, or one for serviceSubnet: ip route add SERVICE-SUBNET dev INTERFACE.',
  find: (picture) => {
    const subnet = serviceSubnetOf(picture)
    const service = picture.cluster?.services.find(
      ({ namespace, name }) => namespace === 'default' && name === 'kubernetes',
    )
    const ip = service?.clusterIPs.find(isV4) ?? (subnet && nth(parseCidr(subnet)!, 1))
    if (!ip) return []
    return onNodes(picture, (node) => {
      if (hasDefault(node) || node.routes.length === 0) return null
      const route = routeTo(node, ip)
      if (route?.type === 'unicast' || route?.type === 'local') return null
      return {
        where: node.node,
        message: `${node.node} has no route for ${ip}, the address of the API server's Service`,
        evidence: [shown(`ip route get ${ip}`, route ? route.line : 'RTNETLINK answers: Network is unreachable')],
        breaks: { scenarios: ['node-to-service'], nodes: [node.node] },
        ...(subnet && { fix: `Give ${node.node} a default route, or one for ${subnet}.` }),
      }
    })
  },
}

export const rpFilter: Cause = {
  code: 'RP_FILTER',
  because:
    'rp_filter is strict (1, the larger of conf/all and conf/INTERFACE): the kernel drops what comes in by another interface than the one that it would answer by. Packets of a peer that come in by one network card and would be answered by another end here.',
  shows: 'nstat -az TcpExtIPReversePathFilter',
  fix: 'Mend the route, so that answers leave by the interface that requests come in by; or sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const ways = waysOf(picture, node)
      if (!ways || usesMoreTables(node)) return null
      const effective = Math.max(
        Number(ofDevice(node, 'all', 'rp_filter')),
        Number(ofDevice(node, ways.outer, 'rp_filter')),
      )
      if (effective !== 1) return null
      const counter = node.counters.get('TcpExt.IPReversePathFilter')
      const bad = [...spotsOf(picture).values()].flatMap(({ name, ip }) => {
        const route = name === node.node || !ip ? undefined : routeTo(node, ip)
        if (!route?.dev || route.type !== 'unicast' || route.dev === ways.outer) return []
        // two cards in one network: which one the packets come in by is not certain
        const both = node.routes.some(({ dev, to, table }) => dev === ways.outer && to === route.to && table === 'main')
        return both && !counter ? [] : [{ name, route }]
      })
      if (bad.length === 0) return null
      const first = bad[0]!.route
      return {
        where: node.node,
        message: `${node.node} drops what comes from ${some(bad.map(({ name }) => name))} by ${ways.outer}: it would answer by ${first.dev}, and rp_filter is strict`,
        evidence: [
          shown(
            `sysctl net.ipv4.conf.all.rp_filter`,
            `net.ipv4.conf.all.rp_filter = ${ofDevice(node, 'all', 'rp_filter')}`,
          ),
          shown(
            `sysctl net.ipv4.conf.${ways.outer.replaceAll('.', '/')}.rp_filter`,
            `net.ipv4.conf.${ways.outer}.rp_filter = ${ofDevice(node, ways.outer, 'rp_filter')}`,
          ),
          shown('ip route show', first.line),
          ...(counter ? [shown('nstat -az TcpExtIPReversePathFilter', `TcpExtIPReversePathFilter ${counter}`)] : []),
        ],
        breaks: {
          scenarios: [...overPodNetwork, 'api', 'kubelet', 'pod-to-node'],
          pairs: bad.map(({ name }) => [node.node, name] as const),
          acrossOnly: true,
        },
      }
    }),
}

/** A plain default route, and none that forbids something: seen in the text, since a large cluster has millions of routes. */
function hasDefault({ dump }: NodeView): boolean {
  const text = dump.parts.routes ?? ''
  return /^default (via \d+\.|dev (?!.* pref ))/m.test(text) && !/^(unreachable|blackhole|prohibit|throw) /m.test(text)
}

/** The route by which the kernel sends to an address, where only the usual tables are asked. */
function routeTo({ routes }: NodeView, ip: string): Route | undefined {
  const address = cidrOf(ip)
  let best: { route: Route; prefix: number } | undefined
  for (const route of routes) {
    // Other tables are asked only where a policy rule says so; ROUTE_SHADOWED looks at those.
    if (!['main', 'local', 'default'].includes(route.table)) continue
    const cidr = cidrOf(route.to)
    if (!cidr || !address || !contains(cidr, address) || route.type === 'broadcast') continue
    const better =
      !best || cidr.prefix > best.prefix || (cidr.prefix === best.prefix && route.metric < best.route.metric)
    if (better) best = { route, prefix: cidr.prefix }
  }
  return best?.route
}

function usesMoreTables({ rules }: NodeView): boolean {
  return rules.some(({ table }) => !['local', 'main', 'default'].includes(table))
}
