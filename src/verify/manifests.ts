/** The port that the probe servers listen on in their pods, TCP and UDP; 80 above they answer at length. */
export const probePort = 18420
export const bigPort = probePort + 80
/** The Service of all pods b: NodePort, externalTrafficPolicy Cluster. */
export const serviceName = 'probe'
/** Services of the full level. */
export const services = {
  /** Leads only to the pod b of the client's own node: to itself, when that is the client. */
  local: 'local',
  affinity: 'affinity',
  /** Both lead only to the pod b of the first node; `edge` has externalTrafficPolicy Local. */
  edge: 'edge',
  one: 'one',
  headless: 'headless',
  /** An ExternalName for {@link target}. */
  elsewhere: 'elsewhere',
  /** UDP, of the pods u and v. */
  gone: 'gone',
} as const
/** The hostname of the pod b of the first node, under the Service `headless`. */
export const firstHostname = 'first'

/** The pods of a node: `a` has two containers and is the client, `b` has one and stands behind the Services. */
export const podA = (node: string) => `a-${node}`
export const podB = (node: string) => `b-${node}`
/** Of the full level: one is deleted while it is talked to, the other stays; NetworkPolicy denies all to the third. */
export const podGone = (node: string) => `u-${node}`
export const podStays = (node: string) => `v-${node}`
export const podDenied = (node: string) => `p-${node}`
/** Of pod `a`: the server runs in the namespace of the first container, the client in that of the second. */
export const containersOfA = ['one', 'two'] as const

/** A name that every cluster has, for the ExternalName: no upstream DNS server is in the way. */
export const target = (dnsDomain: string) => `kubernetes.default.svc.${dnsDomain}`

/** Ports of a run's own, so that two runs at once do not meet on a node: pod b's hostPort, and the servers of the nodes. */
export function hostPorts(namespace: string): { readonly hostPort: number; readonly server: number } {
  const turn = Number.parseInt(namespace.slice(-4), 16) % 1000
  return { hostPort: 19000 + turn, server: 20500 + turn }
}

export const label = 'k8snet.dev/verify'
const protocols = ['tcp', 'udp'] as const

/** Everything but the pods, with @NOW@ for the seconds of the epoch. `dnsDomain` only for the full level. */
export function frame(namespace: string, dnsDomain?: string): string {
  return yaml([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { [label]: '@NOW@', ...privileged } } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'probe', namespace } },
    service(namespace, serviceName, { type: 'NodePort', selector: { probe: 'b' } }),
    ...(dnsDomain === undefined ? [] : ofFullLevel(namespace, dnsDomain)),
  ])
}

function ofFullLevel(namespace: string, dnsDomain: string): object[] {
  const b = { selector: { probe: 'b' } }
  const first = { type: 'NodePort', selector: { probe: 'b', turn: 'first' } }
  return [
    service(namespace, services.local, { ...b, internalTrafficPolicy: 'Local' }),
    service(namespace, services.affinity, { ...b, sessionAffinity: 'ClientIP' }),
    service(namespace, services.edge, { ...first, externalTrafficPolicy: 'Local' }),
    service(namespace, services.one, first),
    service(namespace, services.headless, { ...b, clusterIP: 'None' }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: services.elsewhere, namespace },
      spec: { type: 'ExternalName', externalName: target(dnsDomain) },
    },
    service(namespace, services.gone, { selector: { probe: 'u' } }),
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'deny-all', namespace },
      spec: { podSelector: { matchLabels: { probe: 'p' } }, policyTypes: ['Ingress'] },
    },
  ]
}

function service(namespace: string, name: string, spec: object): object {
  const ports = protocols.map((protocol) => ({
    name: protocol,
    protocol: protocol.toUpperCase(),
    port: probePort,
    targetPort: probePort,
  }))
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { ...families, ...spec, ports } }
}

/** Where there are two families, of both: only IPv4 is tested, and it need not be the first. */
export const families = { ipFamilyPolicy: 'PreferDualStack' } as const
const privileged = { 'pod-security.kubernetes.io/enforce': 'privileged' }

/** The two pods of a node, with @NODE@ for its name, and in the full level @TURN@: `first` on one node, `other` elsewhere. */
export function podsOfNode(namespace: string, image: string, full: boolean): string {
  const { hostPort } = hostPorts(namespace)
  const ports = protocols.map((it) => ({ containerPort: probePort, hostPort, protocol: it.toUpperCase() }))
  const more = { hostname: '@TURN@', subdomain: services.headless }
  return yaml([
    pod(namespace, image, podA('@NODE@'), '@NODE@', { probe: 'a' }, containersOfA),
    full
      ? pod(namespace, image, podB('@NODE@'), '@NODE@', { probe: 'b', turn: '@TURN@' }, ['one'], more, { ports })
      : pod(namespace, image, podB('@NODE@'), '@NODE@', { probe: 'b' }, ['one']),
  ])
}

/** The further pods of the full level, with @FIRST@, @SECOND@ and @LAST@ for nodes, which may be one and the same. */
export function extraPods(namespace: string, image: string): string {
  return yaml([
    pod(namespace, image, podGone('@FIRST@'), '@FIRST@', { probe: 'u' }, ['one']),
    pod(namespace, image, podStays('@SECOND@'), '@SECOND@', { probe: 'u' }, ['one']),
    pod(namespace, image, podDenied('@LAST@'), '@LAST@', { probe: 'p' }, ['one']),
  ])
}

/** Pinned to its node, so that no scheduler, taint or cordon is in the way. */
function pod(
  namespace: string,
  image: string,
  name: string,
  node: string,
  labels: object,
  containers: readonly string[],
  more: object = {},
  ofContainer: object = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: {
      nodeName: node,
      serviceAccountName: 'probe',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      ...more,
      containers: containers.map((name) => ({ name, image, imagePullPolicy: 'Never', ...ofContainer })),
    },
  }
}

function yaml(objects: readonly object[]): string {
  return objects.map((object) => `---\n${JSON.stringify(object)}`).join('\n')
}
