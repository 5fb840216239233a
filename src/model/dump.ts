import type { ClusterView } from './cluster-view.ts'
import type { Netfilter } from './netfilter.ts'

export type * from './cluster-view.ts'

/**
 * What the nodes and the API server say of a cluster's network, read without changing anything. The causes, the trace and the
 * reports work on it alone, so a saved dump serves as well as a live cluster.
 */

/** The form of a dump that this version writes and reads. */
export const dumpFormat = 1

export interface ClusterDump {
  readonly format: typeof dumpFormat
  /** The version of k8snet that made it. */
  readonly k8snet: string
  /** When, in ISO form. */
  readonly made: string
  readonly nodes: readonly NodeDump[]
  /** Nodes that could not be asked, and why: their rows are unknown. */
  readonly unread: readonly { readonly node: string; readonly why: string }[]
  /** What the API server says; absent where it does not answer, and then `apiTrouble` says why. */
  readonly cluster?: ClusterView
  readonly apiTrouble?: string
}

/** The parts of a node's dump, by name; templates/dump.sh says which command makes each. */
export type Part = string

/** What one node printed in one exec, by part, as it printed it: the lines are the evidence. */
export interface NodeDump {
  /** The name of the node in the cluster. */
  readonly node: string
  /** The text of each part. A part that is absent could not be read; `problems` says why. */
  readonly parts: Readonly<Record<Part, string>>
  readonly problems: Readonly<Record<Part, string>>
}

/** A dump with every part understood; made by src/dump/picture.ts. Lists are in the order of the kernel. */
export interface Picture {
  readonly dump: ClusterDump
  /** By node name, in the order of the dump. Nodes that could not be read are not among them. */
  readonly nodes: ReadonlyMap<string, NodeView>
  readonly unread: ReadonlyMap<string, string>
  readonly cluster?: ClusterView
}

/** Is flannel the pod network? Where the API is silent, the nodes themselves show it. */
export function hasFlannel({ cluster, nodes }: Picture): boolean {
  if (cluster) return cluster.configs.flannel !== undefined
  return [...nodes.values()].some(({ flannelEnv }) => flannelEnv !== null)
}

/** One network namespace: that of the host, or of a pod. Every field is read from the dump when it is first asked for. */
export interface NetView {
  readonly links: readonly Link[]
  readonly routes: readonly Route[]
  readonly neighbours: readonly Neighbour[]
}

export interface NodeView extends NetView {
  readonly node: string
  readonly dump: NodeDump
  readonly rules: readonly PolicyRule[]
  readonly fdb: readonly FdbEntry[]
  /** `net.ipv4.ip_forward` -> `1`; all of net.ipv4.conf.*.{forwarding,rp_filter,route_localnet}, ip_forward, bridge-nf-call-*, nf_conntrack_*, fs.inotify.*; a key that is not there does not exist. */
  readonly sysctls: ReadonlyMap<string, string>
  /** `Ip.ForwDatagrams`, `Udp.InCsumErrors`, `TcpExt.IPReversePathFilter`, from /proc/net/snmp and /proc/net/netstat. */
  readonly counters: ReadonlyMap<string, number>
  /** Sums over all CPUs of /proc/net/stat/nf_conntrack: insert_failed, drop, early_drop; and `count` and `max`. */
  readonly conntrack: ReadonlyMap<string, number>
  /** Entries of /proc/net/nf_conntrack or `conntrack -L` that concern UDP, at most some thousands. */
  readonly flows: readonly Flow[]
  readonly netfilter: Netfilter
  /** Every network namespace that holds processes of a pod. */
  readonly pods: readonly PodNet[]
  readonly cni: Cni
  /** /run/flannel/subnet.env; null where there is none. */
  readonly flannelEnv: ReadonlyMap<string, string> | null
  readonly identity: Identity
  readonly kubelet: KubeletView
  /** nameserver lines of /etc/resolv.conf, and of the file that the kubelet hands to pods. */
  readonly resolvers: {
    readonly host: readonly string[]
    readonly kubelet: readonly string[]
    readonly kubeletFile: string
  }
  readonly certificates: readonly { readonly path: string /** ISO */; readonly until: string }[]
  /** Sockets that listen: tcp 10250 *, udp 8472 0.0.0.0 */
  readonly listeners: readonly {
    readonly protocol: 'tcp' | 'udp'
    readonly address: string
    readonly port: number
    readonly process: string
  }[]
  /** `ethtool -k` of the tunnel device: feature -> on/off; null where there is no ethtool or no device. */
  readonly offload: ReadonlyMap<string, string> | null
  /** The node's clock when it was asked, ISO. */
  readonly now: string
}

export interface Link {
  readonly index: number
  readonly name: string
  /** ether, loopback, none … */
  readonly type: string
  readonly mac: string
  readonly mtu: number
  readonly flags: readonly string[]
  /** UP, DOWN, UNKNOWN, LOWERLAYERDOWN */
  readonly state: string
  readonly master?: string
  /** Of a veth: the index of its peer, in the peer's namespace. */
  readonly peerIndex?: number
  /** bridge, veth, vxlan, tun, dummy … */
  readonly kind?: string
  readonly addresses: readonly {
    readonly ip: string
    readonly prefix: number
    readonly family: 4 | 6
    readonly scope: string
  }[]
  readonly vxlan?: {
    readonly id: number
    readonly port: number
    readonly local?: string
    readonly device?: string
    readonly learning: boolean
  }
  /** As a port of a bridge. */
  readonly port?: { readonly state: string; readonly hairpin: boolean; readonly isolated: boolean }
  readonly rx: {
    readonly packets: number
    readonly errors: number
    readonly dropped: number
    readonly otherhost?: number
  }
  readonly tx: { readonly packets: number; readonly errors: number; readonly dropped: number }
}

export interface Route {
  readonly table: string
  /** unicast, local, broadcast, blackhole, unreachable, prohibit, throw */
  readonly type: string
  /** CIDR, `0.0.0.0/0` for the default route; a single address has /32. */
  readonly to: string
  readonly via?: string
  readonly dev?: string
  readonly src?: string
  readonly scope?: string
  readonly metric: number
  readonly flags: readonly string[]
  /** The line as `ip route show table all` prints it. */
  readonly line: string
}

export interface PolicyRule {
  readonly priority: number
  readonly from: string
  readonly to: string
  readonly table: string
  readonly line: string
}

export interface Neighbour {
  readonly ip: string
  readonly dev: string
  readonly mac?: string
  /** PERMANENT, REACHABLE, STALE, FAILED, INCOMPLETE … */
  readonly state: string
  readonly line: string
}

export interface FdbEntry {
  readonly mac: string
  readonly dev: string
  readonly dst?: string
  readonly line: string
}

export interface Flow {
  readonly protocol: string
  readonly from: string
  readonly to: string
  readonly port: number
  readonly replyFrom: string
  readonly line: string
}

export interface PodNet extends NetView {
  /** Inode of the network namespace. */
  readonly inode: number
  /** A process in it. */
  readonly pid: number
  /** metadata.uid of the pod, from the cgroup path; empty where it shows none. */
  readonly uid: string
  readonly ipForward?: string
}

export interface Cni {
  /** Files of /etc/cni/net.d that a runtime reads, in the order in which it tries them. */
  readonly configs: readonly { readonly name: string; readonly text: string }[]
  /** Names in the plugin directory. */
  readonly plugins: readonly string[]
  /** host-local leases: network -> IPs; a directory under /var/lib/cni/networks each. */
  readonly leases: ReadonlyMap<string, readonly string[]>
}

export interface Identity {
  readonly hostname: string
  readonly machineId: string
  readonly productUuid: string
  readonly bootId: string
  readonly kernel: string
  /** Of the host's physical links. */
  readonly macs: readonly string[]
  /** The host is a container: its kernel settings and its product_uuid belong to the machine below. */
  readonly container: boolean
}

export interface KubeletView {
  readonly running: boolean
  readonly nodeIP?: string
  readonly clusterDNS: readonly string[]
  readonly clusterDomain?: string
  readonly resolvConf?: string
}
