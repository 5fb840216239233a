/** What the API server says of a cluster: as much as the checks need, in plain values. */
export interface ClusterState {
  readonly nodes: readonly NodeState[]
  readonly pods: readonly PodState[]
  readonly services: readonly ServiceState[]
  /** Warnings about the probe pods, asked for only when some of them did not start. */
  readonly events: readonly { readonly object: string; readonly message: string }[]
}

export interface NodeState {
  readonly name: string
  readonly podCIDR?: string
  readonly internalIP?: string
  readonly ready: boolean
  /** Why it is not Ready, in the kubelet's words. */
  readonly reason: string
}

export interface PodState {
  readonly namespace: string
  readonly name: string
  readonly node: string
  readonly phase: string
  readonly hostNetwork: boolean
  readonly ready: boolean
  readonly leaving: boolean
  readonly ip?: string
  /** The label k8s-app; CoreDNS has kube-dns. */
  readonly app: string
  /** Container name -> its id in the runtime, without containerd:// */
  readonly containers: ReadonlyMap<string, string>
}

export interface ServiceState {
  readonly namespace: string
  readonly name: string
  readonly clusterIP: string
  /** Port name -> NodePort */
  readonly nodePorts: ReadonlyMap<string, number>
}

/**
 * A Go template for `kubectl get nodes,pods,services -A` that prints one line of tab-separated fields per object:
 * far less than JSON on a large cluster. {@link parseState} reads it.
 */
export const stateTemplate = [
  '{{range .items}}',
  '{{if eq .kind "Node"}}node\t{{.metadata.name}}\t{{with .spec.podCIDR}}{{.}}{{end}}\t',
  '{{range .status.addresses}}{{if eq .type "InternalIP"}}{{.address}},{{end}}{{end}}\t',
  '{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}\t{{.reason}} {{printf "%q" .message}}{{end}}{{end}}',
  '{{else if eq .kind "Pod"}}pod\t{{.metadata.namespace}}\t{{.metadata.name}}\t{{with .spec.nodeName}}{{.}}{{end}}\t',
  '{{.status.phase}}\t{{with .spec.hostNetwork}}host{{end}}\t',
  '{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}}\t',
  '{{with .metadata.deletionTimestamp}}leaving{{end}}\t{{with .status.podIP}}{{.}}{{end}}\t',
  '{{with .metadata.labels}}{{with index . "k8s-app"}}{{.}}{{end}}{{end}}\t',
  '{{range .status.containerStatuses}}{{.name}}={{with .containerID}}{{.}}{{end}},{{end}}',
  '{{else if eq .kind "Service"}}service\t{{.metadata.namespace}}\t{{.metadata.name}}\t{{with .spec.clusterIP}}{{.}}{{end}}\t',
  '{{range .spec.ports}}{{with .name}}{{.}}{{end}}={{with .nodePort}}{{.}}{{end}},{{end}}',
  '{{end}}{{"\\n"}}{{end}}',
].join('')

/** A Go template for `kubectl get events`: `event`, the object's name and the message, tab-separated. */
export const eventTemplate = '{{range .items}}event\t{{.involvedObject.name}}\t{{printf "%q" .message}}{{"\\n"}}{{end}}'

/** Reads what {@link stateTemplate} and {@link eventTemplate} printed; other lines are passed over. */
export function parseState(out: string): ClusterState {
  const rows = out.split('\n').map((line) => line.split('\t'))
  const of = (kind: string) => rows.filter((row) => row[0] === kind).map((row) => row.slice(1))
  return {
    nodes: of('node').map(([name = '', cidr, ips = '', ready, reason = '']) => ({
      name,
      ...(cidr && { podCIDR: cidr }),
      ...(list(ips)[0] && { internalIP: list(ips)[0] as string }),
      ready: ready === 'True',
      reason: reason && unquoted(reason),
    })),
    pods: of('pod').map(
      ([namespace = '', name = '', node = '', phase = '', host, ready, leaving, ip, app = '', ids = '']) => ({
        namespace,
        name,
        node,
        phase,
        hostNetwork: host === 'host',
        ready: ready === 'True',
        leaving: leaving === 'leaving',
        ...(ip && { ip }),
        app,
        containers: new Map(pairs(ids).map(([key, id]) => [key, id.slice(id.indexOf('://') + 1).replace(/^\/+/, '')])),
      }),
    ),
    services: of('service').map(([namespace = '', name = '', clusterIP = '', ports = '']) => ({
      namespace,
      name,
      clusterIP,
      nodePorts: new Map(pairs(ports).map(([key, port]) => [key, Number(port)])),
    })),
    events: of('event').map(([object = '', message = '']) => ({ object, message: unquoted(message) })),
  }
}

function list(text: string): string[] {
  return text.split(',').filter((part) => part !== '')
}

/** `a=1,b=,c=3,` -> those that have a value */
function pairs(text: string): [string, string][] {
  return list(text)
    .map((part): [string, string] => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)])
    .filter(([, value]) => value !== '')
}

/** `KubeletNotReady "a \"quoted\" text"` -> KubeletNotReady a "quoted" text, on one line */
function unquoted(text: string): string {
  return text
    .replace(/"((?:[^"\\]|\\.)*)"$/, (_, inner: string) => inner.replaceAll('\\n', ' ').replaceAll(/\\(.)/g, '$1'))
    .trim()
}
