import { parse } from 'yaml'
import type { ClusterConfigs } from '../model/dump.ts'
import type { Api } from './api.ts'

/** What the ConfigMaps of the cluster's parts, and the flags of the controller manager's pod, say of its networks. */
export function configsOf(
  configMaps: readonly Api[],
  pods: readonly Api[],
  daemonSets: readonly Api[],
): ClusterConfigs {
  const data = (name: string, key: string): string | undefined =>
    configMaps.find(({ metadata }) => metadata?.name === name)?.data?.[key]
  const kubeadm = read(data('kubeadm-config', 'ClusterConfiguration'))?.networking
  const proxy = read(data('kube-proxy', 'config.conf'))
  const flannel = flannelOf(configMaps)
  const manager = managerOf(pods)
  const corefile = data('coredns', 'Corefile')
  return {
    ...(kubeadm && {
      kubeadm: { ...said('podSubnet', kubeadm), ...said('serviceSubnet', kubeadm), ...said('dnsDomain', kubeadm) },
    }),
    ...(manager && { controllerManager: manager }),
    ...(proxy && {
      proxy: {
        mode: proxy.mode || 'iptables',
        ...said('clusterCIDR', proxy),
        masqueradeAll: proxy.iptables?.masqueradeAll === true || proxy.nftables?.masqueradeAll === true,
      },
    }),
    ...(flannel && { flannel }),
    ...(corefile !== undefined && { corefile }),
    provider: providerOf(daemonSets, flannel !== undefined),
  }
}

const said = <K extends string>(key: K, of: Api): { [P in K]?: string } =>
  (typeof of?.[key] === 'string' && of[key] !== '' ? { [key]: of[key] } : {}) as { [P in K]?: string }

function read(text: string | undefined): Api {
  if (text === undefined) return undefined
  try {
    return parse(text) ?? undefined
  } catch {
    return undefined
  }
}

/** kube-flannel-cfg, in whichever namespace it lies. */
function flannelOf(configMaps: readonly Api[]): ClusterConfigs['flannel'] {
  const map = configMaps.find(({ metadata, data }) => metadata?.name === 'kube-flannel-cfg' && data?.['net-conf.json'])
  // JSON is YAML
  const conf = read(map?.data['net-conf.json'])
  if (!conf) return undefined
  const backend = conf.Backend ?? {}
  const type = String(backend.Type ?? 'udp')
  return {
    namespace: String(map.metadata.namespace ?? ''),
    network: String(conf.Network ?? ''),
    backend: type,
    // flannel's defaults: Documentation/backends.md
    port: Number(backend.Port ?? (type === 'udp' ? 8285 : type === 'wireguard' ? 51820 : 8472)),
    vni: Number(backend.VNI ?? 1),
    ...(backend.MTU && { mtu: Number(backend.MTU) }),
  }
}

function managerOf(pods: readonly Api[]): ClusterConfigs['controllerManager'] {
  const name = 'kube-controller-manager'
  const pod = pods.find(
    ({ metadata }) =>
      metadata?.namespace === 'kube-system' &&
      (metadata.labels?.component === name || String(metadata.name).startsWith(`${name}-`)),
  )
  const container = pod?.spec?.containers?.[0]
  if (!container) return undefined
  const words: string[] = [...(container.command ?? []), ...(container.args ?? [])]
  const flag = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3)
  const [clusterCIDR, serviceCIDR] = [flag('cluster-cidr'), flag('service-cluster-ip-range')]
  return {
    ...(clusterCIDR && { clusterCIDR }),
    ...(serviceCIDR && { serviceCIDR }),
    allocate: flag('allocate-node-cidrs') === 'true' || words.includes('--allocate-node-cidrs'),
  }
}

/** DaemonSets by which a network provider is known. */
const providers: readonly (readonly [RegExp, string])[] = [
  [/^cilium$/, 'cilium'],
  [/^(calico-node|canal)$/, 'calico'],
  [/^weave-net$/, 'weave'],
  [/^kube-router$/, 'kube-router'],
  [/^antrea-agent$/, 'antrea'],
  [/^ovnkube-node/, 'ovn-kubernetes'],
  [/^kube-ovn-cni$/, 'kube-ovn'],
  [/^kindnet$/, 'kindnet'],
  [/^aws-node$/, 'aws-vpc'],
]

function providerOf(daemonSets: readonly Api[], flannel: boolean): string {
  const names: string[] = daemonSets.map(({ metadata }) => String(metadata?.name ?? ''))
  const other = providers.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1]
  return other ?? (flannel || names.some((name) => name.startsWith('kube-flannel')) ? 'flannel' : 'unknown')
}
