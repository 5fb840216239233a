import type { ApiPod, ClusterView } from '../model/dump.ts'
import { isProbe } from '../model/probes.ts'

/** What is so, by what it is. */
export type Facts = ReadonlyMap<string, string>

/** What the API server says, one entry for each thing that a person would name. */
export function clusterFacts(cluster: ClusterView): Facts {
  const facts = new Map<string, string>([['Kubernetes', cluster.version]])
  for (const { name, annotations, ...node } of cluster.nodes) {
    facts.set(`node ${name} ready`, node.ready ? 'yes' : `no: ${node.reason}`)
    facts.set(`node ${name} podCIDRs`, node.podCIDRs.join(' '))
    facts.set(`node ${name} InternalIP`, node.internalIPs.join(' '))
    facts.set(`node ${name} schedulable`, node.unschedulable ? 'no' : 'yes')
    facts.set(`node ${name} kubelet`, node.kubelet)
    for (const [key, value] of Object.entries(annotations)) facts.set(`node ${name} ${key}`, value)
  }
  for (const pod of cluster.pods) if (!isProbe(pod)) facts.set(`pod ${pod.namespace}/${pod.name}`, podText(pod))
  for (const { namespace, name, ...it } of cluster.services) {
    if (isProbe({ namespace })) continue
    const ports = it.ports.map(
      ({ protocol, port, targetPort, nodePort }) =>
        `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}->${targetPort}`,
    )
    const more = [
      it.affinity ? 'sticky' : '',
      it.externalTrafficPolicy === 'Local' ? 'external Local' : '',
      it.internalTrafficPolicy === 'Local' ? 'internal Local' : '',
      it.externalName ?? '',
      ...it.externalIPs,
      ...it.loadBalancerIPs,
    ].filter((word) => word !== '')
    facts.set(`service ${namespace}/${name}`, [it.type, ...it.clusterIPs, ...ports, ...more].join(' '))
  }
  for (const { namespace, service, ports, endpoints } of cluster.slices) {
    if (isProbe({ namespace })) continue
    const of = `endpoints of ${namespace}/${service} ${ports.map(({ port, protocol }) => `${port}/${protocol}`).join(' ')}`
    const all = endpoints.map(
      ({ ip, ready, terminating }) => `${ip}${terminating ? ' (ending)' : ready ? '' : ' (not ready)'}`,
    )
    const before = facts.get(of)
    facts.set(of, [...(before ? before.split(', ') : []), ...all].sort().join(', '))
  }
  for (const { namespace, name } of cluster.policies.filter((it) => !isProbe(it)))
    facts.set(`NetworkPolicy ${namespace}/${name}`, 'there')
  for (const { namespace, name, rules } of cluster.ingresses)
    facts.set(
      `ingress ${namespace}/${name}`,
      rules.map(({ host, path, service, port }) => `${host}${path} -> ${service}:${port}`).join(', '),
    )
  for (const { namespace, name, desired, ready } of cluster.daemonSets)
    facts.set(`daemonset ${namespace}/${name}`, `${ready} of ${desired} ready`)
  for (const [part, config] of Object.entries(cluster.configs))
    if (typeof config === 'string') facts.set(part, config)
    else for (const [key, value] of Object.entries(config)) facts.set(`${part} ${key}`, String(value))
  return facts
}

function podText({ node, phase, ips, ready, leaving, containers }: ApiPod): string {
  const waiting = containers.flatMap((it) => (it.waiting ? [`${it.name}: ${it.waiting}`] : []))
  const restarts = containers.reduce((sum, it) => sum + it.restarts, 0)
  return [
    leaving ? 'ending' : phase,
    ready ? 'ready' : 'not ready',
    ...(node ? [`on ${node}`] : []),
    ...ips,
    ...(restarts > 0 ? [`${restarts} restarts`] : []),
    ...waiting,
  ].join(', ')
}
