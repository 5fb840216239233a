import type { NodeView, Picture } from './dump.ts'

/**
 * What flannel's nodes tell each other of their tunnels (vxlan), and where a node's own tables say something else. The tables of
 * N nodes have N times N lines: a table that is as it should be is one comparison of texts, and only another one is read.
 */

/** What a node announces of itself by its annotations. */
export interface Peer {
  readonly node: string
  readonly publicIP: string
  /** The MAC of its tunnel device. */
  readonly vtepMac: string
  readonly podCIDR: string
  /** The address of its tunnel device: the first one of its podCIDR. */
  readonly vtepIP: string
}

/** Something of the tables of `node` that is not as its peers announce it. */
export interface Deviation {
  readonly node: string
  /** Whose entry it would be; absent where it belongs to no node: what an older peer left. */
  readonly peer?: Peer
  readonly table: 'neighbours' | 'fdb' | 'routes'
  /** The line that should be there. */
  readonly expected?: string
  /** The lines that are there instead, for the same address, MAC or podCIDR; none where it is missing. */
  readonly found: readonly string[]
}

const announced = new WeakMap<Picture, readonly Peer[]>()

/** What the nodes announce, in the order of the cluster; nodes that announce no vxlan tunnel for IPv4 are left out. */
export function peersOf(picture: Picture): readonly Peer[] {
  const before = announced.get(picture)
  if (before) return before
  const peers = (picture.cluster?.nodes ?? []).flatMap(({ name, podCIDRs, annotations }) => {
    const publicIP = annotations['flannel.alpha.coreos.com/public-ip']
    const vtepMac = /"VtepMAC":"([^"]+)"/.exec(annotations['flannel.alpha.coreos.com/backend-data'] ?? '')?.[1]
    const podCIDR = podCIDRs.find((cidr) => !cidr.includes(':'))
    if (!publicIP || !vtepMac || !podCIDR) return []
    return [{ node: name, publicIP, vtepMac, podCIDR, vtepIP: podCIDR.slice(0, podCIDR.indexOf('/')) }]
  })
  announced.set(picture, peers)
  return peers
}

/** The lines of a text that concern a device: those with ` dev DEVICE `. */
export function linesOf(text: string | undefined, device: string): string[] {
  return (text ?? '').split('\n').filter((line) => `${line} `.includes(` dev ${device} `))
}

type Table = Deviation['table']
const tables: readonly Table[] = ['neighbours', 'fdb', 'routes']

/** The line that a node has of a peer. */
const lineOf: Record<Table, (peer: Peer, device: string) => string> = {
  neighbours: ({ vtepIP, vtepMac }, device) => `${vtepIP} dev ${device} lladdr ${vtepMac} PERMANENT`,
  fdb: ({ vtepMac, publicIP }, device) => `${vtepMac} dev ${device} dst ${publicIP} self permanent`,
  routes: ({ podCIDR, vtepIP }, device) => `${podCIDR} via ${vtepIP} dev ${device} onlink`,
}

/** By what an entry is found: the first word of its line. */
const keyOf: Record<Table, (peer: Peer) => string> = {
  neighbours: ({ vtepIP }) => vtepIP,
  fdb: ({ vtepMac }) => vtepMac,
  routes: ({ podCIDR }) => podCIDR,
}

/** The lines that a node outside of the cluster would have of all its nodes, as one text, and where each peer's line begins. */
interface Whole {
  readonly text: string
  readonly at: ReadonlyMap<string, number>
}

const wholes = new WeakMap<Picture, Map<string, Whole>>()

function wholeOf(picture: Picture, table: Table, device: string): Whole {
  const all = wholes.get(picture) ?? new Map<string, Whole>()
  wholes.set(picture, all)
  const key = `${table} ${device}`
  const before = all.get(key)
  if (before) return before
  const rows = peersOf(picture).map((peer) => ({ peer, line: `${lineOf[table](peer, device)}\n` }))
  // neighbours and FDB lie in the dump by their first word; routes as the kernel gives them, by number
  if (table === 'routes') rows.sort((a, b) => numberOf(a.peer.vtepIP) - numberOf(b.peer.vtepIP))
  else rows.sort((a, b) => (keyOf[table](a.peer) < keyOf[table](b.peer) ? -1 : 1))
  const at = new Map<string, number>()
  let text = ''
  for (const { peer, line } of rows) {
    at.set(peer.node, text.length)
    text += line
  }
  const whole = { text: flat(text), at }
  all.set(key, whole)
  return whole
}

const numberOf = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

/** The same text in one piece: one that was put together is a tree, and slow to compare. */
const flat = (text: string): string => text.split('').join('')

/**
 * Where the tables of a node say something else of its peers than these announce, for a vxlan device such as flannel.1. Tables
 * that could not be read have no deviations.
 */
export function deviationsOf(picture: Picture, view: NodeView, device: string): Deviation[] {
  return tables.flatMap((table) => {
    const text = view.dump.parts[table]
    if (text === undefined || asAnnounced(picture, view.node, table, device, text)) return []
    return deviationsIn(picture, view.node, table, device, text)
  })
}

/** Does the table hold exactly the lines of all other nodes? */
function asAnnounced(picture: Picture, node: string, table: Table, device: string, text: string): boolean {
  const whole = wholeOf(picture, table, device)
  const at = whole.at.get(node) ?? whole.text.length
  const end = at < whole.text.length ? whole.text.indexOf('\n', at) + 1 : at
  const before = whole.text.slice(0, at)
  const after = whole.text.slice(end)
  if (table === 'routes') {
    // the node's own network stands between the two
    const lines = whole.at.size - (end > at ? 1 : 0)
    return has(text, before) && has(text, after) && count(text, ` dev ${device} onlink\n`) === lines
  }
  const from = text.indexOf(` dev ${device} `)
  const start = from < 0 ? 0 : text.lastIndexOf('\n', from) + 1
  const stop = from < 0 ? 0 : endOfLine(text, text.lastIndexOf(` dev ${device} `))
  return (
    stop - start === before.length + after.length &&
    text.slice(start, start + before.length) === before &&
    text.slice(start + before.length, stop) === after
  )
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end + 1
}

function has(text: string, lines: string): boolean {
  return lines === '' || text.startsWith(lines) || text.includes(`\n${lines}`)
}

function count(text: string, what: string): number {
  let n = 0
  for (let at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + what.length)) n += 1
  return n
}

function deviationsIn(picture: Picture, node: string, table: Table, device: string, text: string): Deviation[] {
  const found = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const key = line.slice(0, line.indexOf(' '))
    // a route of another device to a peer's network is of interest, a neighbour elsewhere is none of the tunnel's
    if (table !== 'routes' && !`${line} `.includes(` dev ${device} `)) continue
    found.set(key, [...(found.get(key) ?? []), line])
  }
  const peers = peersOf(picture).filter((peer) => peer.node !== node)
  const wrong = peers.flatMap((peer): Deviation[] => {
    const expected = lineOf[table](peer, device)
    const lines = found.get(keyOf[table](peer)) ?? []
    found.delete(keyOf[table](peer))
    return lines.length === 1 && lines[0] === expected ? [] : [{ node, peer, table, expected, found: lines }]
  })
  const own = new Set(peersOf(picture).flatMap((peer) => (peer.node === node ? [keyOf[table](peer)] : [])))
  const left = [...found].filter(
    ([key, lines]) =>
      !own.has(key) && lines.some((line) => line.endsWith(` dev ${device} onlink`) || table !== 'routes'),
  )
  return [...wrong, ...left.map(([, lines]) => ({ node, table, found: lines }))]
}
