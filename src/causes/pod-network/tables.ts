import { cidrText } from '../../model/cidr.ts'
import type { Picture, Route } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import { notAdjacent } from './adjacent.ts'
import { wrongAddress } from './announced.ts'
import { notReady, remade, tunnelBroken } from './flannel.ts'
import { addressIn, backendOf, differencesOf, type Member, membersOf, type Seen, seenOf, tunnelOf } from './ground.ts'
import { misassigned } from './networks.ts'
import { shadowed } from './shadow.ts'

/** A peer as the others should have it in their tables. */
export interface Peer {
  readonly name: string
  /** Its podCIDR, and the address of its tunnel device. */
  readonly cidr: string
  readonly vtep: string
  readonly mac?: string
  /** Where its packets of the tunnel, or with host-gw its packets, go. */
  readonly ip: string
  /** flannel announces the wrong address; that is another cause. */
  readonly doubtful: boolean
}

/** What a node has for a peer, where it is not what it should be. The nearest to the root only: no route, then no neighbour, then the FDB. */
export interface Deviation {
  readonly node: Seen
  readonly peer: Peer
  /** How many peers the node should know. */
  readonly of: number
  readonly what: 'route missing' | 'route wrong' | 'neigh missing' | 'neigh stale' | 'fdb missing' | 'fdb stale'
  /** The device, and the line that shows it; empty where there is none. */
  readonly dev: string
  readonly line: string
}

const known = new WeakMap<Picture, readonly Deviation[]>()

/** Every entry of routes, neighbours and FDBs of all nodes that is not what the announcements of the peers say. */
export function deviationsOf(picture: Picture): readonly Deviation[] {
  let all = known.get(picture)
  if (!all) {
    all = ['vxlan', 'host-gw'].includes(backendOf(picture)) ? compare(picture) : []
    known.set(picture, all)
  }
  return all
}

/** The peers that are in order themselves: what others have of them can be judged. */
export function peersOf(picture: Picture): Peer[] {
  const wrong = misassigned(picture)
  const doubtful = wrongAddress(picture)
  return membersOf(picture).flatMap((member) => {
    const { name, cidr } = member
    const { ip, mac } = announced(picture, member)
    if (!cidr || !ip || wrong.has(name)) return []
    return [
      { name, cidr: cidrText(cidr), vtep: addressIn(cidr, 0), ip, doubtful: doubtful.has(name), ...(mac && { mac }) },
    ]
  })
}

/** What flannel announced; where no API server answers, what the device of the node has. */
function announced(picture: Picture, { name, lease, view, ...rest }: Member): { ip?: string; mac?: string } {
  if (picture.cluster || !view) return lease
  const tunnel = tunnelOf(picture, { name, lease, view, ...rest })
  const ip = tunnel?.vxlan?.local
  return { ...(ip && { ip }), ...(tunnel && { mac: tunnel.mac.toLowerCase() }) }
}

function compare(picture: Picture): Deviation[] {
  const peers = peersOf(picture)
  const wrong = misassigned(picture)
  const taken = shadowed(picture)
  return seenOf(picture).flatMap((node) => {
    const { parts } = node.view.dump
    if (wrong.has(node.name) || parts.routes === undefined) return []
    if (tunnelBroken(picture, node) || notReady(picture, node)) return []
    if (differencesOf(picture, node).length > 0 && remade(picture, node)) return []
    const far = new Set(notAdjacent(picture, node).map(({ name }) => name))
    return deviationsOn(picture, node, peers).filter(
      ({ peer, what }) => !(what.startsWith('route') && (taken.has(`${node.name} ${peer.name}`) || far.has(peer.name))),
    )
  })
}

function deviationsOn(picture: Picture, node: Seen, peers: readonly Peer[]): Deviation[] {
  const { view, name } = node
  const vxlan = backendOf(picture) === 'vxlan'
  const tunnel = tunnelOf(picture, node)
  const dev = tunnel?.name ?? ''
  // The kernel drops the neighbours of a device whose MAC address changes: their lack follows from VTEP_MAC_DRIFT.
  const drifted = node.lease.mac !== undefined && tunnel !== undefined && tunnel.mac.toLowerCase() !== node.lease.mac
  // as texts they are the same: nothing has to be read
  if (vxlan && dev && differencesOf(picture, node).length === 0) return []
  const others = peers.filter((peer) => peer.name !== name)
  const routes = groupBy(
    view.routes.filter(({ table, type }) => table === 'main' && type === 'unicast'),
    ({ to }) => to,
  )
  const neighbours = new Map(view.neighbours.filter((it) => it.dev === dev).map((it) => [it.ip, it]))
  const fdb = new Map(view.fdb.filter((it) => it.dev === dev).map((it) => [it.mac.toLowerCase(), it]))
  const { parts } = view.dump
  return others.flatMap((peer): Deviation[] => {
    const say = (what: Deviation['what'], line = '', by = dev) => [
      { node, peer, of: others.length, what, dev: by, line },
    ]
    const ways = routes.get(peer.cidr) ?? []
    // the way that counts is the one with the smallest metric; the kernel lists it first
    const way = ways[0]
    if (!way) return say('route missing')
    if (isDirect(way, peer, dev)) return []
    if (!vxlan || way.dev !== dev || way.via !== peer.vtep) return say('route wrong', way.line)
    if (!peer.mac) return []
    const neighbour = neighbours.get(peer.vtep)
    if (parts.neighbours !== undefined) {
      if (!neighbour?.mac) return drifted ? [] : say('neigh missing', neighbour?.line)
      if (neighbour.mac.toLowerCase() !== peer.mac) return say('neigh stale', neighbour.line)
    }
    const entry = fdb.get(peer.mac)
    if (parts.fdb === undefined) return []
    if (!entry?.dst) return say('fdb missing', entry?.line)
    return entry.dst !== peer.ip && !peer.doubtful ? say('fdb stale', entry.line) : []
  })
}

/** Has the node an entry that says where the tunnel end of the peer is? */
export function knowsHost({ view }: Seen, peer: Peer, dev: string): boolean {
  return view.fdb.some((it) => it.dev === dev && it.mac.toLowerCase() === peer.mac && it.dst === peer.ip)
}

/** host-gw, and vxlan with DirectRouting: straight to the node of the peer. */
function isDirect(way: Route, peer: Peer, dev: string): boolean {
  return way.via === peer.ip && way.dev !== dev
}
