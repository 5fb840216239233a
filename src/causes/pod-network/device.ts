import type { Action } from '../../model/action.ts'
import type { Cause } from '../../model/cause.ts'
import type { Picture } from '../../model/dump.ts'
import { each, envStale, notReady } from './flannel.ts'
import { addressIn, addressLine, backendOf, isUp, linkLine, type Seen, shown, tunnelName, tunnelOf } from './ground.ts'
import { setHost, setNeighbour, setRoute, setUp } from './remedy.ts'
import { knowsHost, peersOf } from './tables.ts'

export const flannelLinkMissing: Cause = {
  code: 'FLANNEL_LINK_MISSING',
  because:
    'All packets between pods of different nodes pass through the tunnel device that flannel makes when it starts. Without it there is neither a way out nor in.',
  shows: 'ip -d link show flannel.1',
  fix: 'Restart flannel on the node: delete its pod there.',
  needs: 'flannel',
  find: (picture) =>
    each(picture, (member) => {
      const { name, view, lease } = member
      const wanted = tunnelName(picture, lease)
      if (!wanted || view.links.length === 0 || tunnelOf(picture, member) || notReady(picture, member)?.never)
        return null
      return {
        where: name,
        message: `${name} has no tunnel device ${wanted}`,
        evidence: [shown(name, `ip link show ${wanted}`, `Device "${wanted}" does not exist.`)],
        breaks: { nodes: [name], acrossOnly: true },
      }
    }),
}

export const flannelLinkDown: Cause = {
  code: 'FLANNEL_LINK_DOWN',
  because:
    'A tunnel device that is down neither sends nor receives, and the kernel removes its routes and neighbours with it. flannel does not notice, and does not put them back when the device comes up again.',
  shows: 'ip link show flannel.1',
  fix: 'ip link set flannel.1 up, then restart flannel on the node (delete its pod there), so that the routes come back.',
  needs: 'flannel',
  find: (picture) =>
    each(picture, (member) => {
      const tunnel = tunnelOf(picture, member)
      if (!tunnel || isUp(tunnel)) return null
      return {
        where: member.name,
        message: `the tunnel device ${tunnel.name} of ${member.name} is down`,
        evidence: [shown(member.name, `ip link show ${tunnel.name}`, linkLine(tunnel))],
        breaks: { nodes: [member.name], acrossOnly: true },
        fix: `ip link set ${tunnel.name} up on ${member.name}, then restart flannel there (delete its pod), so that the routes come back.`,
        ...(backendOf(picture) === 'vxlan' && { remedy: [{ node: member.name, actions: upAgain(picture, member) }] }),
      }
    }),
}

/** The device up, and what the kernel took away with it. */
function upAgain(picture: Picture, member: Seen): Action[] {
  const tunnel = tunnelOf(picture, member)!
  const peers = peersOf(picture).filter(({ name, doubtful }) => name !== member.name && !doubtful)
  const entries = peers.flatMap((peer) => [
    ...setNeighbour(peer, tunnel.name),
    ...(knowsHost(member, peer, tunnel.name) ? [] : setHost(peer, tunnel.name)),
    setRoute(peer, tunnel.name),
  ])
  return [setUp(tunnel), ...entries]
}

/** Checks whose packets have the address of the tunnel device as their source. */
const fromNodes = [
  'node-to-pod',
  'node-to-service',
  'outside-to-service',
  'traffic-policy',
  'host-port',
  'pod-to-node',
  'api',
  'kubelet',
] as const

export const flannelAddressWrong: Cause = {
  code: 'FLANNEL_ADDRESS_WRONG',
  because:
    'What a node itself sends to pods of other nodes has the address of its tunnel device as source, and the answers go to the node whose podCIDR holds it. With another address they go elsewhere; with none the kernel has removed the routes as well.',
  shows: 'ip addr show flannel.1',
  fix: 'Restart flannel on the node: delete its pod there. If the address stays, ip link del flannel.1 first.',
  needs: 'vxlan',
  find: (picture) =>
    each(picture, (member) => {
      const { name, cidr } = member
      const tunnel = tunnelOf(picture, member)
      if (!tunnel || !cidr || !isUp(tunnel) || envStale(member) || backendOf(picture) !== 'vxlan') return null
      const own = tunnel.addresses.filter(({ family }) => family === 4)
      if (own.some(({ ip }) => ip === addressIn(cidr, 0))) return null
      return {
        where: name,
        message: `${tunnel.name} of ${name} has ${own.map(({ ip }) => ip).join(', ') || 'no IPv4 address'}, it should have ${addressIn(cidr, 0)}`,
        evidence: [shown(name, `ip addr show ${tunnel.name}`, addressLine(tunnel))],
        breaks: { nodes: [name], acrossOnly: true, ...(own.length > 0 && { scenarios: fromNodes }) },
      }
    }),
}
