import { container } from '../facts/container.ts'
import { files, paths } from '../facts/files.ts'
import { cpus } from '../facts/machine.ts'
import { type Key, sysctls as live } from '../facts/sysctls.ts'
import type { Action } from '../model/action.ts'
import type { Cluster } from '../model/inventory.ts'
import { step } from '../model/step.ts'
import { fileIs } from './files.ts'

interface Setting {
  readonly key: Key
  readonly want: number
  /** A higher value is right, too. */
  readonly atLeast?: true
  /** The kubelet or kube-proxy would set it anyway; here it is journalled, so that it can be given back. Not kept for boot. */
  readonly byKubernetes?: true
}

/**
 * Kernel settings. Those of the network belong to the host's own network namespace; all others belong to the whole machine
 * and are left alone where the host is a container.
 */
export const sysctls = step({
  title: 'The kernel forwards packets, shows bridged ones to the firewall, and allows enough file watches',
  asks: () => ({ live, files, container, cpus }),
  plan: ({ live, files, container, cpus }, { inventory }) => {
    const settings = [...ours, ...byKubernetes(inventory.cluster, cpus)].filter(
      ({ key }) => !container || isNamespaced(key),
    )
    const boot = settings.filter(({ byKubernetes }) => !byKubernetes).map(({ key, want }) => `${key} = ${want}\n`)
    return [
      ...fileIs(files, paths.sysctls, boot.join('')),
      ...settings.filter((setting) => !isSo(setting, live.get(setting.key))).map((it) => action(it, live.get(it.key))),
    ]
  },
})

const ours: readonly Setting[] = [
  { key: 'net.ipv4.ip_forward', want: 1 },
  { key: 'net.bridge.bridge-nf-call-iptables', want: 1 },
  { key: 'net.bridge.bridge-nf-call-ip6tables', want: 1 },
  { key: 'fs.inotify.max_user_instances', want: 8192, atLeast: true },
  { key: 'fs.inotify.max_user_watches', want: 524288, atLeast: true },
]

/** kubelet 1.37: setupKernelTunables in pkg/kubelet/cm; kube-proxy 1.37: pkg/proxy/conntrack and pkg/proxy/iptables. */
function byKubernetes({ proxy }: Cluster, cpus: number): Setting[] {
  const values: Partial<Record<Key, number>> = {
    'vm.overcommit_memory': 1,
    'vm.panic_on_oom': 0,
    'kernel.panic': 10,
    'kernel.panic_on_oops': 1,
    'kernel.keys.root_maxkeys': 1_000_000,
    'kernel.keys.root_maxbytes': 25_000_000,
    'net.netfilter.nf_conntrack_max': Math.min(Math.max(32768 * cpus, 131072), 1048576),
    'net.netfilter.nf_conntrack_tcp_timeout_established': 86400,
    'net.netfilter.nf_conntrack_tcp_timeout_close_wait': 3600,
    ...(proxy === 'iptables' && { 'net.ipv4.conf.all.route_localnet': 1 }),
  }
  return Object.entries(values).map(([key, want]) => ({ key: key as Key, want, byKubernetes: true }))
}

/** In a container kube-proxy is told to leave connection tracking alone (step kubeadm-init), and so do we. */
function isNamespaced(key: Key): boolean {
  return key.startsWith('net.') && !key.startsWith('net.netfilter.')
}

function isSo({ want, atLeast }: Setting, is: string | undefined): boolean {
  return is !== undefined && (atLeast ? Number(is) >= want : is === String(want))
}

function action({ key, want }: Setting, was: string | undefined): Action {
  return { kind: 'sysctl', key, want: String(want), ...(was !== undefined && { was }) }
}
