import type { NodeView } from '../model/dump.ts'
import { isLocal, linkOf, lookup, sourceOf } from './fib.ts'
import { pass } from './filter.ts'
import type { Spot } from './match.ts'
import { type Flying, untouched } from './packet.ts'
import { dies, type End, hop, type Run } from './run.ts'

/** The packet that carries another through the network of the hosts. */
export interface Outer {
  readonly node: string
  readonly source?: string
  readonly destination: string
  readonly port: number
  /** The tunnel's device, its MTU, and what wrapping adds. */
  readonly device: string
  readonly mtu: number
  readonly overhead: number
}

function packetOf(source: string, { destination, port }: Outer): Flying {
  return { protocol: 'udp', source, sourcePort: 0, destination, port, ...untouched, state: 'new' }
}

/** The sender's side: OUTPUT, its route, POSTROUTING, and whether it fits through the device. */
export function outerOut(run: Run, view: NodeView, outer: Outer): End | undefined {
  const { node } = view
  const { destination, port } = outer
  const route = lookup(view, destination)
  const command = `ip route get ${destination}`
  if (!route || !['unicast', 'local'].includes(route.type))
    return dies(run, node, 'outer', `no route to ${destination}`, { command })
  const dev = route.dev ?? 'lo'
  const source = outer.source ?? sourceOf(view, dev, route.via ?? destination, route.src) ?? ''
  const spot: Spot = { view, packet: packetOf(source, outer), oif: dev, pick: run.pick }
  for (const hook of ['output', 'postrouting'] as const) {
    const passed = pass(hook, spot, false)
    if (passed.stopped)
      return dies(run, node, hook.toUpperCase(), `udp ${port}: ${passed.text}`, {
        command: passed.command,
        signs: passed.signs,
        code: 'TUNNEL_PORT_BLOCKED',
      })
  }
  const mtu = linkOf(view, dev)?.mtu ?? 0
  const size = outer.mtu + outer.overhead
  const fits = mtu === 0 || size <= mtu
  const text = `${source}:* -> ${destination}:${port} udp dev ${dev}, ${outer.mtu}+${outer.overhead} ${fits ? '<=' : '>'} mtu ${mtu}`
  hop(run, node, 'outer', fits ? text : `${text}: full packets are cut in two or lost, small ones pass`, {
    command: `${command}; ip link show dev ${dev}`,
    signs: [outer.device, dev].map((name) => ({ what: 'link', name, way: 'tx' })),
    ...(!fits && { outcome: 'changed' as const, code: 'MTU_UNDERLAY' as const }),
  })
  return undefined
}

/** The peer's side: PREROUTING, reverse path, INPUT. */
export function outerIn(run: Run, view: NodeView, outer: Outer): End | undefined {
  const { node } = view
  const { destination, port } = outer
  const link = view.links.find(({ addresses }) => addresses.some(({ ip }) => ip === destination))
  const iif = link?.name ?? ''
  const sender = run.picture.nodes.get(outer.node)
  const source = outer.source ?? (sender && sourceOf(sender, lookup(sender, destination)?.dev ?? '', destination)) ?? ''
  const spot: Spot = { view, packet: packetOf(source, outer), iif, pick: run.pick }
  const before = pass('prerouting', spot, false)
  const passed = before.stopped ? before : pass('input', spot, false)
  const place = before.stopped ? 'PREROUTING' : 'INPUT'
  const { command, signs } = passed
  if (passed.stopped)
    return dies(run, node, place, `udp ${port} from ${source}: ${passed.text}`, {
      command,
      signs,
      code: 'TUNNEL_PORT_BLOCKED',
    })
  const mode = Math.max(...['all', iif].map((name) => Number(view.sysctls.get(`net.ipv4.conf.${name}.rp_filter`) ?? 0)))
  const back = lookup(view, source)
  if (mode === 1 && back && back.dev !== iif && !isLocal(view, source))
    return dies(run, node, 'rp_filter', `rp_filter of ${iif} is 1, and the way back to ${source} is ${back.line}`, {
      command: `sysctl net.ipv4.conf.${iif}.rp_filter`,
      code: 'RP_FILTER',
    })
  hop(run, node, 'INPUT', `udp ${port} from ${source}: ${passed.text || 'no rules'}`, {
    command: command || `iptables-save | grep -- '-A INPUT'`,
    signs: [...signs, { what: 'link', name: iif, way: 'rx' }],
  })
  return undefined
}
