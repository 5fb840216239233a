import type { Artifact } from '../model/bundle.ts'
import type { Role } from '../model/inventory.ts'
import { type Producer, versionsOf } from './versions.ts'

/** What a complete bundle holds, before anything of it exists. */
export type Wanted = Pick<Artifact, 'kind' | 'name' | 'version' | 'roles'>

const both: readonly Role[] = ['control-plane', 'worker']
const leaders: readonly Role[] = ['control-plane']

/** The artifacts of a Kubernetes release, each with the roles that need it, in the order they are listed everywhere. */
export function wanted(kubernetes: string, producer: Producer): readonly Wanted[] {
  const v = versionsOf(kubernetes)
  return [
    ...of('binary', kubernetes, both, ['kubeadm', 'kubelet']),
    ...of('binary', kubernetes, leaders, ['kubectl']),
    ...of('binary', v.containerd, both, ['containerd', 'containerd-shim-runc-v2', 'ctr']),
    ...of('binary', v.runc, both, ['runc']),
    ...of('binary', v.crictl, both, ['crictl']),
    ...of('cni', v.cni, both, ['bridge', 'host-local', 'loopback', 'portmap', 'firewall']),
    ...of('cni', v.flannelCni[producer], both, ['flannel']),
    ...kube(kubernetes, leaders, ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler']),
    ...of('image', v.etcd.tag, leaders, [`registry.k8s.io/etcd:${v.etcd.tag}`]),
    ...kube(kubernetes, both, ['kube-proxy']),
    ...of('image', v.pause, both, [`registry.k8s.io/pause:${v.pause}`]),
    ...of('image', v.coredns, both, [`registry.k8s.io/coredns/coredns:v${v.coredns}`]),
    ...of('image', v.flannel, both, [`ghcr.io/flannel-io/flannel:v${v.flannel}`]),
  ]
}

const of = (kind: Artifact['kind'], version: string, roles: readonly Role[], names: readonly string[]): Wanted[] =>
  names.map((name) => ({ kind, name, version, roles }))

const kube = (version: string, roles: readonly Role[], names: readonly string[]): Wanted[] =>
  of(
    'image',
    version,
    roles,
    names.map((name) => `registry.k8s.io/${name}:v${version}`),
  )
