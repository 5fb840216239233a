/** The API server of a cluster, as the rooms that only speak to it see it. src/kube has the real one. Paths begin with /api. */
export interface KubeApi {
  /** Where it is, for messages: https://192.168.56.11:6443 */
  readonly server: string
  /** One object; undefined where there is none of that name. */
  find<T>(path: string): Promise<T | undefined>
  /** All objects of a collection, page by page. */
  list<T>(path: string): Promise<T[]>
  /** What stands at a path, as text: a pod's log, a probe's answer. */
  text(path: string, options?: CallOptions): Promise<string>
  create(path: string, object: object): Promise<void>
  /** Removes an object or, at the path of a collection, all of them. What is not there is removed already. Works after an abort, too. */
  remove(path: string, options?: { readonly graceSeconds?: number }): Promise<void>
}

export interface CallOptions {
  readonly timeoutMs?: number
}

/** What every object of Kubernetes has, as far as it is read here. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[]
  }
}

export interface KubeNode extends KubeObject {
  readonly spec?: { readonly podCIDR?: string; readonly podCIDRs?: readonly string[]; readonly unschedulable?: boolean }
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
    readonly conditions?: readonly KubeCondition[]
    readonly nodeInfo?: { readonly kubeletVersion?: string; readonly operatingSystem?: string }
  }
}

export interface KubeCondition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

export interface KubePod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string
    readonly hostNetwork?: boolean
    readonly containers?: readonly { readonly name: string; readonly command?: readonly string[] }[]
  }
  readonly status?: {
    readonly phase?: string
    readonly podIP?: string
    readonly podIPs?: readonly { readonly ip?: string }[]
    readonly message?: string
    readonly conditions?: readonly KubeCondition[]
    readonly containerStatuses?: readonly {
      readonly name: string
      readonly containerID?: string
      readonly state?: {
        readonly running?: object
        readonly waiting?: { readonly reason?: string; readonly message?: string }
        readonly terminated?: { readonly reason?: string; readonly message?: string; readonly exitCode?: number }
      }
    }[]
  }
}

export interface KubeService extends KubeObject {
  readonly spec?: {
    readonly clusterIP?: string
    readonly clusterIPs?: readonly string[]
    readonly ports?: readonly { readonly name?: string; readonly nodePort?: number }[]
  }
}

export interface KubeConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}
