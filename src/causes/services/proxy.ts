import type { Cause, Finding } from '../../model/cause.ts'
import type { ApiPod, Picture } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import { once, overServices, shown } from '../host/tools.ts'

export const kubeProxyDown: Cause = {
  code: 'KUBE_PROXY_DOWN',
  because:
    'kube-proxy writes the rules that lead from Services to pods, and it does not run on this node. Rules that are there stay as they were; Services and endpoints that are new, or have changed, are wrong.',
  shows: 'kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide',
  fix: 'See why it does not run: kubectl -n kube-system describe pod, and its log.',
  find: (picture) => [...downOn(picture).values()],
}

/** The nodes whose kube-proxy does not run. */
export const downOn = once((picture): ReadonlyMap<string, Finding> => {
  const { cluster } = picture
  const found = cluster ? byApi(picture) : byListeners(picture)
  return new Map(found.map((finding) => [finding.where, finding]))
})

const isProxy = ({ namespace, labels, name }: ApiPod): boolean =>
  namespace === 'kube-system' && (labels['k8s-app'] === 'kube-proxy' || name.startsWith('kube-proxy-'))

function byApi(picture: Picture): Finding[] {
  const cluster = picture.cluster!
  const proxies = groupBy(cluster.pods.filter(isProxy), ({ node }) => node)
  const expected = proxies.size > 0 || cluster.daemonSets.some(({ name }) => name === 'kube-proxy')
  if (!expected) return []
  return cluster.nodes.flatMap(({ name, ready }): Finding[] => {
    const pods = proxies.get(name) ?? []
    // what a node that is not ready says of its pods is old, and one that is leaving is on its way to a new one
    if (pods.some((pod) => pod.ready || pod.leaving) || (!ready && !listensNot(picture, name))) return []
    if (pods.length === 0 && listens(picture, name)) return []
    const pod = pods[0]
    const why = pod?.containers.map(({ waiting, ended }) => waiting ?? ended).find(Boolean)
    const state = pod ? `${pod.phase}, not ready${why ? `: ${why}` : ''}` : 'there is no pod of it on the node'
    return [
      finding(
        name,
        state,
        'kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide',
        pod ? `${pod.name} ${state}` : state,
      ),
    ]
  })
}

/** kube-proxy tells at port 10256 whether it is well. */
const healthPort = 10256

function byListeners(picture: Picture): Finding[] {
  const some = [...picture.nodes.keys()].some((name) => listens(picture, name))
  if (!some) return []
  return [...picture.nodes.keys()]
    .filter((name) => listensNot(picture, name))
    .map((name) => finding(name, `nothing listens at ${healthPort}`, `ss -ltnp sport = :${healthPort}`, '(nothing)'))
}

function listens(picture: Picture, name: string): boolean {
  return (
    picture.nodes.get(name)?.listeners.some(({ port, protocol }) => protocol === 'tcp' && port === healthPort) ?? false
  )
}

function listensNot(picture: Picture, name: string): boolean {
  const node = picture.nodes.get(name)
  return node !== undefined && node.listeners.length > 0 && !listens(picture, name)
}

function finding(node: string, state: string, source: string, line: string): Finding {
  return {
    where: node,
    message: `kube-proxy does not run on ${node}: ${state}`,
    evidence: [shown(source, line)],
    breaks: { scenarios: overServices, nodes: [node] },
  }
}
