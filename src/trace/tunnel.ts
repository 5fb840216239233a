import type { Code } from '../model/codes.ts'
import type { Link, NodeView } from '../model/dump.ts'
import type { Sign } from '../model/trace.ts'
import { isUp, linkOf } from './fib.ts'
import { unread } from './host.ts'
import { outerIn, outerOut } from './outer.ts'
import { dies, type End, hop, lost, type Run, type Stage, viewOf } from './run.ts'

/** Into a vxlan device: who is the next hop (neighbour), on which host is that (FDB), and there out of its device again. */
export function overVxlan(run: Run, view: NodeView, link: Link, next: string): Stage {
  const { node } = view
  const { name, vxlan } = link
  const neighbour = view.neighbours.find(({ ip, dev, mac }) => ip === next && dev === name && mac)
  const shows = `ip neigh show ${next} dev ${name}`
  const signs = [{ what: 'link' as const, name, way: 'dropped' as const }]
  if (!neighbour?.mac || neighbour.state === 'FAILED' || neighbour.state === 'INCOMPLETE')
    return dies(run, node, name, `no neighbour entry for ${next}: nobody can be asked for it over the tunnel`, {
      command: shows,
      signs,
      code: 'PEER_NEIGH_MISSING',
    })
  hop(run, node, name, `neighbour ${next} is ${neighbour.mac} (${neighbour.state.toLowerCase()})`, {
    command: shows,
  })
  const mac = neighbour.mac
  const entry =
    view.fdb.find((one) => one.dev === name && one.mac === mac && one.dst) ??
    view.fdb.find((one) => one.dev === name && one.mac === '00:00:00:00:00:00' && one.dst)
  const fdb = `bridge fdb show dev ${name} | grep ${mac}`
  if (!entry?.dst)
    return dies(run, node, 'fdb', `no entry says on which host ${mac} is`, {
      command: fdb,
      signs,
      code: 'PEER_FDB_MISSING',
    })
  const owner = run.names.hosts.get(entry.dst)
  hop(run, node, 'fdb', `${mac} is on ${entry.dst}${owner ? ` = ${owner.node}` : ', which is no node'}`, {
    command: fdb,
  })
  const port = vxlan?.port ?? 8472
  const outer = {
    node,
    destination: entry.dst,
    port,
    device: name,
    mtu: link.mtu,
    overhead: 50,
    ...(vxlan?.local && { source: vxlan.local }),
  }
  const stopped = outerOut(run, view, outer)
  if (stopped) return stopped
  const peer = arrivesAt(run, node, entry.dst)
  if (typeof peer !== 'string') return peer
  const there = viewOf(run, peer)
  if (!there) return unread(run, peer)
  const refused = outerIn(run, there, outer)
  if (refused) return refused
  return unpacked(run, view, there, link, mac, entry.dst)
}

/** Whose address the outer packet is for. */
function arrivesAt(run: Run, node: string, ip: string): string | End {
  const owner = run.names.hosts.get(ip)
  if (owner) return owner.node
  const known = run.picture.cluster?.nodes.find(({ internalIPs }) => internalIPs.includes(ip))
  if (known) return unread(run, known.name)
  return dies(run, node, 'wire', `no node has ${ip}`, { command: `ip neigh show ${ip}`, code: staleCode(run, ip) })
}

/** Is the address what flannel announces for a node that no longer has it, or only what this node believes? */
function staleCode(run: Run, ip: string): Code {
  const announced = run.picture.cluster?.nodes.some(
    ({ annotations }) => annotations['flannel.alpha.coreos.com/public-ip'] === ip,
  )
  return announced ? 'PUBLIC_IP_STALE' : 'PEER_FDB_STALE'
}

/** The peer takes the packet out of the tunnel: a device with this VNI and port, and the MAC address that the frame is for. */
function unpacked(run: Run, here: NodeView, there: NodeView, link: Link, mac: string, ip: string): Stage {
  const { node } = there
  const port = link.vxlan?.port ?? 8472
  const device = there.links.find(
    ({ kind, vxlan }) => kind === 'vxlan' && vxlan?.port === port && vxlan.id === link.vxlan?.id,
  )
  const any = there.links.find(({ kind }) => kind === 'vxlan')
  const command = `ip -d link show dev ${device?.name ?? any?.name ?? link.name}`
  const sign: Sign =
    device && isUp(device)
      ? { what: 'link', name: device.name, way: 'otherhost' }
      : { what: 'counter', name: any?.vxlan?.port === port ? 'Udp.InDatagrams' : 'Udp.NoPorts' }
  const end = (text: string, code: Code): End =>
    dies(run, node, device?.name ?? any?.name ?? link.name, text, {
      command,
      code,
      signs: [sign],
    })
  if (!any) return end(`there is no vxlan device that takes udp ${port}`, 'FLANNEL_LINK_MISSING')
  if (!device && any.vxlan?.port !== port)
    return end(`${any.name} listens on udp ${any.vxlan?.port}, not on ${port}`, 'VXLAN_PORT_MISMATCH')
  if (!device) return end(`${any.name} has the VNI ${any.vxlan?.id}, the packet ${link.vxlan?.id}`, 'VNI_MISMATCH')
  if (!isUp(device)) return end(`${device.name} is ${device.state}`, 'FLANNEL_LINK_DOWN')
  if (device.mac !== mac)
    return end(`the frame is for ${mac}, and ${device.name} here is ${device.mac}`, driftCode(run, here, node, mac, ip))
  hop(run, node, device.name, `unpacked: the frame is for ${mac}, which is ${device.name}`, {
    command,
    signs: [{ what: 'link', name: device.name, way: 'rx' }],
  })
  return { at: 'host-in', node, iif: device.name }
}

/** Whether the device changed, or the sender is behind, or asks the wrong host. */
function driftCode(run: Run, here: NodeView, node: string, mac: string, ip: string): Code {
  const data = run.picture.cluster?.nodes.find(({ name }) => name === node)?.annotations[
    'flannel.alpha.coreos.com/backend-data'
  ]
  if (data?.includes(mac)) return 'VTEP_MAC_DRIFT'
  const elsewhere = [...run.picture.nodes.values()].some(
    ({ node, links }) => node !== here.node && links.some((link) => link.kind === 'vxlan' && link.mac === mac),
  )
  return elsewhere && run.names.hosts.has(ip) ? 'PEER_FDB_STALE' : 'PEER_NEIGH_STALE'
}

/** flannel's udp backend: flanneld reads the packet from its device and sends it on, by the podCIDR, to port 8285. */
export function overUdp(run: Run, view: NodeView, link: Link): Stage {
  const { node } = view
  const { destination } = run.packet
  const { cluster } = run.picture
  const target = run.names.nodeOfPodAddress(destination)
  const command = `ip -d link show dev ${link.name}`
  const owner = cluster?.nodes.find(({ name }) => name === target)
  const ip = owner?.annotations['flannel.alpha.coreos.com/public-ip'] ?? owner?.internalIPs[0]
  if (!owner || !ip)
    return lost(run, node, link.name, `nothing says to which node flanneld sends ${destination}`, command)
  hop(run, node, link.name, `flanneld reads it and sends it to ${owner.name}`, {
    command,
    signs: [{ what: 'link', name: link.name, way: 'tx' }],
  })
  const port = cluster?.configs.flannel?.port || 8285
  const outer = { node, destination: ip, port, device: link.name, mtu: link.mtu, overhead: 28 }
  const stopped = outerOut(run, view, outer)
  if (stopped) return stopped
  const peer = arrivesAt(run, node, ip)
  if (typeof peer !== 'string') return peer
  const there = viewOf(run, peer)
  if (!there) return unread(run, peer)
  const refused = outerIn(run, there, outer)
  if (refused) return refused
  const device = linkOf(there, link.name) ?? there.links.find(({ kind }) => kind === 'tun')
  if (!device || !isUp(device))
    return dies(run, peer, link.name, device ? `${device.name} is ${device.state}` : `there is no ${link.name}`, {
      command,
      code: device ? 'FLANNEL_LINK_DOWN' : 'FLANNEL_LINK_MISSING',
    })
  hop(run, peer, device.name, 'flanneld writes it to its device', {
    command,
    signs: [{ what: 'link', name: device.name, way: 'rx' }],
  })
  return { at: 'host-in', node: peer, iif: device.name }
}
