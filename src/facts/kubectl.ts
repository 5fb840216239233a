import type { Sh } from '../model/shell.ts'

/** kubectl as the cluster's administrator, on the control plane. It keeps no cache of what the API offers in root's home. */
export function kubectl(words: Sh): Sh {
  return `KUBECACHEDIR=/dev/null/none /usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout 10s ${words}`
}
