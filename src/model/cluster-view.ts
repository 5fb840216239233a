/** What the API server says: as much as the checks need. No Secret is ever asked for, and no environment of a container kept. */
export interface ClusterView {
  readonly version: string
  readonly nodes: readonly ApiNode[]
  readonly pods: readonly ApiPod[]
  readonly services: readonly ApiService[]
  readonly slices: readonly ApiSlice[]
  readonly policies: readonly { readonly namespace: string; readonly name: string }[]
  readonly ingresses: readonly ApiIngress[]
  readonly daemonSets: readonly {
    readonly namespace: string
    readonly name: string
    readonly desired: number
    readonly ready: number
  }[]
  readonly configs: ClusterConfigs
}

export interface ApiNode {
  readonly name: string
  readonly podCIDRs: readonly string[]
  readonly internalIPs: readonly string[]
  readonly ready: boolean
  readonly reason: string
  readonly unschedulable: boolean
  readonly controlPlane: boolean
  readonly annotations: Readonly<Record<string, string>>
  readonly kubelet: string
}

export interface ApiPod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly node: string
  readonly phase: string
  readonly ips: readonly string[]
  readonly hostNetwork: boolean
  readonly ready: boolean
  readonly leaving: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly containers: readonly {
    readonly name: string
    readonly id: string
    readonly restarts: number
    /** Why it does not run, in the kubelet's words: CrashLoopBackOff … */
    readonly waiting?: string
    /** Why it ended the last time, the end of its termination message. */
    readonly ended?: string
    readonly ports: readonly {
      readonly name?: string
      readonly port: number
      readonly protocol: string
      readonly hostPort?: number
    }[]
  }[]
}

export interface ApiService {
  readonly namespace: string
  readonly name: string
  readonly type: string
  readonly clusterIPs: readonly string[]
  readonly externalName?: string
  readonly externalIPs: readonly string[]
  readonly loadBalancerIPs: readonly string[]
  readonly selector?: Readonly<Record<string, string>>
  readonly affinity: boolean
  readonly externalTrafficPolicy: string
  readonly internalTrafficPolicy: string
  /** Nodes may prefer endpoints near to them (trafficDistribution, topology-mode): their rules then name only some. */
  readonly nearest?: true
  readonly ports: readonly {
    readonly name: string
    readonly protocol: string
    readonly port: number
    readonly targetPort: string
    readonly nodePort?: number
  }[]
}

export interface ApiSlice {
  readonly namespace: string
  readonly name: string
  readonly service: string
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
  readonly endpoints: readonly {
    readonly ip: string
    readonly node?: string
    readonly pod?: string
    readonly ready: boolean
    readonly serving: boolean
    readonly terminating: boolean
  }[]
}

export interface ApiIngress {
  readonly namespace: string
  readonly name: string
  readonly class?: string
  readonly rules: readonly {
    readonly host: string
    readonly path: string
    readonly service: string
    readonly port: string
  }[]
  readonly addresses: readonly string[]
}

/** What the parts of the cluster were told of the networks; a field that nobody said is absent. */
export interface ClusterConfigs {
  readonly kubeadm?: { readonly podSubnet?: string; readonly serviceSubnet?: string; readonly dnsDomain?: string }
  readonly controllerManager?: {
    readonly clusterCIDR?: string
    readonly serviceCIDR?: string
    readonly allocate: boolean
  }
  readonly proxy?: { readonly mode: string; readonly clusterCIDR?: string; readonly masqueradeAll: boolean }
  /** net-conf.json of flannel; absent where the cluster has no flannel. `namespace` is where its DaemonSet lives. */
  readonly flannel?: {
    readonly namespace: string
    readonly network: string
    readonly backend: string
    readonly port: number
    readonly vni: number
    readonly mtu?: number
  }
  readonly corefile?: string
  /** The network provider as far as one can see: flannel, calico, cilium …, or unknown. */
  readonly provider: string
}
