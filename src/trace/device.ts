import type { Link, NodeView, PodNet } from '../model/dump.ts'
import { atPort, refusedByPort } from './bridge.ts'
import { isUp, linkOf, within } from './fib.ts'
import { unread } from './host.ts'
import { podName } from './names.ts'
import { dies, type End, hop, lost, type Run, type Stage, viewOf } from './run.ts'
import { overUdp, overVxlan } from './tunnel.ts'

export interface Leaving {
  readonly node: string
  readonly oif: string
  readonly next: string
  readonly port?: string
}

/** The packet goes out by a device: to a pod over the bridge, into a tunnel, onto the wire, or round by lo. */
export function device(run: Run, leaving: Leaving): Stage {
  const { node, oif } = leaving
  const view = viewOf(run, node)
  if (!view) return unread(run, node)
  const link = linkOf(view, oif)
  const command = `ip -d link show dev ${oif}`
  if (!link) return dies(run, node, oif, `there is no device ${oif}`, { command })
  if (!isUp(link)) {
    const code = link.kind === 'bridge' ? 'CNI0_DOWN' : link.kind === 'vxlan' ? 'FLANNEL_LINK_DOWN' : undefined
    return dies(run, node, oif, `${oif} is ${link.state}`, { command, ...(code && { code }) })
  }
  if (oif === 'lo') return { at: 'host-in', node, iif: 'lo' }
  if (link.kind === 'bridge' && view.pods.length > 0) return overBridge(run, view, leaving)
  if (link.kind === 'vxlan') return overVxlan(run, view, link, leaving.next)
  if (link.kind === 'tun') return overUdp(run, view, link)
  const pod = link.kind === 'veth' && !link.master && podBehind(view, link)
  if (pod) return toOwnPod(run, pod, leaving)
  if (link.kind && ['wireguard', 'ipip', 'sit', 'gre', 'geneve', 'xfrm'].includes(link.kind))
    return lost(
      run,
      node,
      oif,
      `${oif} is a ${link.kind} device; what it does with packets is not in the dump`,
      command,
    )
  return overWire(run, view, link, leaving)
}

function overBridge(run: Run, view: NodeView, { node, oif, next, port }: Leaving): Stage {
  const neighbour = view.neighbours.find(({ ip, dev }) => ip === next && dev === oif)
  const found = atPort(view, next)
  const command = `ip neigh show ${next} dev ${oif}; bridge fdb show br ${oif}`
  if (!found) {
    const api = run.names.apiPods.get(next)
    const text = `nobody on ${oif} has ${next}${neighbour ? `: neighbour ${neighbour.state}` : ''}`
    if (api && api.node !== node)
      return dies(run, node, oif, `${text}; ${podName(run.names, next)} is on ${api.node}`, {
        command,
        code: 'PEER_ROUTE_WRONG',
      })
    return dies(run, node, oif, text, {
      command,
      ...(run.packet.dnat && !api && { code: 'KUBE_RULES_STALE' as const }),
    })
  }
  const refused = refusedByPort(run, view, oif, next, port)
  if (refused) return refused
  const { veth } = found
  const mac =
    found.link.mac && neighbour?.mac && found.link.mac !== neighbour.mac
      ? `; the neighbour entry says ${neighbour.mac}`
      : ''
  const text = `${next} is at ${found.link.mac || '?'}, ${veth ? `port ${veth.name}` : 'port unknown'}${mac}`
  // what is bridged from port to port does not count on the bridge itself
  const counts = port === undefined
  hop(run, node, oif, text, {
    command,
    ...(counts && { signs: [{ what: 'link' as const, name: oif, way: 'tx' as const }] }),
  })
  return { at: 'pod-in', node, pod: found.pod, port: veth?.name ?? '' }
}

/** The pod at the other end of a device, where there is no bridge between them. Hosts that are containers have veths as well. */
function podBehind({ pods }: NodeView, veth: Link): PodNet | undefined {
  return pods.find(({ links }) => links.some(({ peerIndex, kind }) => kind === 'veth' && peerIndex === veth.index))
}

function toOwnPod(run: Run, pod: PodNet, { node, oif, next }: Leaving): Stage {
  hop(run, node, oif, `leads to ${podName(run.names, next)}`, { command: `ip -d link show dev ${oif}` })
  return { at: 'pod-in', node, pod, port: oif }
}

/** Onto the network that joins the nodes, or out of the cluster. */
function overWire(run: Run, view: NodeView, link: Link, { node, oif, next }: Leaving): Stage {
  const { packet, names } = run
  const command = `ip neigh show ${next} dev ${oif}`
  const signs = [{ what: 'link' as const, name: oif, way: 'tx' as const }]
  const owner = names.hosts.get(next)
  const direct = link.addresses.some(({ ip, prefix }) => within(`${ip}/${prefix}`, next))
  if (owner && owner.node !== node) {
    if (!direct && names.isPodAddress(packet.destination))
      return dies(run, node, oif, `${next} is not on a network of ${oif}, so nobody answers to its address`, {
        command,
        signs,
        code: 'HOST_GW_NOT_ADJACENT',
      })
    hop(run, node, oif, `to ${next} = ${owner.node} ${owner.link}`, { command, signs })
    return { at: 'host-in', node: owner.node, iif: owner.link }
  }
  const unreadNode = run.picture.cluster?.nodes.find(({ internalIPs }) => internalIPs.includes(next))
  if (unreadNode && !run.picture.nodes.has(unreadNode.name)) return unread(run, unreadNode.name)
  return strays(run, view, { node, oif, next }, command) ?? { at: 'outside', node, oif }
}

/** What belongs into the cluster leaves it: by the default route, or by one that hides that of the pod network. */
function strays(run: Run, view: NodeView, { node, oif, next }: Leaving, command: string): End | undefined {
  const { packet, names } = run
  const signs = [{ what: 'link' as const, name: oif, way: 'tx' as const }]
  const told = `${packet.destination} leaves by ${oif} to ${next}, which is no node`
  if (names.isServiceAddress(packet.destination) && !packet.dnat) {
    const service = names.services.get(packet.destination)
    const what = service
      ? `no rule of ${node} translates ${service.namespace}/${service.name}`
      : 'no Service has this address'
    return dies(run, node, oif, `${told}: ${what}`, {
      command: `iptables-save -t nat | grep ${packet.destination}`,
      signs,
      ...(service && { code: 'KUBE_RULES_MISSING' as const }),
    })
  }
  if (!names.isPodAddress(packet.destination)) return undefined
  const target = names.nodeOfPodAddress(packet.destination)
  const own = view.routes.some(({ to }) => to !== '0.0.0.0/0' && within(to, packet.destination))
  return dies(run, node, oif, `${told}${target ? `; the pod is on ${target}` : ''}`, {
    command: `ip route get ${packet.destination}; ${command}`,
    signs,
    code: own ? 'ROUTE_SHADOWED' : 'PEER_ROUTE_MISSING',
  })
}
