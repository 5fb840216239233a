import { parse } from 'yaml'
import { familyOf } from '../model/cidr.ts'
import type { Cluster, Host, Inventory } from '../model/inventory.ts'
import type { KubeApi, KubeConfigMap, KubeNode, KubeObject } from '../model/kube.ts'
import { exits, Failure } from '../model/trouble.ts'

export interface FromApi {
  /** The kubeconfig, for messages. */
  readonly file: string
  /** What to call the cluster. */
  readonly name: string
  /** Whom to log in as on every node; without one it is left to ~/.ssh/config, and else this user. */
  readonly ssh?: string
  readonly user: string
}

/**
 * The inventory that a cluster would have, by what its API server says: every Linux node with its first IPv4 InternalIP
 * (ExternalIP, Hostname) as its address; control planes that are Ready come first, so that one of them is the leader. Networks
 * come from kubeadm-config, or else from the nodes; where flannel left no annotation on any node the provider is `unknown`.
 * What it leaves out of SSH, ~/.ssh/config and known_hosts may say: see withSshConfig. Failure NO_CLUSTER where there is no node.
 */
export async function inventoryFromApi(api: KubeApi, options: FromApi): Promise<Inventory> {
  const [all, version, kubeadm] = await Promise.all([
    api.list<KubeNode>('/api/v1/nodes'),
    api.find<{ gitVersion?: string }>('/version'),
    readable(api.find<KubeConfigMap>('/api/v1/namespaces/kube-system/configmaps/kubeadm-config')),
  ])
  const nodes = all.filter(({ status }) => (status?.nodeInfo?.operatingSystem ?? 'linux') === 'linux')
  if (nodes.length === 0)
    throw new Failure(exits.refused, {
      code: 'NO_CLUSTER',
      message: 'the API server knows of no Linux node',
      where: api.server,
      fix: 'join a node, or name the context of another cluster with --context',
    })
  return {
    file: options.file,
    source: { bundle: '' },
    cluster: {
      name: options.name,
      kubernetes: (version?.gitVersion ?? '').replace(/^v/, ''),
      imageRepository: 'registry.k8s.io',
      proxy: 'iptables',
      certSANs: [],
      network: networkOf(nodes),
      ...(await subnets(api, kubeadm, nodes)),
    },
    hosts: nodes.toSorted((a, b) => rank(a) - rank(b)).map((node) => hostOf(node, options)),
  }
}

/** A look that the user may not be allowed to take, and that something else can stand in for. */
async function readable<T>(look: Promise<T | undefined>): Promise<T | undefined> {
  return look.catch((cause: unknown) => {
    if (cause instanceof Failure && cause.troubles[0]?.code === 'API_FORBIDDEN') return undefined
    throw cause
  })
}

/** Is this node one of the cluster's control plane? */
export function isControlPlane({ metadata }: KubeObject): boolean {
  return ['control-plane', 'master'].some((role) => `node-role.kubernetes.io/${role}` in (metadata.labels ?? {}))
}

function rank(node: KubeNode): number {
  const ready = node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
  return isControlPlane(node) ? (ready ? 0 : 1) : 2
}

function hostOf(node: KubeNode, { ssh, user }: FromApi): Host {
  const of = (type: string) =>
    (node.status?.addresses ?? []).filter((it) => it.type === type).map(({ address }) => address)
  const ipv4 = (all: string[]) => all.find((address) => familyOf(address) === 4)
  const internal = ipv4(of('InternalIP'))
  const address = internal ?? ipv4(of('ExternalIP')) ?? of('Hostname')[0] ?? node.metadata.name
  return {
    name: node.metadata.name,
    role: isControlPlane(node) ? 'control-plane' : 'worker',
    address,
    nodeIP: internal ?? address,
    port: 22,
    user: ssh || user,
    become: 'sudo',
    knownHosts: '~/.ssh/known_hosts',
    unsaid: [...(ssh ? [] : (['user'] as const)), 'port', 'knownHosts', 'jump'],
  }
}

const flannel = 'flannel.alpha.coreos.com'

function networkOf(nodes: readonly KubeNode[]): Cluster['network'] {
  const types = nodes.map(({ metadata }) => metadata.annotations?.[`${flannel}/backend-type`])
  const known = types.find((type) => type !== undefined)
  if (known === undefined) return { provider: 'unknown', backend: 'vxlan' }
  return { provider: 'flannel', backend: known === 'host-gw' || known === 'udp' ? known : 'vxlan' }
}

async function subnets(
  api: KubeApi,
  kubeadm: KubeConfigMap | undefined,
  nodes: readonly KubeNode[],
): Promise<Pick<Cluster, 'podSubnet' | 'serviceSubnet' | 'dnsDomain'>> {
  const { networking = {} } = (parse(kubeadm?.data?.ClusterConfiguration ?? '{}') ?? {}) as {
    networking?: { podSubnet?: string; serviceSubnet?: string; dnsDomain?: string }
  }
  // Where nobody says it, only that every podCIDR has a network of its own can be told.
  const podSubnet = ipv4Of(networking.podSubnet) ?? (nodes.some(({ spec }) => spec?.podCIDR) ? '0.0.0.0/0' : '')
  const serviceSubnet = ipv4Of(networking.serviceSubnet) ?? (await serviceCidr(api)) ?? ''
  return { podSubnet, serviceSubnet, dnsDomain: networking.dnsDomain || (await corefileDomain(api)) || 'cluster.local' }
}

/** Of the two networks of a dual-stack cluster, the one that the checks are about. */
const ipv4Of = (text: string | undefined): string | undefined => text?.split(',').find((cidr) => !cidr.includes(':'))

/** Since Kubernetes 1.33 the API itself says it; where it cannot be asked nothing depends on it. */
async function serviceCidr(api: KubeApi): Promise<string | undefined> {
  const it = await readable(
    api.find<{ spec?: { cidrs?: string[] } }>('/apis/networking.k8s.io/v1/servicecidrs/kubernetes'),
  )
  return ipv4Of(it?.spec?.cidrs?.join(','))
}

/** The zone behind `kubernetes` in the Corefile. */
async function corefileDomain(api: KubeApi): Promise<string | undefined> {
  const map = await readable(api.find<KubeConfigMap>('/api/v1/namespaces/kube-system/configmaps/coredns'))
  return /^\s*kubernetes\s+([\w.-]+)/m.exec(map?.data?.Corefile ?? '')?.[1]?.replace(/\.$/, '')
}
