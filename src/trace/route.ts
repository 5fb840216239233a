import type { NodeView, Route } from '../model/dump.ts'
import { dies, type End, hop, type Run } from './run.ts'

/** Writes down the route of a packet that a process sends; of the source where it was chosen now. */
export function routed(run: Run, view: NodeView, route: Route, chosen: boolean): void {
  const { packet } = run
  const command = `ip route get ${packet.destination}`
  const own = chosen ? ownSource(run, view, route) : ''
  hop(run, view.node, 'route', `${route.line}${own && `; ${own}`}`, {
    command,
    outcome: own ? 'changed' : 'ok',
    ...(own && { packet: `${packet.source} -> ${packet.destination}` }),
  })
}

function ownSource(run: Run, view: NodeView, { dev = '' }: Route): string {
  const { packet, picture } = run
  const internal = picture.cluster?.nodes.find(({ name }) => name === view.node)?.internalIPs ?? []
  if (!packet.source || internal.includes(packet.source) || packet.source === packet.destination) return ''
  return `the source is ${packet.source}, the address of ${dev}: the pod sees that instead of the node's`
}

/** No route, or one that throws packets away. */
export function wentWrong(run: Run, view: NodeView, route: Route | undefined, iif?: string): End | undefined {
  const { destination, source } = run.packet
  const command = `ip route get ${destination}${iif ? ` from ${source} iif ${iif}` : ''}`
  const toPod = run.names.isPodAddress(destination)
  if (!route) {
    const code = run.names.isServiceAddress(destination) ? 'NO_SERVICE_ROUTE' : toPod ? 'PEER_ROUTE_MISSING' : undefined
    return dies(run, view.node, 'route', `no route to ${destination}: the network is unreachable`, {
      command,
      ...(code && { code }),
    })
  }
  if (['blackhole', 'unreachable', 'prohibit'].includes(route.type))
    return dies(run, view.node, 'route', route.line, { command, ...(toPod && { code: 'ROUTE_SHADOWED' as const }) })
  return undefined
}
