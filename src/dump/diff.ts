import type { ClusterDump, Link, NetView, NodeView, Picture } from '../model/dump.ts'
import { isProbe, probeNamespace } from '../model/probes.ts'
import { clusterFacts, type Facts } from './diff-cluster.ts'
import { pictureOf } from './picture.ts'

/** One thing that changed between two dumps. */
export interface Change {
  /** The node; empty for what the API server says. */
  readonly node: string
  /** What it is: `link flannel.1 mac`, `route 10.244.1.0/24`, `sysctl net.ipv4.ip_forward`, `pod default/web`. */
  readonly what: string
  /** Empty where it was not there. */
  readonly was: string
  /** Empty where it is not there any more. */
  readonly is: string
}

/**
 * What changed from one dump to another, for people: links, addresses, routes, neighbours of tunnels, FDB, packet filter rules,
 * sysctls, configuration, and what the API server says. Counters, times and what a healthy host changes by itself are left out.
 */
export function diffDumps(old: ClusterDump, now: ClusterDump): Change[] {
  const [was, is] = [pictureOf(old), pictureOf(now)]
  const nodes = [
    ...new Set([...was.nodes.keys(), ...was.unread.keys(), ...is.nodes.keys(), ...is.unread.keys()]),
  ].sort()
  const api =
    was.cluster && is.cluster
      ? changes('', clusterFacts(was.cluster), clusterFacts(is.cluster))
      : changes('', apiState(was), apiState(is))
  return [...api, ...nodes.flatMap((node) => nodeChanges(node, was, is))]
}

const apiState = ({ cluster, dump }: Picture): Facts =>
  new Map([['the API server', cluster ? 'answered' : `did not answer: ${dump.apiTrouble ?? 'not asked'}`]])

function nodeChanges(node: string, was: Picture, is: Picture): Change[] {
  const [old, now] = [was.nodes.get(node), is.nodes.get(node)]
  if (old && now) return changes(node, nodeFacts(old, probesOf(was, old)), nodeFacts(now, probesOf(is, now)))
  const state = (picture: Picture): string => {
    if (picture.nodes.has(node)) return 'read'
    const why = picture.unread.get(node)
    return why === undefined ? '' : `not read: ${why}`
  }
  return changes(node, new Map([['the node', state(was)]]), new Map([['the node', state(is)]]))
}

/** Rows for what differs, in the order of `now`, then what is gone. */
function changes(node: string, old: Facts, now: Facts): Change[] {
  return [...new Set([...now.keys(), ...old.keys()])].flatMap((what) => {
    const [was, is] = [old.get(what) ?? '', now.get(what) ?? '']
    return was === is ? [] : [{ node, what, was, is }]
  })
}

/** What belongs to the probe pods of a verification, which are there while a dump is made: the pods and their links. */
interface Probes {
  readonly uids: ReadonlySet<string>
  readonly links: ReadonlySet<string>
}

function probesOf({ cluster }: Picture, { pods, links }: NodeView): Probes {
  const uids = new Set(cluster?.pods.filter(isProbe).map(({ uid }) => uid))
  const peers = new Set(pods.filter(({ uid }) => uids.has(uid)).flatMap((pod) => pod.links.map((it) => it.peerIndex)))
  return { uids, links: new Set(links.filter(({ index }) => peers.has(index)).map(({ name }) => name)) }
}

/** Sysctls that count, and are not set. */
const counting = /nf_conntrack_count$/

/** What is so on a node, one entry for each thing that a person would name. */
function nodeFacts(view: NodeView, probes: Probes): Facts {
  const facts = new Map<string, string>()
  const put = (what: string, value: string): void => {
    const before = facts.get(what)
    facts.set(what, before === undefined ? value : `${before}; ${value}`)
  }
  netFacts({ ...netOf(view), links: view.links.filter(({ name }) => !probes.links.has(name)) }, '', put)
  for (const { line } of view.rules) put(`rule ${line.split(/:\s*/)[0]}`, line.replace(/^\d+:\s*/, ''))
  for (const it of view.neighbours)
    if (it.state === 'PERMANENT') put(`neighbour ${it.ip} dev ${it.dev}`, it.mac ?? it.state)
  for (const it of view.fdb) if (it.dst && !probes.links.has(it.dev)) put(`fdb ${it.mac} dev ${it.dev}`, it.dst)
  for (const [name, value] of view.sysctls)
    if (!counting.test(name) && !probes.links.has(name.split('.')[3] ?? '')) put(`sysctl ${name}`, value)
  for (const chain of view.netfilter.chains) {
    const name = `${chain.backend} ${chain.family} ${chain.table} ${chain.name}`
    if (chain.policy) put(`policy of ${name}`, chain.policy)
    // a rule is its own name: it is there or not, and the order within a chain is not looked at
    // kube-proxy gives every Service chains of its own, and names the Service in one of their rules
    const ofProbes =
      /^KUBE-[A-Z]+-\w{16}$/.test(chain.name) && chain.rules.some(({ text }) => text.includes(probeNamespace))
    for (const { text } of chain.rules)
      if (!ofProbes && !text.includes(probeNamespace)) facts.set(`rule in ${name}: ${text}`, 'there')
  }
  for (const pod of view.pods) if (!probes.uids.has(pod.uid)) netFacts(pod, `pod ${pod.uid || pod.inode} `, put)
  for (const { name, text } of view.cni.configs) put(`CNI configuration ${name}`, text.replace(/\s+/g, ' ').trim())
  put('CNI plugins', view.cni.plugins.join(' '))
  for (const [key, value] of view.flannelEnv ?? []) put(`/run/flannel/subnet.env ${key}`, value)
  const { macs, container, ...identity } = view.identity
  for (const [key, value] of Object.entries(identity)) put(key, value)
  const { kubelet, resolvers } = view
  put('kubelet', kubelet.running ? 'running' : 'not running')
  put('kubelet --node-ip', kubelet.nodeIP ?? '')
  put('kubelet clusterDNS', kubelet.clusterDNS.join(' '))
  put('kubelet resolvConf', kubelet.resolvConf ?? '')
  put('nameservers of the host', resolvers.host.join(' '))
  put('nameservers for pods', resolvers.kubelet.join(' '))
  for (const it of view.listeners)
    if (it.port < 30000 || it.process === 'kube-proxy')
      facts.set(`listener ${it.protocol} ${it.address}:${it.port}`, it.process || 'kernel')
  for (const [name, value] of view.offload ?? []) put(`offload ${name}`, value)
  for (const { path, until } of view.certificates) put(`certificate ${path}`, `until ${until}`)
  return facts
}

const netOf = ({ links, routes, neighbours }: NetView): NetView => ({ links, routes, neighbours })

function netFacts(view: NetView, of: string, put: (what: string, value: string) => void): void {
  for (const link of view.links) for (const [key, value] of linkFacts(link)) put(`${of}link ${link.name} ${key}`, value)
  // the kernel makes and removes these with the addresses
  for (const { table, type, to, line } of view.routes)
    if (table !== 'local')
      put(`${of}route ${type === 'unicast' ? '' : `${type} `}${to} table ${table}`, line.replace(/ expires \S+/, ''))
}

function linkFacts({ mac, mtu, state, flags, master, kind, addresses, vxlan, port }: Link): [string, string][] {
  return [
    ['kind', kind ?? ''],
    ['mac', mac],
    ['mtu', String(mtu)],
    ['state', `${flags.includes('UP') ? 'up' : 'down'}, ${state}`],
    ['master', master ?? ''],
    [
      'addresses',
      addresses
        .map(({ ip, prefix }) => `${ip}/${prefix}`)
        .sort()
        .join(' '),
    ],
    ...(vxlan ? Object.entries(vxlan).map(([key, value]): [string, string] => [`vxlan ${key}`, String(value)]) : []),
    ...(port ? Object.entries(port).map(([key, value]): [string, string] => [`port ${key}`, String(value)]) : []),
  ]
}
