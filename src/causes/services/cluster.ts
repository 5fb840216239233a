import type { Cause, Finding } from '../../model/cause.ts'
import { isProbe } from '../../model/probes.ts'
import { shown, some } from '../host/tools.ts'

const isKubelet = ({ port }: { readonly port: number }): boolean => port === 10250

export const nodeNotReady: Cause = {
  code: 'NODE_NOT_READY',
  because:
    'The kubelet of the node does not run, does not reach the API server, or says itself that something is missing. No pod is started there, and the endpoints of those that are there are taken out of all Services.',
  shows: 'kubectl get nodes; kubectl describe node NODE',
  fix: 'See journalctl -u kubelet on the node, and the pods of flannel and kube-proxy on it.',
  find: (picture) => {
    const api = picture.cluster?.nodes.filter(({ ready }) => !ready).map(({ name, reason }) => ({ name, reason })) ?? []
    const named = new Set(picture.cluster?.nodes.map(({ name }) => name))
    // other kinds of Kubernetes have the kubelet inside of another program: what listens tells as well
    const silent = [...picture.nodes.values()]
      .filter(({ node }) => named.size === 0 || named.has(node))
      .filter(({ kubelet, listeners }) => !kubelet.running && listeners.length > 0 && !listeners.some(isKubelet))
      .map(({ node }) => node)
    return [...new Set([...api.map(({ name }) => name), ...silent])].map((name): Finding => {
      const reason = api.find((one) => one.name === name)?.reason
      const stopped = silent.includes(name)
      return {
        where: name,
        message: stopped
          ? `the kubelet of ${name} does not run`
          : `${name} is not Ready${reason ? `: ${reason.trim().split('\n')[0]}` : ''}`,
        evidence: [
          ...(stopped ? [shown('pidof kubelet', '(nothing)')] : []),
          ...(reason === undefined
            ? []
            : [shown(`kubectl describe node ${name}`, `Ready False ${reason.trim().split('\n')[0]}`)]),
        ],
        breaks: { nodes: [name] },
      }
    })
  },
}

/** DaemonSets and Deployments by which others than the network provider enforce policies. */
const enforcers = /network-polic|netpol|kube-router|calico|canal|cilium|antrea|weave|romana|kube-ovn|ovn/

export const netpolNotEnforced: Cause = {
  code: 'NETPOL_NOT_ENFORCED',
  because:
    'flannel takes care of addresses and ways only; it does not enforce NetworkPolicies. The API server takes them all the same, so what they forbid is allowed.',
  shows: 'kubectl get networkpolicies -A',
  fix: 'Install something that enforces them beside flannel (kube-network-policies: netpol.enabled in the chart of flannel), or remove the policies.',
  needs: 'flannel',
  find: ({ cluster }) => {
    if (cluster?.configs.provider !== 'flannel') return []
    const policies = cluster.policies
      .filter((policy) => !isProbe(policy))
      .map(({ namespace, name }) => `${namespace}/${name}`)
    const enforced = [...cluster.daemonSets, ...cluster.pods].some(({ name }) => enforcers.test(name))
    if (policies.length === 0 || enforced) return []
    return [
      {
        where: policies[0]!,
        message: `NetworkPolicies are there (${some(policies)}), and flannel enforces none`,
        evidence: [shown('kubectl get networkpolicies -A', policies[0]!.replace('/', ' '))],
        breaks: { scenarios: ['network-policy'] },
        level: 'warning',
      },
    ]
  },
}
