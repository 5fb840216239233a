import type { KubeApi, KubeNode, KubePod, KubeService } from '../../model/kube.ts'
import type { ClusterState, NodeState, PodState, ServiceState } from '../cluster.ts'

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
  const internal = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return {
    name: metadata.name,
    ...(spec?.podCIDR && { podCIDR: spec.podCIDR }),
    ...(internal && { internalIP: internal }),
    ready: ready?.status === 'True',
    reason: [ready?.reason, ready?.message].filter(Boolean).join(' '),
  }
}

export function podState({ metadata, spec, status }: KubePod): PodState {
  const others = (status?.podIPs ?? []).flatMap(({ ip }) => (ip && ip !== status?.podIP ? [ip] : []))
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    node: spec?.nodeName ?? '',
    phase: status?.phase ?? '',
    hostNetwork: spec?.hostNetwork === true,
    ready: status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
    leaving: metadata.deletionTimestamp !== undefined,
    ...(status?.podIP && { ip: status.podIP }),
    ...(others.length > 0 && { otherIps: others }),
    app: metadata.labels?.['k8s-app'] ?? '',
    containers: new Map(status?.containerStatuses?.map((it) => [it.name, it.containerID ?? ''])),
  }
}

function serviceState({ metadata, spec }: KubeService): ServiceState {
  const ports = spec?.ports ?? []
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    clusterIP: spec?.clusterIP ?? '',
    nodePorts: new Map(ports.flatMap(({ name = '', nodePort }) => (nodePort ? [[name, nodePort] as const] : []))),
  }
}
