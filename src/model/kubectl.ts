import type { Sh } from './shell.ts'

/** kubectl as the cluster's administrator, on the control plane. It keeps no cache of what the API offers in root's home. */
export const kubectlAsAdmin: Sh =
  'KUBECACHEDIR=/dev/null/none /usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf'

/** The same for a question: it waits 10 s for an answer of the API server at most. */
export function kubectl(words: Sh): Sh {
  return `${kubectlAsAdmin} --request-timeout 10s ${words}`
}
