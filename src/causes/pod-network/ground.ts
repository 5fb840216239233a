import { type Cidr, cidrText, networkOf, nth, overlaps } from '../../model/cidr.ts'
import type { ApiNode, Link, NodeView, Picture } from '../../model/dump.ts'
import type { Evidence } from '../../model/trouble.ts'
import { type Deviation, deviationsOf } from '../../model/tunnels.ts'

/** What flannel announces of a node, in the annotations of its Node object. */
export interface Lease {
  readonly ip?: string
  readonly mac?: string
  readonly vni?: number
  /** The address was set by hand (annotation public-ip-overwrite), and need not be one of the node's. */
  readonly byHand: boolean
}

/** A node of the cluster: as the API server has it, and as it looks itself where it could be read. */
export interface Member {
  readonly name: string
  readonly api?: ApiNode
  readonly view?: NodeView
  /** Its IPv4 podCIDR. Where no API server answers, what flannel wrote down on the node. */
  readonly cidr?: Cidr
  readonly lease: Lease
}
/** A member that could be read. */
export type Seen = Member & { readonly view: NodeView }

const known = new WeakMap<Picture, readonly Member[]>()

/** Every node that the API server or the dump knows, in the order of the dump. */
export function membersOf(picture: Picture): readonly Member[] {
  let members = known.get(picture)
  if (!members) {
    const api = new Map(picture.cluster?.nodes.map((node) => [node.name, node]))
    members = [...new Set([...picture.nodes.keys(), ...api.keys()])].map((name) =>
      memberOf(name, api.get(name), picture.nodes.get(name)),
    )
    known.set(picture, members)
  }
  return members
}

/** The members that could be read. A node that is gone from the cluster is not one of them. */
export function seenOf(picture: Picture): readonly Seen[] {
  return membersOf(picture).filter(
    (member): member is Seen => member.view !== undefined && (member.api !== undefined || !picture.cluster),
  )
}

function memberOf(name: string, api: ApiNode | undefined, view: NodeView | undefined): Member {
  const cidrs = api ? api.podCIDRs : [view?.flannelEnv?.get('FLANNEL_SUBNET') ?? '']
  const cidr = cidrs.map(networkOf).find((it) => it?.family === 4)
  return {
    name,
    lease: leaseOf(api?.annotations ?? {}),
    ...(api && { api }),
    ...(view && { view }),
    ...(cidr && { cidr }),
  }
}

const prefix = 'flannel.alpha.coreos.com/'

function leaseOf(annotations: Readonly<Record<string, string>>): Lease {
  const ip = annotations[`${prefix}public-ip`]
  const data = annotations[`${prefix}backend-data`] ?? ''
  const mac = /"VtepMAC":\s*"([0-9A-Fa-f:]+)"/.exec(data)?.[1]
  const vni = /"VNI":\s*(\d+)/.exec(data)?.[1]
  return {
    byHand: annotations[`${prefix}public-ip-overwrite`] !== undefined,
    ...(ip && { ip }),
    ...(mac && { mac: mac.toLowerCase() }),
    ...(vni && { vni: Number(vni) }),
  }
}

/** vxlan, host-gw, udp …; where no API server answers, what the links of the nodes tell. Empty where nothing tells. */
export function backendOf(picture: Picture): string {
  const said = picture.cluster?.configs.flannel?.backend
  if (said) return said
  return seenOf(picture).some(({ view }) => view.links.some(isVxlan)) ? 'vxlan' : ''
}

const isVxlan = (link: Link) => link.kind === 'vxlan' && /^flannel\.\d+$/.test(link.name)

/** The tunnel device of flannel on a node, of IPv4. */
export function tunnelOf(picture: Picture, { view, lease }: Seen): Link | undefined {
  const name = tunnelName(picture, lease)
  return view.links.find((link) => link.name === name) ?? view.links.find(isVxlan)
}

/** What the tunnel device is called; undefined for a backend without one. */
export function tunnelName(picture: Picture, lease: Lease): string | undefined {
  const backend = backendOf(picture)
  if (backend === 'vxlan') return `flannel.${lease.vni ?? picture.cluster?.configs.flannel?.vni ?? 1}`
  return { udp: 'flannel0', wireguard: 'flannel-wg', ipip: 'flannel.ipip' }[backend]
}

/** The bridge into which flannel's plugin puts the pods of a node; undefined where another plugin connects them. */
export function bridgeOf({ view }: Seen): string | undefined {
  const { configs } = view.cni
  const text = configs.find((config) => /"type":\s*"flannel"/.test(config.text))?.text
  if (text === undefined && configs.length > 0) return undefined
  const delegate = pluginsOf(text ?? '')?.find((plugin) => plugin.type === 'flannel')?.delegate
  if (delegate?.type !== undefined && delegate.type !== 'bridge') return undefined
  return delegate?.bridge ?? 'cni0'
}

interface Plugin {
  readonly type?: string
  readonly delegate?: { readonly type?: string; readonly bridge?: string; readonly ipam?: { readonly type?: string } }
  readonly ipam?: { readonly type?: string }
  readonly capabilities?: { readonly portMappings?: boolean }
}

/** The plugins that a CNI configuration names, in their order; null where it is not one. */
export function pluginsOf(text: string): Plugin[] | null {
  try {
    const config: Plugin & { plugins?: Plugin[] } = JSON.parse(text)
    const plugins = Array.isArray(config.plugins) ? config.plugins : [config]
    return plugins.every((plugin) => typeof plugin?.type === 'string') && plugins.length > 0 ? plugins : null
  } catch {
    return null
  }
}

/** Has the link one of these flags: UP is what somebody set, not whether there is a carrier. */
export const isUp = (link: Link) => link.flags.includes('UP')

/** The IPv4 addresses of a node itself. */
export function addressesOf(view: NodeView): string[] {
  return view.links.flatMap((link) => link.addresses.map(({ ip }) => ip))
}

/** What a command shows on a node. */
export function shown(node: string, command: string, line: string): Evidence {
  return { source: `${node}: ${command}`, line }
}

/** A link as `ip link show` prints it. */
export function linkLine(link: Link): string {
  const { index, name, flags, mtu, master, state, type, mac } = link
  return `${index}: ${name}: <${flags.join(',')}> mtu ${mtu}${master ? ` master ${master}` : ''} state ${state} link/${type} ${mac}`
}

/** The addresses of a link as `ip addr show` prints them. */
export function addressLine(link: Link): string {
  const list = link.addresses.map(
    ({ ip, prefix, family, scope }) => `inet${family === 6 ? '6' : ''} ${ip}/${prefix} scope ${scope} ${link.name}`,
  )
  return list.join('; ') || `${link.name} has no address`
}

/** What a node says of itself in the API. */
export function nodeEvidence(node: string, path: string, value: string): Evidence {
  return { source: `kubectl get node ${node} -o yaml`, line: `${path}: ${value}` }
}

/** The address of flannel's device (0) or of the bridge (1) in a podCIDR. */
export const addressIn = (cidr: Cidr, n: 0 | 1) => nth(cidr, n)

/** The first network of IPv4 in a list as kubeadm writes it: `10.244.0.0/16,fd00::/56`. */
export function firstOf(list: string | undefined): Cidr | null {
  return (
    list
      ?.split(',')
      .map((text) => networkOf(text.trim()))
      .find((it) => it?.family === 4) ?? null
  )
}

/** Sets of members whose podCIDRs overlap, each of at least two. */
export function sharersOf(picture: Picture): Member[][] {
  const sorted = membersOf(picture)
    .filter((member): member is Member & { cidr: Cidr } => member.cidr !== undefined)
    .sort((a, b) =>
      a.cidr.first < b.cidr.first ? -1 : a.cidr.first > b.cidr.first ? 1 : a.cidr.prefix - b.cidr.prefix,
    )
  const groups: (Member & { cidr: Cidr })[][] = []
  for (const member of sorted) {
    const last = groups.at(-1)
    if (last?.some(({ cidr }) => overlaps(cidr, member.cidr))) last.push(member)
    else groups.push([member])
  }
  return groups.filter((group) => group.length > 1)
}

export const podCidrText = (member: Member) => (member.cidr ? cidrText(member.cidr) : 'none')

const differences = new WeakMap<NodeView, readonly Deviation[]>()

/** Where the tables of a node are not, line by line, what the announcements of its peers make of them; compared as texts, once. */
export function differencesOf(picture: Picture, member: Seen): readonly Deviation[] {
  let found = differences.get(member.view)
  if (!found) {
    found = deviationsOf(picture, member.view, tunnelOf(picture, member)?.name ?? '')
    differences.set(member.view, found)
  }
  return found
}
