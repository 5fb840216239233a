import { ipv4First } from '../model/cidr.ts'

/** What the API server says of a cluster: as much as the checks need, in plain values; of two families IPv4. */
export interface ClusterState {
  readonly nodes: readonly NodeState[]
  readonly pods: readonly PodState[]
  readonly services: readonly ServiceState[]
  /** Warnings about the probe pods, asked for only when some of them did not start. */
  readonly events: readonly { readonly object: string; readonly message: string }[]
  /** Asked for by the full level. */
  readonly ingresses?: readonly IngressState[]
}

export interface IngressState {
  readonly namespace: string
  readonly name: string
  /** IPs and names under which it is reached, as its controller says. */
  readonly addresses: readonly string[]
  /** Host names with the first path of each; a rule without a host has ''. */
  readonly rules: readonly { readonly host: string; readonly path: string }[]
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
  /** Its other IPs, in a cluster of two families. */
  readonly otherIps?: readonly string[]
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
  '{{if eq .kind "Node"}}node\t{{.metadata.name}}\t{{with .spec.podCIDR}}{{.}},{{end}}{{range .spec.podCIDRs}}{{.}},{{end}}\t',
  '{{range .status.addresses}}{{if eq .type "InternalIP"}}{{.address}},{{end}}{{end}}\t',
  '{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}\t{{.reason}} {{printf "%q" .message}}{{end}}{{end}}',
  '{{else if eq .kind "Pod"}}pod\t{{.metadata.namespace}}\t{{.metadata.name}}\t{{with .spec.nodeName}}{{.}}{{end}}\t',
  '{{.status.phase}}\t{{with .spec.hostNetwork}}host{{end}}\t',
  '{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}}\t',
  '{{with .metadata.deletionTimestamp}}leaving{{end}}\t{{with .status.podIP}}{{.}}{{end}}\t',
  '{{with .metadata.labels}}{{with index . "k8s-app"}}{{.}}{{end}}{{end}}\t',
  '{{range .status.containerStatuses}}{{.name}}={{with .containerID}}{{.}}{{end}},{{end}}\t',
  '{{range .status.podIPs}}{{.ip}},{{end}}',
  '{{else if eq .kind "Service"}}service\t{{.metadata.namespace}}\t{{.metadata.name}}\t{{with .spec.clusterIP}}{{.}},{{end}}{{range .spec.clusterIPs}}{{.}},{{end}}\t',
  '{{range .spec.ports}}{{with .name}}{{.}}{{end}}={{with .nodePort}}{{.}}{{end}},{{end}}',
  '{{else if eq .kind "Ingress"}}ingress\t{{.metadata.namespace}}\t{{.metadata.name}}\t',
  '{{range .status.loadBalancer.ingress}}{{with .ip}}{{.}}{{end}}{{with .hostname}}{{.}}{{end}},{{end}}\t',
  '{{range .spec.rules}}{{with .host}}{{.}}{{end}}={{with .http}}{{with index .paths 0}}{{with .path}}{{.}}{{end}}{{end}}{{end}},{{end}}',
  '{{end}}{{"\\n"}}{{end}}',
].join('')

/** A Go template for `kubectl get events`: `event`, the object's name and the message, tab-separated. */
export const eventTemplate = '{{range .items}}event\t{{.involvedObject.name}}\t{{printf "%q" .message}}{{"\\n"}}{{end}}'

/** Reads what {@link stateTemplate} and {@link eventTemplate} printed; other lines are passed over. */
export function parseState(out: string): ClusterState {
  const rows = out.split('\n').map((line) => line.split('\t'))
  const of = (kind: string) => rows.filter((row) => row[0] === kind).map((row) => row.slice(1))
  return {
    nodes: of('node').map(([name = '', cidrs = '', ips = '', ready, reason = '']) => ({
      name,
      ...given('podCIDR', list(cidrs)),
      ...given('internalIP', list(ips)),
      ready: ready === 'True',
      reason: reason && unquoted(reason),
    })),
    pods: of('pod').map(
      ([namespace = '', name = '', node = '', phase = '', host, ready, leaving, ip, app = '', ids = '', ips = '']) => ({
        namespace,
        name,
        node,
        phase,
        hostNetwork: host === 'host',
        ready: ready === 'True',
        leaving: leaving === 'leaving',
        ...ofPod(ip ? [ip, ...list(ips)] : list(ips)),
        app,
        containers: new Map(pairs(ids).map(([key, id]) => [key, id.slice(id.indexOf('://') + 1).replace(/^\/+/, '')])),
      }),
    ),
    services: of('service').map(([namespace = '', name = '', ips = '', ports = '']) => ({
      namespace,
      name,
      clusterIP: ipv4First(list(ips)) ?? '',
      nodePorts: new Map(pairs(ports).map(([key, port]) => [key, Number(port)])),
    })),
    ...(of('ingress').length > 0 && { ingresses: of('ingress').map(ingressOf) }),
    events: of('event').map(([object = '', message = '']) => ({ object, message: unquoted(message) })),
  }
}

function given<K extends string>(key: K, texts: readonly string[]): { [P in K]?: string } {
  const first = ipv4First(texts)
  return (first === undefined ? {} : { [key]: first }) as { [P in K]?: string }
}

/** The address that a pod is tested at, and its others. */
export function ofPod(ips: readonly string[]): Pick<PodState, 'ip' | 'otherIps'> {
  const ip = ipv4First(ips)
  const others = [...new Set(ips)].filter((other) => other !== ip)
  return { ...(ip && { ip }), ...(others.length > 0 && { otherIps: others }) }
}

function ingressOf([namespace = '', name = '', addresses = '', rules = '']: string[]): IngressState {
  return {
    namespace,
    name,
    addresses: list(addresses),
    rules: list(rules).map((rule) => ({
      host: rule.slice(0, rule.indexOf('=')),
      path: rule.slice(rule.indexOf('=') + 1) || '/',
    })),
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
