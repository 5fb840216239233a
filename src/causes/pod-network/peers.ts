import type { Action } from '../../model/action.ts'
import type { Cause, Finding } from '../../model/cause.ts'
import { hasFlannel, type Picture } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import { nodeEvidence, shown } from './ground.ts'
import { setHost, setNeighbour, setRoute } from './remedy.ts'
import { listOf } from './running.ts'
import { missingRoutes } from './static-routes.ts'
import { type Deviation, deviationsOf, knowsHost } from './tables.ts'

/** How one kind of deviation is told. */
interface Words {
  readonly what: Deviation['what']
  readonly command: (row: Deviation) => string
  /** What it shows where there is no line. */
  readonly nothing: (row: Deviation) => string
  /** After the name of the node, and before the name of the peer. */
  readonly says: string
  /** What makes it right on the node, where that is safe. */
  readonly mend?: (row: Deviation) => readonly Action[]
  /** What the peer has. */
  readonly truth: (row: Deviation) => { path: string; value: string }
}

/**
 * One finding for a node where it holds for all of its peers, one for a peer where it holds for several nodes, else one for the
 * pair: that is where somebody has to look.
 */
function findingsOf(picture: Picture, words: Words): Finding[] {
  const rows = deviationsOf(picture).filter(({ what }) => what === words.what)
  const byNode = [...groupBy(rows, ({ node }) => node.name)]
  const [whole, partly] = [
    byNode.filter(([, some]) => some.length > 1 && some.length === some[0]!.of),
    byNode.filter(([, some]) => some.length === 1 || some.length < some[0]!.of),
  ]
  const byPeer = groupBy(
    partly.flatMap(([, some]) => some),
    ({ peer }) => peer.name,
  )
  return [
    ...whole.map(([name, some]) => tell(name, some, words)),
    ...[...byPeer].map(([name, some]) => {
      const [first] = some
      return tell(some.length > 1 ? name : `${first!.node.name} -> ${name}`, some, words)
    }),
  ]
}

function tell(where: string, rows: readonly Deviation[], words: Words): Finding {
  const nodes = [...new Set(rows.map(({ node }) => node.name))]
  const peers = [...new Set(rows.map(({ peer }) => peer.name))]
  const shows = rows.slice(0, 3).map((row) => shown(row.node.name, words.command(row), row.line || words.nothing(row)))
  const { path, value } = words.truth(rows[0]!)
  return {
    where,
    message: `${listOf(nodes)} ${words.says} ${listOf(peers)}`,
    evidence: [...shows, nodeEvidence(rows[0]!.peer.name, path, value)],
    breaks: { pairs: rows.map(({ node, peer }) => [node.name, peer.name] as const) },
    ...remedyOf(rows, words),
  }
}

function remedyOf(rows: readonly Deviation[], { mend }: Words): Pick<Finding, 'remedy'> {
  // the entry of a peer whose announcement is wrong would be wrong too
  const safe = rows.filter(({ peer }) => !peer.doubtful)
  const remedy = [...groupBy(safe, ({ node }) => node.name)]
    .map(([node, own]) => ({ node, actions: own.flatMap((row) => mend?.(row) ?? []) }))
    .filter(({ actions }) => actions.length > 0)
  return remedy.length > 0 ? { remedy } : {}
}

const podCidr = ({ peer }: Deviation) => ({ path: 'spec.podCIDR', value: peer.cidr })
const announcedMac = ({ peer }: Deviation) => ({
  path: 'metadata.annotations["flannel.alpha.coreos.com/backend-data"]',
  value: `"VtepMAC":"${peer.mac}"`,
})
const announcedIp = ({ peer }: Deviation) => ({
  path: 'metadata.annotations["flannel.alpha.coreos.com/public-ip"]',
  value: peer.ip,
})

const host = ({ peer, dev, line }: Deviation) => setHost(peer, dev, / dst (\S+)/.exec(line)?.[1])
/** With an old MAC address the host of the new one is unknown as well. */
const mac = ({ node, peer, dev, line }: Deviation) => [
  ...setNeighbour(peer, dev, / lladdr (\S+)/.exec(line)?.[1]),
  ...(knowsHost(node, peer, dev) ? [] : setHost(peer, dev)),
]
/** Where no tunnel is, the gateway is the peer itself: it may be elsewhere by now, so that is left to flannel. */
const everything = ({ node, peer, dev }: Deviation) => {
  if (dev === '' || !peer.mac) return []
  const known = node.view.neighbours.some((it) => it.dev === dev && it.ip === peer.vtep && it.mac === peer.mac)
  return [
    ...(known ? [] : setNeighbour(peer, dev)),
    ...(knowsHost(node, peer, dev) ? [] : setHost(peer, dev)),
    setRoute(peer, dev),
  ]
}

const restart =
  'Restart flannel on the node that lacks it (delete its pod there): it writes the entries of all peers again.'

const route = {
  command: ({ peer }: Deviation) => `ip route show ${peer.cidr}`,
  nothing: () => '(nothing)',
  truth: podCidr,
}
const neighbour = {
  command: ({ peer, dev }: Deviation) => `ip neigh show ${peer.vtep} dev ${dev}`,
  nothing: () => '(nothing)',
  truth: announcedMac,
}
const fdb = {
  command: ({ peer, dev }: Deviation) => `bridge fdb show dev ${dev} | grep ${peer.mac}`,
  nothing: () => '(nothing)',
  truth: announcedIp,
}

export const peerRouteMissing: Cause = {
  code: 'PEER_ROUTE_MISSING',
  because:
    'The node has no route to the podCIDR of the other, so packets for its pods leave by the default route, where nobody knows them. Where flannel makes the routes, it does so when it hears of a node and not again when they go away.',
  shows: 'ip route',
  fix: restart,
  find: (picture) =>
    hasFlannel(picture)
      ? findingsOf(picture, { what: 'route missing', says: 'has no route to the pods of', mend: everything, ...route })
      : missingRoutes(picture),
}

export const peerRouteWrong: Cause = {
  code: 'PEER_ROUTE_WRONG',
  because:
    'The route to the podCIDR of the other node leads to another device or another gateway than flannel sets. The packets for its pods go to a host that does not have them.',
  shows: 'ip route',
  fix: 'Remove the route where it was made, then restart flannel on the node (delete its pod there).',
  needs: 'flannel',
  find: (picture) =>
    findingsOf(picture, { what: 'route wrong', says: 'has a route that leads elsewhere for the pods of', ...route }),
}

export const peerNeighMissing: Cause = {
  code: 'PEER_NEIGH_MISSING',
  because:
    'On the tunnel nobody answers ARP: flannel enters the MAC address of every peer by hand. Without the entry the node cannot put a packet for that peer together.',
  shows: 'ip neigh show dev flannel.1',
  fix: restart,
  needs: 'vxlan',
  find: (picture) =>
    findingsOf(picture, {
      what: 'neigh missing',
      says: 'has no MAC address for the tunnel end of',
      mend: mac,
      ...neighbour,
    }),
}

export const peerNeighStale: Cause = {
  code: 'PEER_NEIGH_STALE',
  because:
    'The entry holds a MAC address that the tunnel device of the peer had before, perhaps before it was started anew. The packets arrive at the peer, which drops them as not meant for it.',
  shows: 'ip neigh show dev flannel.1',
  fix: restart,
  needs: 'vxlan',
  find: (picture) =>
    findingsOf(picture, {
      what: 'neigh stale',
      says: 'has an old MAC address for the tunnel end of',
      mend: mac,
      ...neighbour,
    }),
}

export const peerFdbMissing: Cause = {
  code: 'PEER_FDB_MISSING',
  because:
    'The forwarding table of the tunnel device says on which host each MAC address is. Without an entry the device does not know where to send the packet, and drops it.',
  shows: 'bridge fdb show dev flannel.1',
  fix: restart,
  needs: 'vxlan',
  find: (picture) =>
    findingsOf(picture, {
      what: 'fdb missing',
      says: 'does not know the host of the tunnel end of',
      mend: host,
      ...fdb,
    }),
}

export const peerFdbStale: Cause = {
  code: 'PEER_FDB_STALE',
  because:
    'The forwarding table of the tunnel device names another host for the tunnel end of the peer than flannel announced. The packets go there, and nobody takes them.',
  shows: 'bridge fdb show dev flannel.1',
  fix: restart,
  needs: 'vxlan',
  find: (picture) =>
    findingsOf(picture, {
      what: 'fdb stale',
      says: 'sends to the wrong host what is for the tunnel end of',
      mend: host,
      ...fdb,
    }),
}
