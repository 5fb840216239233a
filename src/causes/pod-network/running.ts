import type { Breaks } from '../../model/cause.ts'
import type { ApiPod, Link, Picture, PodNet } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import { isProbe } from '../../model/probes.ts'
import type { Seen } from './ground.ts'

/** A pod with a network of its own that runs on a node, as the API server has it and as its namespace looks. */
export interface Running {
  readonly pod: ApiPod
  readonly net: PodNet
}

/** Pods of a node that have a network of their own, run and are not leaving, where the node shows their namespace. */
export function runningOn(picture: Picture, { name, view }: Seen): Running[] {
  const nets = groupBy(view.pods, ({ uid }) => uid)
  return podsOn(picture, name).flatMap((pod) => {
    const net = netOf(pod, nets.get(pod.uid) ?? [], view.links)
    // a namespace without even a loopback is just being made or taken down
    return net && net.links.length > 0 ? [{ pod, net }] : []
  })
}

/** The network of a pod among its namespaces: a pod that runs containers itself has more than one. */
function netOf(pod: ApiPod, nets: readonly PodNet[], links: readonly Link[]): PodNet | undefined {
  if (nets.length < 2) return nets[0]
  const own = (net: PodNet) => net.links.some(({ addresses }) => addresses.some(({ ip }) => pod.ips.includes(ip)))
  const joined = (net: PodNet) =>
    net.links.some(
      ({ name, peerIndex }) =>
        name === 'eth0' && links.some(({ index, kind }) => index === peerIndex && kind === 'veth'),
    )
  return nets.find(own) ?? nets.find(joined)
}

const known = new WeakMap<Picture, Map<string, ApiPod[]>>()

/** Pods with an IP of their own that run on a node and are not leaving, by the API server. */
export function podsOn(picture: Picture, node: string): readonly ApiPod[] {
  let byNode = known.get(picture)
  if (!byNode) {
    const pods = (picture.cluster?.pods ?? []).filter(
      (pod) => !pod.hostNetwork && !pod.leaving && pod.phase === 'Running' && pod.ips.length > 0,
    )
    byNode = groupBy(pods, ({ node }) => node)
    known.set(picture, byNode)
  }
  return byNode.get(node) ?? []
}

/** eth0 of a pod, and its other end on the node. */
export function endsOf({ view }: Seen, { net }: Running): { inside?: Link; outside?: Link } {
  const inside = net.links.find(({ name }) => name === 'eth0')
  const outside = view.links.find(({ index, kind }) => index === inside?.peerIndex && kind === 'veth')
  return { ...(inside && { inside }), ...(outside && { outside }) }
}

export const nameOf = ({ namespace, name }: ApiPod) => `${namespace}/${name}`

/**
 * What goes wrong when these pods have no network: the checks of their node where one of them is a pod that checks, those of
 * cluster DNS where one of them answers it; with any other pod no check fails.
 */
export function breaksOf(pods: readonly ApiPod[]): Breaks {
  const probes = pods.filter((pod) => isProbe(pod) || pod.labels.probe !== undefined)
  if (probes.length > 0) return { nodes: [...new Set(probes.map(({ node }) => node))] }
  return pods.some(({ labels }) => labels['k8s-app'] === 'kube-dns') ? { scenarios: ['dns'] } : { nodes: [] }
}

/** `namespace/name` of a single pod; the node where several of its pods have the same trouble. */
export function whereOf(node: string, pods: readonly ApiPod[]): string {
  return pods.length === 1 ? nameOf(pods[0]!) : node
}

/** Some names, and how many more. */
export function listOf(names: readonly string[]): string {
  return names.length > 4 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ')
}
