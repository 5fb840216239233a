import type { Finding } from '../../model/cause.ts'
import { parseCidr } from '../../model/cidr.ts'
import type { ApiNode, Link, NodeView, Picture } from '../../model/dump.ts'
import type { Scenario } from '../../model/report.ts'
import type { Evidence } from '../../model/trouble.ts'
import type { Place } from './walk.ts'

/** What is to be found out of a picture, found out once. */
export function once<T>(find: (picture: Picture) => T): (picture: Picture) => T {
  const found = new WeakMap<Picture, { value: T }>()
  return (picture) => {
    const there = found.get(picture)
    if (there) return there.value
    const value = find(picture)
    found.set(picture, { value })
    return value
  }
}

/** Whatever goes through the pod network from one node to another. */
export const overPodNetwork: readonly Scenario[] = [
  'pod-to-pod',
  'pod-to-service',
  'outside-to-service',
  'dns',
  'node-to-pod',
  'node-to-service',
  'spread',
  'affinity',
  'traffic-policy',
  'host-port',
  'large-packets',
  'udp-endpoint-gone',
  'network-policy',
  'ingress',
]

/** Whatever goes to a Service, or through one. */
export const overServices: readonly Scenario[] = [
  'pod-to-service',
  'outside-to-service',
  'dns',
  'api',
  'node-to-service',
  'hairpin',
  'spread',
  'affinity',
  'traffic-policy',
  'udp-endpoint-gone',
  'ingress',
]

/** At most one finding for each node that could be read. */
export function onNodes(picture: Picture, look: (node: NodeView) => Finding | null | undefined): Finding[] {
  return [...picture.nodes.values()].flatMap((node) => look(node) ?? [])
}

export const shown = (source: string, line: string): Evidence => ({ source, line })

/** `a, b, c and 4 more` */
export function some(list: readonly string[], most = 3): string {
  const rest = list.length - most
  return rest > 0 ? `${list.slice(0, most).join(', ')} and ${rest} more` : list.join(', ')
}

/** A kernel setting of an interface; the names of some hold dots. */
export function ofDevice(node: NodeView, device: string, key: string): string | undefined {
  const at = (name: string) => node.sysctls.get(`net.ipv4.conf.${name}.${key}`)
  return at(device) ?? at(device.replaceAll('.', '/'))
}

/** What stands in for a node in a packet. */
export interface Spot {
  readonly name: string
  /** The IPv4 address by which the other nodes send to it. */
  readonly ip?: string
  readonly podCidr?: string
  readonly controlPlane: boolean
}

/** Every node that the API server or the dump knows. */
export const spotsOf = once((picture): ReadonlyMap<string, Spot> => {
  const api = new Map(picture.cluster?.nodes.map((node) => [node.name, node]))
  const names = [...new Set([...picture.nodes.keys(), ...api.keys()])]
  return new Map(names.map((name) => [name, spotOf(name, api.get(name), picture.nodes.get(name))]))
})

function spotOf(name: string, api: ApiNode | undefined, node: NodeView | undefined): Spot {
  const ip = [api?.annotations['flannel.alpha.coreos.com/public-ip'], ...(api?.internalIPs ?? []), node?.kubelet.nodeIP]
  const own = ip.find((address) => address && isV4(address) && (!node || linkWith(node, address)))
  const given = own ?? ip.find((address) => address && isV4(address))
  const podCidr = api?.podCIDRs.find(isV4) ?? node?.flannelEnv?.get('FLANNEL_SUBNET')?.replace(/\.\d+\//, '.0/')
  return { name, ...(given && { ip: given }), ...(podCidr && { podCidr }), controlPlane: api?.controlPlane ?? false }
}

export const isV4 = (text: string): boolean => text.includes('.')

/** The interface that has an address. */
export function linkWith(node: NodeView, ip: string | undefined): Link | undefined {
  return ip === undefined ? undefined : node.links.find(({ addresses }) => addresses.some((one) => one.ip === ip))
}

/** The IPv4 network of all pods; undefined where nobody said it. */
export const podSubnetOf = once((picture): string | undefined => {
  const { configs } = picture.cluster ?? {}
  const said = [configs?.kubeadm?.podSubnet, configs?.flannel?.network, configs?.controllerManager?.clusterCIDR]
  const ofNodes = [...picture.nodes.values()].map(({ flannelEnv }) => flannelEnv?.get('FLANNEL_NETWORK'))
  return firstV4([...said, ...ofNodes])
})

/** The IPv4 network of ClusterIPs; undefined where nobody said it. */
export function serviceSubnetOf(picture: Picture): string | undefined {
  const { configs } = picture.cluster ?? {}
  return firstV4([configs?.kubeadm?.serviceSubnet, configs?.controllerManager?.serviceCIDR])
}

function firstV4(texts: readonly (string | undefined)[]): string | undefined {
  return texts.flatMap((text) => text?.split(',') ?? []).find((cidr) => parseCidr(cidr.trim())?.family === 4)
}

/** The port of the API server on the control planes. */
export const apiPortOf = once((picture): number => {
  const slice = picture.cluster?.slices.find((one) => one.namespace === 'default' && one.service === 'kubernetes')
  return slice?.ports[0]?.port ?? 6443
})

/** The interfaces that a packet of the pod network passes on a node. */
export interface Ways {
  readonly bridge: string
  /** To other nodes: the tunnel device, or the host's own interface with host-gw. */
  readonly tunnel: string
  /** With the address of the node. */
  readonly outer: string
  /** The UDP port of the tunnel; absent where there is none. */
  readonly port?: number
  /** Are bridge and tunnel those of flannel, or like them? The ways of another network provider are not known. */
  readonly known: boolean
}

/** Undefined where the node has no address of its own that could be found. */
export function waysOf(picture: Picture, node: NodeView): Ways | undefined {
  const outer = linkWith(node, spotsOf(picture).get(node.node)?.ip)?.name
  if (!outer) return undefined
  const flannel = picture.cluster?.configs.flannel
  const tunnel = node.links.find(({ name }) => /^flannel[.\d]/.test(name))
  const bridge = node.links.find(({ kind, name }) => kind === 'bridge' && name === 'cni0')?.name ?? 'cni0'
  const port = flannel && flannel.backend !== 'host-gw' ? flannel.port : tunnel?.vxlan?.port
  const planned = flannel ? `flannel.${flannel.vni}` : outer
  const over = flannel?.backend === 'host-gw' ? outer : (tunnel?.name ?? planned)
  const provider = picture.cluster?.configs.provider ?? 'unknown'
  const like = node.flannelEnv !== null || node.links.some(({ name }) => name === bridge)
  const known = provider === 'flannel' || (provider === 'unknown' && like)
  return { bridge, tunnel: over, outer, known, ...(port && { port }) }
}

/** How a person shows the chain, and the line in it. */
export function shownAt({ chain, rule }: Place): Evidence {
  const { backend, family, table, name } = chain
  const tool = backend === 'iptables-legacy' ? 'iptables-legacy' : 'iptables'
  const of = table === 'filter' ? '' : `-t ${table} `
  if (backend !== 'nft') return shown(`${tool} ${of}-S ${name}`, rule?.text ?? `-P ${name} ${policyOf(chain)}`)
  const base = `type ${chain.type ?? 'filter'} hook ${chain.hook} priority ${chain.priority}; policy ${chain.policy};`
  return shown(`nft list chain ${family} ${table} ${name}`, rule?.text ?? base)
}

const policyOf = ({ policy }: Place['chain']): string => (policy ?? 'accept').toUpperCase()

/** `policy drop of ip filter FORWARD`, `a rule of inet firewalld filter_FORWARD` */
export function placeText({ chain, rule }: Place): string {
  const where = `${chain.family} ${chain.table} ${chain.name}`
  return rule ? `a rule of ${where}` : `the policy ${chain.policy} of ${where}`
}

/** Could the rules of the node be read at all? */
export function rulesRead({ dump }: NodeView): boolean {
  return dump.parts['iptables-save'] !== undefined || dump.parts.nft !== undefined
}
