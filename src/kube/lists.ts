import type { KubeApi, KubeConfigMap } from '../model/kube.ts'
import { Failure } from '../model/trouble.ts'

/** What there is to ask for: never a Secret. */
const collections = {
  nodes: '/api/v1/nodes',
  pods: '/api/v1/pods',
  services: '/api/v1/services',
  endpointslices: '/apis/discovery.k8s.io/v1/endpointslices',
  networkpolicies: '/apis/networking.k8s.io/v1/networkpolicies',
  ingresses: '/apis/networking.k8s.io/v1/ingresses',
  daemonsets: '/apis/apps/v1/daemonsets',
} as const

const configs = ['kubeadm-config', 'kube-proxy', 'coredns'].map(
  (name) => `/api/v1/namespaces/kube-system/configmaps/${name}`,
)
const flannelConfig = '/api/v1/configmaps?fieldSelector=metadata.name%3Dkube-flannel-cfg'

export type ClusterLists = { readonly [K in keyof typeof collections]: { readonly items: readonly unknown[] } } & {
  readonly version: unknown
  readonly configmaps: { readonly items: readonly KubeConfigMap[] }
}

/**
 * All that the API server says of a cluster's network, as it says it. What the user may not see is missing from it; without the
 * nodes there is no use in the rest, so that is a Failure (API_FORBIDDEN).
 */
export async function clusterLists(api: KubeApi): Promise<ClusterLists> {
  const [version, found, flannel, ...own] = await Promise.all([
    api.find('/version'),
    Promise.all(
      Object.entries(collections).map(async ([name, path]) => {
        const items = name === 'nodes' ? api.list(path) : allowed(api.list(path), [])
        return [name, { items: await items }] as const
      }),
    ),
    allowed(api.list<KubeConfigMap>(flannelConfig), []),
    ...configs.map((path) => allowed(api.find<KubeConfigMap>(path), undefined)),
  ])
  const items = [...own, ...flannel].filter((it) => it !== undefined)
  return {
    ...(Object.fromEntries(found) as unknown as Omit<ClusterLists, 'version' | 'configmaps'>),
    version,
    configmaps: { items },
  }
}

async function allowed<T>(look: Promise<T>, otherwise: T): Promise<T> {
  return look.catch((cause: unknown) => {
    if (cause instanceof Failure && cause.troubles[0]?.code === 'API_FORBIDDEN') return otherwise
    throw cause
  })
}
