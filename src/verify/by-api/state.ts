import { ipv4First } from '../../model/cidr.ts'
import type { KubeApi, KubeNode, KubePod, KubeService } from '../../model/kube.ts'
import { type ClusterState, type NodeState, ofPod, type PodState, type ServiceState } from '../cluster.ts'

/** The state of a cluster as the API server tells it in three lists. */
export async function stateOf(api: KubeApi): Promise<ClusterState> {
  const [nodes, pods, services] = await Promise.all([
    api.list<KubeNode>('/api/v1/nodes'),
    api.list<KubePod>('/api/v1/pods'),
    api.list<KubeService>('/api/v1/services'),
  ])
  return { nodes: nodes.map(nodeState), pods: pods.map(podState), services: services.map(serviceState), events: [] }
}

function nodeState({ metadata, spec, status }: KubeNode): NodeState {
  const addresses = status?.addresses?.filter(({ type }) => type === 'InternalIP') ?? []
  const internal = ipv4First(addresses.map(({ address }) => address))
  const podCIDR = ipv4First([...(spec?.podCIDR ? [spec.podCIDR] : []), ...(spec?.podCIDRs ?? [])])
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return {
    name: metadata.name,
    ...(podCIDR && { podCIDR }),
    ...(internal && { internalIP: internal }),
    ready: ready?.status === 'True',
    reason: [ready?.reason, ready?.message].filter(Boolean).join(' '),
  }
}

export function podState({ metadata, spec, status }: KubePod): PodState {
  const ips = [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)].filter(
    (ip) => ip !== undefined && ip !== '',
  )
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    node: spec?.nodeName ?? '',
    phase: status?.phase ?? '',
    hostNetwork: spec?.hostNetwork === true,
    ready: status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
    leaving: metadata.deletionTimestamp !== undefined,
    ...ofPod(ips as string[]),
    app: metadata.labels?.['k8s-app'] ?? '',
    containers: new Map(status?.containerStatuses?.map((it) => [it.name, it.containerID ?? ''])),
  }
}

function serviceState({ metadata, spec }: KubeService): ServiceState {
  const ports = spec?.ports ?? []
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    clusterIP: ipv4First([...(spec?.clusterIP ? [spec.clusterIP] : []), ...(spec?.clusterIPs ?? [])]) ?? '',
    nodePorts: new Map(ports.flatMap(({ name = '', nodePort }) => (nodePort ? [[name, nodePort] as const] : []))),
  }
}
