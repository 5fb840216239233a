import { readFileSync } from 'node:fs'
import { pictureOf } from '../../src/dump/picture.ts'
import type { ClusterDump, ClusterView, NodeDump, Picture } from '../../src/model/dump.ts'

/** All of it may be changed. */
export type Open<T> =
  T extends ReadonlyMap<infer K, infer V> ? Map<K, V> : T extends object ? { -readonly [K in keyof T]: Open<T[K]> } : T

export type OpenDump = Open<ClusterDump>

const at = new URL('../fixtures/dumps/healthy/', import.meta.url)
const texts = new Map<string, string>()

function json<T>(file: string): T {
  const text = texts.get(file) ?? readFileSync(new URL(file, at), 'utf8')
  texts.set(file, text)
  return JSON.parse(text) as T
}

/** The dump of a real cluster that was well: flannel with vxlan, kube-proxy with iptables. A copy of its own each time. */
export function healthy(): OpenDump {
  const index = json<Omit<OpenDump, 'nodes'> & { nodes: string[] }>('cluster.json')
  return { ...index, nodes: index.nodes.map((name) => json<Open<NodeDump>>(`nodes/${name}.json`)) }
}

/** A dump after a change, understood. Throws where the change left it as it was. */
export function broken(edit: (dump: OpenDump) => void, dump = healthy()): Picture {
  const before = JSON.stringify(dump)
  edit(dump)
  if (JSON.stringify(dump) === before) throw new Error('the edit changed nothing of the dump')
  return pictureOf(dump as ClusterDump)
}

/** The text of a part. Throws where the node or the part is not there. */
export function partOf(dump: OpenDump, node: string, part: string): string {
  const text = nodeOf(dump, node).parts[part]
  if (text === undefined)
    throw new Error(`${node} has no part ${part}: ${Object.keys(nodeOf(dump, node).parts).join(' ')}`)
  return text
}

/** Replaces every occurrence. Throws where there is none. */
export function replace(dump: OpenDump, node: string, part: string, what: string | RegExp, by: string): void {
  const text = partOf(dump, node, part)
  const all = typeof what === 'string' || what.global ? what : new RegExp(what, `${what.flags}g`)
  put(dump, node, part, text, text.replaceAll(all, by))
}

/** Takes out the lines that hold `what`. Throws where none does. */
export function dropLines(dump: OpenDump, node: string, part: string, what: string | RegExp): void {
  const text = partOf(dump, node, part)
  const has = (line: string): boolean => (typeof what === 'string' ? line.includes(what) : what.test(line))
  const left = text.split('\n').filter((line) => !has(line))
  put(dump, node, part, text, left.join('\n'))
}

/** Puts a line at the beginning of a part, or before the first line that holds `before`; the part is made where there is none. */
export function addLine(dump: OpenDump, node: string, part: string, line: string, before?: string): void {
  const text = nodeOf(dump, node).parts[part] ?? ''
  const rows = text.split('\n')
  const place = before === undefined ? 0 : rows.findIndex((row) => row.includes(before))
  if (place < 0) throw new Error(`${node}: no line of ${part} holds ${before}`)
  rows.splice(place, 0, line)
  put(dump, node, part, text, rows.join('\n'))
}

/** Changes a part that is JSON: links, ports, nft, pod/INODE/links. */
// biome-ignore lint/suspicious/noExplicitAny: it is whatever the program printed
export function editJson(dump: OpenDump, node: string, part: string, edit: (json: any) => void): void {
  const text = partOf(dump, node, part)
  const value: unknown = JSON.parse(text)
  edit(value)
  put(dump, node, part, text, JSON.stringify(value), JSON.stringify(JSON.parse(text)))
}

/** Changes what `ip` says of one link: editLink(dump, 'w1', 'flannel.1', (link) => { link.mtu = 1400 }) */
// biome-ignore lint/suspicious/noExplicitAny: it is whatever the program printed
export function editLink(dump: OpenDump, node: string, name: string, edit: (link: any) => void, part = 'links'): void {
  // biome-ignore lint/suspicious/noExplicitAny: it is whatever the program printed
  editJson(dump, node, part, (links: any[]) => {
    const link = links.find(({ ifname }) => ifname === name)
    if (!link) throw new Error(`${node} has no link ${name}`)
    edit(link)
  })
}

/** A sysctl by its name with dots; undefined takes it away. */
export function setSysctl(dump: OpenDump, node: string, name: string, value: string | undefined): void {
  const text = partOf(dump, node, 'sysctls')
  const rows = text.split('\n')
  const place = rows.findIndex((row) => row.slice(0, row.indexOf(':')).replaceAll('/', '.') === name)
  if (place < 0) throw new Error(`${node} has no ${name}`)
  const key = rows[place]!.slice(0, rows[place]!.indexOf(':'))
  rows.splice(place, 1, ...(value === undefined ? [] : [`${key}:${value}`]))
  put(dump, node, 'sysctls', text, rows.join('\n'))
}

/** Changes what the API server says. */
export function editCluster(dump: OpenDump, edit: (cluster: Open<ClusterView>) => void): void {
  const before = JSON.stringify(dump.cluster)
  edit(dump.cluster as Open<ClusterView>)
  if (JSON.stringify(dump.cluster) === before) throw new Error('the edit changed nothing of the cluster')
}

export function nodeOf(dump: OpenDump, node: string): Open<NodeDump> {
  const it = dump.nodes.find((one) => one.node === node)
  if (!it) throw new Error(`there is no node ${node}`)
  return it
}

function put(dump: OpenDump, node: string, part: string, _old: string, text: string, before = _old): void {
  if (text === before) throw new Error(`the edit changed nothing of ${part} of ${node}`)
  nodeOf(dump, node).parts[part] = text
}

/** A table `inet fw` with one base chain, as nft -j lists it. */
export function addNft(
  dump: OpenDump,
  node: string,
  hook: string,
  prio: number,
  policy: string,
  ...rules: unknown[][]
): void {
  // biome-ignore lint/suspicious/noExplicitAny: it is whatever nft printed
  editJson(dump, node, 'nft', ({ nftables }: any) => {
    const at = { family: 'inet', table: 'fw' }
    nftables.push({ table: { family: 'inet', name: 'fw', handle: 900 } })
    nftables.push({ chain: { ...at, name: hook, handle: 901, type: 'filter', hook, prio, policy } })
    rules.forEach((expr, i) => {
      nftables.push({ rule: { ...at, chain: hook, handle: 902 + i, expr } })
    })
  })
}

/** Puts a rule of iptables before all that sees packets as they arrive. */
export function inMangle(dump: OpenDump, node: string, rule: string): void {
  const chain = '*mangle\n:PREROUTING ACCEPT [0:0]\n'
  replace(dump, node, 'iptables-save', chain, `${chain}[0:0] -A PREROUTING ${rule}\n`)
}
