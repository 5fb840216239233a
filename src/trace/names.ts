import type { ApiPod, ApiService, Picture, PodNet } from '../model/dump.ts'
import { within } from './fib.ts'

/** Who has which address, by what the hosts and namespaces themselves say; the API names the pods. */
export interface Names {
  /** Addresses of the hosts' own links, and the device; addresses that several have (docker0 …) lead to none. */
  readonly hosts: ReadonlyMap<string, { readonly node: string; readonly link: string }>
  /** Addresses inside pods. */
  readonly pods: ReadonlyMap<string, { readonly node: string; readonly pod: PodNet }>
  readonly apiPods: ReadonlyMap<string, ApiPod>
  readonly services: ReadonlyMap<string, ApiService>
  isPodAddress(ip: string): boolean
  isServiceAddress(ip: string): boolean
  /** The node whose podCIDR holds the address. */
  nodeOfPodAddress(ip: string): string | undefined
}

export function namesOf(picture: Picture): Names {
  const hosts = new Map<string, { node: string; link: string }>()
  const pods = new Map<string, { node: string; pod: PodNet }>()
  const shared = new Set<string>()
  for (const [node, view] of picture.nodes) {
    for (const link of view.links) {
      for (const { ip, scope } of link.addresses) {
        if (scope === 'host' || link.type === 'loopback') continue
        if (hosts.has(ip) && hosts.get(ip)!.node !== node) shared.add(ip)
        hosts.set(ip, { node, link: link.name })
      }
    }
    for (const pod of view.pods)
      for (const link of pod.links)
        if (link.type !== 'loopback')
          for (const { ip } of link.addresses) if (!pods.has(ip)) pods.set(ip, { node, pod })
  }
  for (const ip of shared) hosts.delete(ip)
  const { cluster } = picture
  const services = new Map<string, ApiService>()
  for (const service of cluster?.services ?? [])
    for (const ip of [...service.clusterIPs, ...service.externalIPs, ...service.loadBalancerIPs])
      services.set(ip, service)
  const apiPods = new Map<string, ApiPod>()
  for (const pod of cluster?.pods ?? []) if (!pod.hostNetwork) for (const ip of pod.ips) apiPods.set(ip, pod)
  const cidrs = (cluster?.nodes ?? []).flatMap(({ name, podCIDRs }) => podCIDRs.map((cidr) => ({ name, cidr })))
  const { configs } = cluster ?? {}
  const podNetworks = [configs?.flannel?.network, configs?.kubeadm?.podSubnet, ...cidrs.map(({ cidr }) => cidr)]
  const serviceNetworks = [configs?.kubeadm?.serviceSubnet, configs?.controllerManager?.serviceCIDR]
  const inAny = (networks: readonly (string | undefined)[], ip: string) =>
    networks.some((list) => list?.split(',').some((network) => within(network, ip)))
  return {
    hosts,
    pods,
    apiPods,
    services,
    isPodAddress: (ip) => inAny(podNetworks, ip),
    isServiceAddress: (ip) => services.has(ip) || inAny(serviceNetworks, ip),
    nodeOfPodAddress: (ip) => cidrs.find(({ cidr }) => within(cidr, ip))?.name,
  }
}

/** ns/name of the pod with this address, or the address. */
export function podName(names: Names, ip: string): string {
  const pod = names.apiPods.get(ip)
  return pod ? `${pod.namespace}/${pod.name}` : ip
}
