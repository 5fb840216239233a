import { families, label, podA, podB, probePort, serviceName } from '../manifests.ts'

/** What tells the pods of a node apart: servers behind the Service, clients in pods, clients in the node's own network. */
export type Kind = 'a' | 'b' | 'host'

/** The programs of the probe pods: the templates of these names. */
export const programNames = ['probe-pod.sh', 'probe-agnhost.bash', 'probe.py', 'probe.pl'] as const
export type PodPrograms = Readonly<Record<(typeof programNames)[number], string>>

/** Seconds for a probe, at first and when it is made once more. */
const tries = ['2', '3']
/** A ConfigMap holds 1 MiB at most (Kubernetes documentation, ConfigMap). */
const chunkBytes = 900_000

/** What is there before the first packet: the namespace, the Service, the programs. Each with the collection that it belongs to. */
export function frame(namespace: string, programs: PodPrograms, now: Date): [collection: string, object: object][] {
  const inside = `/api/v1/namespaces/${namespace}`
  const ports = (['tcp', 'udp'] as const).map((name) => ({
    name,
    protocol: name.toUpperCase(),
    port: probePort,
    targetPort: probePort,
  }))
  const labels = {
    [label]: String(Math.floor(now.getTime() / 1000)),
    'pod-security.kubernetes.io/enforce': 'privileged',
  }
  return [
    ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }],
    [`${inside}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'probe' } }],
    [`${inside}/configmaps`, configMap('programs', programs)],
    [
      `${inside}/services`,
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: serviceName },
        spec: { ...families, type: 'NodePort', selector: { probe: 'b' }, ports },
      },
    ],
  ]
}

/** The lists of probes, in as many ConfigMaps as they need. */
export function listMaps(lines: readonly string[]): { readonly name: string; readonly object: object }[] {
  const chunks: string[][] = []
  let size = chunkBytes
  for (const line of lines) {
    if (size + line.length + 1 > chunkBytes) {
      chunks.push([])
      size = 0
    }
    chunks.at(-1)?.push(line)
    size += line.length + 1
  }
  return chunks.map((chunk, i) => {
    const name = `list-${i}`
    return { name, object: configMap(name, { [name]: `${chunk.join('\n')}\n` }) }
  })
}

function configMap(name: string, data: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }
}

/**
 * One pod of a kind on every node, cordoned and tainted ones too; each runs templates/probe-pod.sh. Pod `a` has a server in its
 * first container and the client in its second one, as the containers of a pod share their network.
 */
export function daemonSet(kind: Kind, image: string, lists: readonly string[]): object {
  const server = ['server', String(probePort)]
  const client = ['client', ...tries]
  const containers = {
    a: { one: server, two: [...client, String(probePort)] },
    b: { one: server },
    host: { one: client },
  }[kind]
  const selector = { probe: kind }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: kind },
    spec: {
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: {
          serviceAccountName: 'probe',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 0,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          tolerations: [{ operator: 'Exists' }],
          ...(kind === 'host' && { hostNetwork: true, dnsPolicy: 'Default' }),
          volumes: [
            { name: 'programs', configMap: { name: 'programs' } },
            { name: 'lists', projected: { sources: lists.map((name) => ({ configMap: { name } })) } },
          ],
          containers: Object.entries(containers).map(([name, args]) => container(name, image, args)),
        },
      },
    },
  }
}

function container(name: string, image: string, args: readonly string[]): object {
  const field = (variable: string, fieldPath: string) => ({ name: variable, valueFrom: { fieldRef: { fieldPath } } })
  return {
    name,
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '/k8snet/programs/probe-pod.sh', ...args],
    env: [field('K8SNET_NODE', 'spec.nodeName'), field('K8SNET_POD', 'metadata.name')],
    // ICMP takes a raw socket.
    securityContext: { runAsUser: 0, capabilities: { add: ['NET_RAW'] } },
    volumeMounts: [
      { name: 'programs', mountPath: '/k8snet/programs', readOnly: true },
      { name: 'lists', mountPath: '/k8snet/lists', readOnly: true },
    ],
  }
}

/** What the checks call the pod of a kind on a node; in the cluster a DaemonSet gives it a name of its own. */
export function shownName(kind: Kind, node: string): string {
  return kind === 'a' ? podA(node) : kind === 'b' ? podB(node) : node
}
