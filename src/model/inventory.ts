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
    /** `unknown`: found by the API, and not flannel. An inventory file never says that. */
    readonly provider: 'flannel' | 'unknown'
    readonly backend: 'vxlan' | 'host-gw' | 'udp'
    readonly port?: number
  }
  readonly proxy: 'iptables' | 'nftables'
  /** Further names and addresses for the API server's certificate. */
  readonly certSANs: readonly string[]
}

export type Role = 'control-plane' | 'worker'

/** A machine that SSH goes to, and by what it is trusted: a host, or a bastion on the way to hosts. */
export interface Door {
  /** For messages: the host's name, or `bastion ADDRESS`. */
  readonly name: string
  /** How SSH reaches it. */
  readonly address: string
  readonly port: number
  readonly user: string
  /** Paths of private keys, tried in this order; without one the agent is asked, then the user's usual keys. */
  readonly key?: string | readonly string[]
  readonly password?: Secret
  /** SHA256:… of the host key; without one `knownHosts` decides. */
  readonly hostKey?: string
  /** Paths of known_hosts files; ~/.ssh/known_hosts and the machine's own where nothing is said. */
  readonly knownHosts: string | readonly string[]
  /** What the inventory does not say; ~/.ssh/config may say it. */
  readonly unsaid?: readonly ('user' | 'port' | 'key' | 'knownHosts' | 'jump')[]
  /** What ~/.ssh/config says besides. */
  readonly config?: SshConfig
}

/** Settings of ssh_config(5) that no key of the inventory stands for. */
export interface SshConfig {
  /** Where the address really is. */
  readonly hostName?: string
  /** The name under which known_hosts has it. */
  readonly hostKeyAlias?: string
  /** Path of the agent's socket in place of the usual one, or none. */
  readonly identityAgent?: string
  readonly identitiesOnly?: true
  readonly connectTimeoutMs?: number
  /** Keys that are tried where none is named; those that are not there are passed over. */
  readonly usualKeys?: readonly string[]
}

export interface Host extends Door {
  /** The name in the inventory: also the hostname and the node name. */
  readonly name: string
  readonly role: Role
  /** The address that the cluster uses between its nodes; may differ from `address`. */
  readonly nodeIP: string
  readonly become: 'sudo' | 'doas' | 'none'
  /** Bastions on the way to it, the first one first. */
  readonly jump?: readonly Door[]
}

/** The host that runs `kubeadm init`: the first control plane. */
export function leaderOf(inventory: Inventory): Host {
  const leader = inventory.hosts.find((host) => host.role === 'control-plane')
  if (!leader) throw new Error('an inventory without a control plane was not refused on reading')
  return leader
}
