import type { ApiIngress, ApiNode, ApiPod, ApiService, ApiSlice, ClusterView } from '../model/dump.ts'
import type { Api, Lists } from './api.ts'
import { configsOf } from './configs.ts'

const items = (list: Api): Api[] => (Array.isArray(list?.items) ? list.items : [])
const text = (value: Api): string => (value === undefined || value === null ? '' : String(value))
const texts = (value: Api): string[] => (Array.isArray(value) ? value.map(text) : [])
const some = <K extends string>(key: K, value: Api): { [P in K]?: string } =>
  (value === undefined || value === null || value === '' ? {} : { [key]: String(value) }) as { [P in K]?: string }

/** What the lists say, as much as the checks need: no environment of a container, no annotation but those of nodes. Pure. */
export function clusterView(lists: Lists): ClusterView {
  return {
    version: text(lists.version?.gitVersion).replace(/^v/, ''),
    nodes: items(lists.nodes).map(nodeOf),
    pods: items(lists.pods).map(podOf),
    services: items(lists.services).map(serviceOf),
    slices: items(lists.endpointslices).map(sliceOf),
    policies: items(lists.networkpolicies).map(nameOf),
    ingresses: items(lists.ingresses).map(ingressOf),
    daemonSets: items(lists.daemonsets).map((set) => ({
      ...nameOf(set),
      desired: set.status?.desiredNumberScheduled ?? 0,
      ready: set.status?.numberReady ?? 0,
    })),
    configs: configsOf(items(lists.configmaps), items(lists.pods), items(lists.daemonsets)),
  }
}

function nameOf(it: Api): { namespace: string; name: string } {
  return { namespace: text(it.metadata?.namespace), name: text(it.metadata?.name) }
}

/** The annotations that say what the network's own programs know of a node. */
const told = /^(flannel\.alpha\.coreos\.com|projectcalico\.org|network\.cilium\.io|io\.cilium\.network|k3s\.io)\//

function nodeOf({ metadata, spec, status }: Api): ApiNode {
  const ready = (status?.conditions ?? []).find(({ type }: Api) => type === 'Ready')
  const labels = metadata?.labels ?? {}
  return {
    name: text(metadata?.name),
    podCIDRs: texts(spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : [])),
    internalIPs: (status?.addresses ?? []).flatMap(({ type, address }: Api) =>
      type === 'InternalIP' ? [address] : [],
    ),
    ready: ready?.status === 'True',
    reason: text(ready?.status === 'True' ? '' : ready?.message || ready?.reason),
    unschedulable: spec?.unschedulable === true,
    controlPlane: 'node-role.kubernetes.io/control-plane' in labels || 'node-role.kubernetes.io/master' in labels,
    annotations: Object.fromEntries(
      Object.entries<string>(metadata?.annotations ?? {}).filter(([key]) => told.test(key)),
    ),
    kubelet: text(status?.nodeInfo?.kubeletVersion).replace(/^v/, ''),
  }
}

function podOf({ metadata, spec, status }: Api): ApiPod {
  const statuses = new Map<string, Api>((status?.containerStatuses ?? []).map((it: Api) => [it.name, it]))
  const ips = texts((status?.podIPs ?? []).map(({ ip }: Api) => ip))
  return {
    namespace: text(metadata?.namespace),
    name: text(metadata?.name),
    uid: text(metadata?.uid),
    node: text(spec?.nodeName),
    phase: text(status?.phase),
    ips: ips.length > 0 || !status?.podIP ? ips : [status.podIP],
    hostNetwork: spec?.hostNetwork === true,
    ready: (status?.conditions ?? []).some((it: Api) => it.type === 'Ready' && it.status === 'True'),
    leaving: metadata?.deletionTimestamp !== undefined,
    labels: metadata?.labels ?? {},
    containers: (spec?.containers ?? []).map((container: Api) => {
      const it = statuses.get(container.name)
      const ended = it?.lastState?.terminated ?? it?.state?.terminated
      return {
        name: text(container.name),
        id: text(it?.containerID).replace(/^\w+:\/\//, ''),
        restarts: it?.restartCount ?? 0,
        ...some('waiting', it?.state?.waiting?.reason),
        ...some('ended', ended && (text(ended.message).trim().slice(-500) || ended.reason)),
        ports: (container.ports ?? []).map((port: Api) => ({
          ...some('name', port.name),
          port: port.containerPort,
          protocol: text(port.protocol || 'TCP').toLowerCase(),
          ...(port.hostPort && { hostPort: port.hostPort }),
        })),
      }
    }),
  }
}

function serviceOf({ metadata, spec, status }: Api): ApiService {
  const ips = texts(spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : []))
  return {
    ...nameOf({ metadata }),
    type: text(spec?.type),
    clusterIPs: ips,
    ...some('externalName', spec?.externalName),
    externalIPs: texts(spec?.externalIPs),
    loadBalancerIPs: (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }: Api) => (ip ? [ip] : [])),
    ...(spec?.selector && { selector: spec.selector }),
    affinity: spec?.sessionAffinity === 'ClientIP',
    externalTrafficPolicy: text(spec?.externalTrafficPolicy || 'Cluster'),
    internalTrafficPolicy: text(spec?.internalTrafficPolicy || 'Cluster'),
    ...((spec?.trafficDistribution || metadata?.annotations?.['service.kubernetes.io/topology-mode']) && {
      nearest: true as const,
    }),
    ports: (spec?.ports ?? []).map((port: Api) => ({
      name: text(port.name),
      protocol: text(port.protocol || 'TCP').toLowerCase(),
      port: port.port,
      targetPort: text(port.targetPort ?? port.port),
      ...(port.nodePort && { nodePort: port.nodePort }),
    })),
  }
}

function sliceOf({ metadata, ports, endpoints }: Api): ApiSlice {
  return {
    ...nameOf({ metadata }),
    service: text(metadata?.labels?.['kubernetes.io/service-name']),
    ports: (ports ?? []).map((port: Api) => ({
      name: text(port.name),
      protocol: text(port.protocol || 'TCP').toLowerCase(),
      port: port.port ?? 0,
    })),
    endpoints: (endpoints ?? []).flatMap(({ addresses, conditions = {}, nodeName, targetRef }: Api) =>
      texts(addresses).map((ip) => ({
        ip,
        ...some('node', nodeName),
        ...some('pod', targetRef?.kind === 'Pod' ? targetRef.name : undefined),
        // what is left out counts as ready: API reference, EndpointConditions
        ready: conditions.ready !== false,
        serving: (conditions.serving ?? conditions.ready) !== false,
        terminating: conditions.terminating === true,
      })),
    ),
  }
}

function ingressOf({ metadata, spec, status }: Api): ApiIngress {
  const of = (backend: Api) => ({
    service: text(backend?.service?.name),
    port: text(backend?.service?.port?.name ?? backend?.service?.port?.number),
  })
  const byDefault = spec?.defaultBackend ? [{ host: '', path: '/', ...of(spec.defaultBackend) }] : []
  const rules = (spec?.rules ?? []).flatMap(({ host, http }: Api) =>
    (http?.paths ?? []).map(({ path, backend }: Api) => ({
      host: text(host),
      path: text(path || '/'),
      ...of(backend),
    })),
  )
  return {
    ...nameOf({ metadata }),
    ...some('class', spec?.ingressClassName ?? metadata?.annotations?.['kubernetes.io/ingress.class']),
    rules: [...rules, ...byDefault],
    addresses: (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }: Api) => text(ip ?? hostname)),
  }
}
