import { quote, type Sh, sh } from '../model/shell.ts'

/** The script that tells what a node's network is like: the text of templates/dump.sh with its mark. */
export function dumpScript(template: string, mark: string): Sh {
  return template.replace('@MARK@', quote(mark))
}

/** What the API server is asked for. Never Secrets. */
const kinds = 'nodes,pods,services,endpointslices,networkpolicies,ingresses,daemonsets'

/**
 * The script that tells, on the control plane, what the API server knows: base64 of gzip of three sections of JSON, each behind
 * a line `MARK NAME`. When the API server does not answer it prints nothing, complains on stderr, and ends with another status than 0.
 */
export function clusterScript(mark: string): Sh {
  return `export KUBECACHEDIR=/dev/null/none PATH="$PATH:/usr/local/bin"
ask() { kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout 10s "$@"; }
version=$(ask get --raw /version) || exit 1
{
  ${sh`printf '%s %s\\n' ${mark} version`}
  printf '%s\\n' "$version"
  ${sh`printf '%s %s\\n' ${mark} lists`}
  ask get ${kinds} -A -o json
  ${sh`printf '%s %s\\n' ${mark} configs`}
  ask get configmaps -n kube-system kubeadm-config kube-proxy coredns --ignore-not-found -o json
  ${sh`printf '%s %s\\n' ${mark} flannel`}
  ask get configmaps -A --field-selector metadata.name=kube-flannel-cfg -o json
  ${sh`printf '%s %s\\n' ${mark} end`}
} | gzip -c | base64`
}
