import type { Link, NodeView, PodNet } from '../model/dump.ts'
import { asksRules } from './bridge.ts'
import { confirm, enter } from './conntrack.ts'
import { isLocal, isUp, linkOf, lookup, sourceOf } from './fib.ts'
import { asked, unread } from './host.ts'
import { podName } from './names.ts'
import { dies, type End, hop, type Run, type Stage, viewOf } from './run.ts'

/** A process in the pod sends the packet: route in the pod, its link, the host's end of it, the bridge. */
export function podOut(run: Run, { node, pod }: { node: string; pod: PodNet }): Stage {
  const view = viewOf(run, node)
  if (!view) return unread(run, node)
  const { packet } = run
  const route = lookup(pod, packet.destination)
  const shows = `nsenter -t ${pod.pid} -n ip route get ${packet.destination}`
  if (!route) {
    const link = pod.links.find(({ type }) => type !== 'loopback')
    const down = !link || !isUp(link) || link.addresses.length === 0
    return dies(
      run,
      node,
      'pod route',
      `the pod has no route to ${packet.destination}${down ? ': its interface is missing, down or without an address' : ''}`,
      {
        command: shows,
        code: down ? 'POD_LINK_DOWN' : 'POD_ROUTE_MISSING',
      },
    )
  }
  const dev = route.dev ?? 'eth0'
  if (!packet.source) packet.source = sourceOf(pod, dev, route.via ?? packet.destination, route.src) ?? ''
  if (isLocal(pod, packet.destination)) {
    hop(run, node, 'pod lo', `${packet.destination} is the pod's own address`, { command: shows })
    return { at: 'pod', node, pod }
  }
  const link = linkOf(pod, dev)
  if (!link || !isUp(link))
    return dies(run, node, `pod ${dev}`, link ? `${dev} is ${link.state}` : `there is no ${dev}`, {
      command: `nsenter -t ${pod.pid} -n ip addr show dev ${dev}`,
      code: 'POD_LINK_DOWN',
    })
  const address = link.addresses.find(({ family }) => family === 4)
  const next = route.via ?? packet.destination
  hop(
    run,
    node,
    `pod ${dev}`,
    `${address ? `${address.ip}/${address.prefix}` : 'no address'} mtu ${link.mtu}, ${route.via ? `via ${route.via}` : 'on the same bridge'}`,
    { command: shows },
  )
  const veth = view.links.find(({ index, kind }) => kind === 'veth' && index === link.peerIndex)
  return veth
    ? overVeth(run, view, veth, next)
    : detached(
        run,
        node,
        'veth',
        `the host's end of ${dev} (index ${link.peerIndex ?? '?'}) is missing`,
        'bridge -d link show',
      )
}

function overVeth(run: Run, view: NodeView, veth: Link, next: string): Stage {
  const { node } = view
  const command = `bridge -d link show dev ${veth.name}`
  const signs = [{ what: 'link' as const, name: veth.name, way: 'rx' as const }]
  if (!isUp(veth)) return detached(run, node, veth.name, `${veth.name} is ${veth.state}`, command)
  if (!veth.master) {
    const owned = view.routes.some(({ dev }) => dev === veth.name)
    if (!owned) return detached(run, node, veth.name, `${veth.name} is no port of a bridge`, command)
    hop(run, node, veth.name, 'routed, without a bridge', { command, signs })
    return { at: 'host-in', node, iif: veth.name }
  }
  const state = veth.port?.state
  if (state && state !== 'forwarding')
    return detached(run, node, veth.name, `as a port of ${veth.master} it is ${state}`, command)
  hop(run, node, veth.name, `port of ${veth.master}, ${state ?? 'up'}, hairpin ${veth.port?.hairpin ? 'on' : 'off'}`, {
    command,
    signs,
  })
  return overBridge(run, view, veth, next)
}

/** The bridge hands the frame to the host where it is for the host's address, else to another port. */
function overBridge(run: Run, view: NodeView, veth: Link, next: string): Stage {
  const { node } = view
  const name = veth.master!
  const bridge = linkOf(view, name)
  const command = `ip addr show dev ${name}`
  if (!bridge) return dies(run, node, name, `there is no ${name}`, { command, code: 'CNI0_MISSING' })
  if (!isUp(bridge)) return dies(run, node, name, `${name} is ${bridge.state}`, { command, code: 'CNI0_DOWN' })
  const address = bridge.addresses.find(({ family }) => family === 4)
  const shown = `${address ? `${address.ip}/${address.prefix}` : 'without an address'} mtu ${bridge.mtu}`
  const signs = [{ what: 'link' as const, name, way: 'rx' as const }]
  if (isLocal(view, next)) {
    hop(run, node, name, shown, { command, signs })
    return { at: 'host-in', node, iif: name, port: veth.name }
  }
  const neighbour = view.pods.find(({ links }) =>
    links.some(({ addresses }) => addresses.some(({ ip }) => ip === next)),
  )
  if (!neighbour) {
    const gateway = next !== run.packet.destination
    return dies(
      run,
      node,
      name,
      `${shown}; nobody on ${name} has ${next}${gateway ? ', the gateway of the pod' : ''}`,
      {
        command,
        ...(gateway && { code: 'CNI0_ADDRESS_WRONG' as const }),
      },
    )
  }
  return bridged(run, view, name, shown, next, veth.name)
}

/** From port to port; the rules of the host are asked only where bridge-nf-call-iptables says so. */
function bridged(run: Run, view: NodeView, name: string, shown: string, next: string, port: string): Stage {
  const { node } = view
  const on = asksRules(view)
  const said = on
    ? 'bridge-nf-call-iptables is 1: the rules are asked'
    : 'bridge-nf-call-iptables is off: no rule sees it'
  hop(run, node, name, `${shown}; bridged; ${said}`, { command: 'sysctl net.bridge.bridge-nf-call-iptables' })
  if (on) {
    const entered = enter(run, node)
    const fresh = entered.is === 'new'
    const stopped =
      asked(run, view, 'prerouting', { iif: name }, entered, fresh) ??
      asked(run, view, 'forward', { iif: name, oif: name }, entered, false) ??
      asked(run, view, 'postrouting', { oif: name, next }, entered, fresh)
    if (stopped) return stopped
    if (fresh) confirm(run.packet, entered.connection)
  }
  return { at: 'device', node, oif: name, next, port }
}

const detached = (run: Run, node: string, place: string, text: string, command: string): End =>
  dies(run, node, place, text, { command, code: 'VETH_DETACHED' })

/** The packet reaches the pod by a port of the bridge. */
export function podIn(run: Run, { node, pod, port }: { node: string; pod: PodNet; port: string }): Stage {
  const view = viewOf(run, node)
  const { packet } = run
  const veth = view && linkOf(view, port)
  const shows = `bridge -d link show dev ${port}`
  if (veth) {
    if (!isUp(veth)) return detached(run, node, port, `${port} is ${veth.state}`, shows)
    if (veth.port?.state && veth.port.state !== 'forwarding')
      return detached(run, node, port, `as a port it is ${veth.port.state}`, shows)
    hop(run, node, port, veth.master ? `port of ${veth.master}` : 'up', {
      command: shows,
      signs: [{ what: 'link', name: port, way: 'tx' }],
    })
  }
  const link = pod.links.find(({ addresses }) => addresses.some(({ ip }) => ip === packet.destination))
  const name = link?.name ?? 'eth0'
  const command = `nsenter -t ${pod.pid} -n ip addr show dev ${name}`
  if (!link)
    return dies(run, node, `pod ${name}`, `the pod does not have ${packet.destination}`, {
      command,
      code: 'POD_LINK_DOWN',
    })
  if (!isUp(link)) return dies(run, node, `pod ${name}`, `${name} is ${link.state}`, { command, code: 'POD_LINK_DOWN' })
  hop(run, node, `pod ${name}`, `${podName(run.names, packet.destination)} has ${packet.destination}`, { command })
  return { at: 'pod', node, pod }
}
