import type { Manifest } from '../model/bundle.ts'
import { exits, Failure } from '../model/trouble.ts'

export type Arch = Manifest['arch']
export type Producer = Manifest['producer']

/** What goes with one Kubernetes release. No version has a leading v. */
export interface Versions {
  /** The day it was released: the build date of its binaries. */
  readonly date: string
  /** The tag of the image that kubeadm asks for, and the etcd that is in it. */
  readonly etcd: { readonly tag: string; readonly source: string }
  readonly coredns: string
  readonly pause: string
  readonly flannel: string
  /** flannel's own CNI plugin is no Go module of its own; from source it comes from an older containernetworking/plugins. */
  readonly flannelCni: Readonly<Record<Producer, string>>
  readonly containerd: string
  readonly runc: string
  readonly cni: string
  readonly crictl: string
}

/** Every Kubernetes version that a bundle can be made for. The image tags are kubeadm's (`kubeadm config images list`). */
export const versions: Readonly<Record<string, Versions>> = {
  '1.37.1': {
    date: '2026-09-15T00:00:00Z',
    etcd: { tag: '3.7.0-0', source: '3.7.1' },
    coredns: '1.14.6',
    pause: '3.10.2',
    flannel: '0.28.9',
    flannelCni: { source: '0.9.1', releases: '1.9.1-flannel3' },
    containerd: '2.3.4',
    runc: '1.4.3',
    cni: '1.9.1',
    crictl: '1.36.0',
  },
}

export const newest = '1.37.1'

/** @throws Failure VERSION_UNSUPPORTED */
export function versionsOf(kubernetes: string): Versions {
  const found = versions[kubernetes]
  if (found) return found
  throw new Failure(exits.badInput, {
    code: 'VERSION_UNSUPPORTED',
    message: `no bundle can be made for Kubernetes ${kubernetes}`,
    fix: `use one of ${Object.keys(versions).join(', ')}`,
  })
}
