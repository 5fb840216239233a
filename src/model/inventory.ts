import type { Secret } from './secret.ts'

/** What the user wrote, checked and with its defaults filled in. Never changed after reading. */
export interface Inventory {
  /** Where it was read from, for messages. */
  readonly file: string
  readonly cluster: Cluster
  readonly source: { readonly bundle: string }
  /** In the order of the file; the first control plane is the leader. */
  readonly hosts: readonly Host[]
}

export interface Cluster {
  readonly name: string
  /** Without a leading v: 1.37.1 */
  readonly kubernetes: string
  readonly podSubnet: string
  readonly serviceSubnet: string
  readonly dnsDomain: string
  readonly imageRepository: string
  readonly network: {
    readonly provider: 'flannel'
    readonly backend: 'vxlan' | 'host-gw' | 'udp'
    readonly port?: number
  }
  readonly proxy: 'iptables' | 'nftables'
  /** Further names and addresses for the API server's certificate. */
  readonly certSANs: readonly string[]
}

export type Role = 'control-plane' | 'worker'

export interface Host {
  /** The name in the inventory: also the hostname and the node name. */
  readonly name: string
  readonly role: Role
  /** How SSH reaches it. */
  readonly address: string
  readonly port: number
  /** The address that the cluster uses between its nodes; may differ from `address`. */
  readonly nodeIP: string
  readonly user: string
  /** Path of a private key; without one the agent is asked. */
  readonly key?: string
  readonly password?: Secret
  readonly become: 'sudo' | 'none'
  /** SHA256:… of the host key; without one `knownHosts` decides. */
  readonly hostKey?: string
  /** Path of the known_hosts file; ~/.ssh/known_hosts where nothing is said. */
  readonly knownHosts: string
}

/** The host that runs `kubeadm init`: the first control plane. */
export function leaderOf(inventory: Inventory): Host {
  const leader = inventory.hosts.find((host) => host.role === 'control-plane')
  if (!leader) throw new Error('an inventory without a control plane was not refused on reading')
  return leader
}
