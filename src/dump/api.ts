/** An object of the API, or a part of one, of which only what a form here asks for is read. */
// biome-ignore lint/suspicious/noExplicitAny: it is data from outside, and every field may be missing
export type Api = any

/** What the API server answered: the parsed JSON of each list (`items` and all), and /version. A list that is absent is empty. */
export interface Lists {
  readonly version?: Api
  readonly nodes?: Api
  readonly pods?: Api
  readonly services?: Api
  readonly endpointslices?: Api
  readonly networkpolicies?: Api
  readonly ingresses?: Api
  readonly daemonsets?: Api
  /** kubeadm-config, kube-proxy, coredns of kube-system, and kube-flannel-cfg; others are passed over. */
  readonly configmaps?: Api
}
