import type { ClusterDump, NodeDump, NodeView, Picture } from '../model/dump.ts'
import { certificatesOf, flannelEnvOf, identityOf, kubeletOf, listenersOf, nameservers, offloadOf } from './host.ts'
import { conntrackOf, counterReader, flowsOf, sysctlsOf } from './kernel.ts'
import { lazily, lines, tableReader } from './lazy.ts'
import { linksOf } from './links.ts'
import { netfilterOf } from './netfilter/index.ts'
import { cniOf, podNetsOf } from './pods.ts'
import { fdbOf, neighbourOf, routeOf, ruleOf, wholeRoutes } from './tables.ts'

/**
 * The dump with every part understood. Nothing is parsed before it is asked for, and each thing once: a picture of a thousand
 * nodes costs nothing by itself. A part that is absent, or that nothing can be made of, gives an empty list.
 */
export function pictureOf(dump: ClusterDump): Picture {
  const host = readersNow()
  // those of pods are small, and not like those of hosts
  const pods = readersNow()
  return {
    dump,
    nodes: new Map(dump.nodes.map((node) => [node.node, nodeOf(node, host, pods, dump.made)])),
    unread: new Map(dump.unread.map(({ node, why }) => [node, why])),
    ...(dump.cluster && { cluster: dump.cluster }),
  }
}

const readersNow = () => ({
  routes: tableReader(routeOf),
  neighbours: tableReader(neighbourOf),
  fdb: tableReader(fdbOf),
  counters: counterReader(),
})
type Readers = ReturnType<typeof readersNow>

function nodeOf(dump: NodeDump, readers: Readers, ofPods: Readers, made: string): NodeView {
  const { parts } = dump
  const view: NodeView = lazily<NodeView>({
    node: () => dump.node,
    dump: () => dump,
    links: () => linksOf(parts.links, parts.ports),
    routes: () => readers.routes(wholeRoutes(parts.routes)),
    rules: () => lines(parts.rules).map(ruleOf),
    neighbours: () => readers.neighbours(parts.neighbours),
    fdb: () => readers.fdb(parts.fdb),
    sysctls: () => sysctlsOf(parts.sysctls),
    counters: () => readers.counters(parts.counters),
    conntrack: () => conntrackOf(parts.conntrack, view.sysctls),
    flows: () => flowsOf(parts.flows),
    netfilter: () => netfilterOf(parts),
    pods: () => podNetsOf(dump, ofPods),
    cni: () => cniOf(dump),
    flannelEnv: () => flannelEnvOf(parts['flannel-env']),
    identity: () => identityOf(parts.identity, view.links),
    kubelet: () => kubeletOf(parts.kubelet, parts['kubelet-config']),
    resolvers: () => {
      const kubeletFile = view.kubelet.resolvConf ?? '/etc/resolv.conf'
      const host = nameservers(parts['resolv.conf'])
      return {
        host,
        kubelet: kubeletFile === '/etc/resolv.conf' ? host : nameservers(parts[`resolv.conf${kubeletFile}`]),
        kubeletFile,
      }
    },
    certificates: () => certificatesOf(parts.certificates),
    listeners: () => listenersOf(parts.listeners),
    offload: () => offloadOf(parts.offload),
    now: () => parts.now?.trim() || made,
  })
  return view
}
