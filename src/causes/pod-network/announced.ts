import type { Breaks, Cause, Finding } from '../../model/cause.ts'
import { contains, networkOf } from '../../model/cidr.ts'
import type { NodeView, Picture } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import { addressesOf, isUp, membersOf, nodeEvidence, type Seen, seenOf, shown, tunnelOf } from './ground.ts'

const announcement = 'metadata.annotations["flannel.alpha.coreos.com/public-ip"]'
const across = (...nodes: string[]): Breaks => ({ nodes, acrossOnly: true })

/** The networks that a node is on, with the interface: not those of pods, of local bridges and of single addresses. */
function networksOf({ links }: NodeView) {
  return links
    .filter((link) => isUp(link) && link.type !== 'loopback' && !/^(cni|flannel|veth|kube-)/.test(link.name))
    .flatMap((link) =>
      link.addresses.flatMap(({ ip, prefix, family }) => {
        const network = networkOf(`${ip}/${prefix}`)
        return network && family === 4 && prefix < 32 ? [{ link: link.name, ip, network }] : []
      }),
    )
}

/** Nodes by the address that flannel announces for them, where two or more announce the same. */
function sameAddress(picture: Picture): [string, string[]][] {
  const told = membersOf(picture).filter(({ lease }) => lease.ip)
  const byIp = groupBy(told, ({ lease }) => lease.ip!)
  return [...byIp].flatMap(([ip, same]) => (same.length > 1 ? [[ip, same.map(({ name }) => name)]] : []))
}

/** The nodes that packets to their common address do not reach: all, unless just one of them has it. */
function losersOf({ nodes }: Picture, ip: string, names: string[]): string[] {
  const holders = names.filter((name) => {
    const view = nodes.get(name)
    return view && addressesOf(view).includes(ip)
  })
  return holders.length === 1 ? names.filter((name) => name !== holders[0]) : names
}

/** The interface of the announced address, where no other node is on its network while the node has another one with them. */
function lonely(member: Seen, peers: ReadonlySet<string>): { link: string; ip: string; better: string } | null {
  const { lease, view, api } = member
  if (!lease.ip || lease.byHand || api?.internalIPs.includes(lease.ip)) return null
  const networks = networksOf(view)
  const own = networks.find(({ ip }) => ip === lease.ip)
  if (!own) return null
  const shared = (of: (typeof networks)[number]) =>
    [...peers].some((ip) => !networks.some((it) => it.ip === ip) && contains(of.network, ip))
  const better = shared(own) ? undefined : networks.find((it) => it !== own && shared(it))
  return better ? { link: own.link, ip: lease.ip, better: `${better.ip} on ${better.link}` } : null
}

export const flannelWrongIface: Cause = {
  code: 'FLANNEL_WRONG_IFACE',
  because:
    'flannel tells the other nodes the address of the interface with the default route, unless it is told another. Where that is a network of its own, as the NAT interface of a virtual machine, they send the packets of the tunnel to nobody.',
  shows: `kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.annotations.flannel\\.alpha\\.coreos\\.com/public-ip}{"\\n"}{end}'`,
  fix: 'Give flannel the interface on which the nodes reach each other: --iface or --iface-can-reach in its DaemonSet.',
  needs: 'flannel',
  find(picture) {
    const equal = sameAddress(picture)
    const doubled = new Set(equal.flatMap(([, names]) => names))
    const peers = new Set(membersOf(picture).flatMap(({ api, lease }) => [...(api?.internalIPs ?? []), lease.ip ?? '']))
    const same = equal.map(
      ([ip, names]): Finding => ({
        where: names.length === 2 ? names.join(' -> ') : names[0]!,
        message: `flannel announces ${ip} for ${names.join(' and ')}`,
        evidence: names.slice(0, 4).map((name) => nodeEvidence(name, announcement, ip)),
        breaks: across(...losersOf(picture, ip, names)),
      }),
    )
    const alone = seenOf(picture).flatMap((member): Finding[] => {
      const iface = doubled.has(member.name) ? null : lonely(member, peers)
      if (!iface) return []
      const { name, api } = member
      return [
        {
          where: name,
          message: `flannel announces ${iface.ip} on ${iface.link} for ${name}; the other nodes are on the network of ${iface.better}`,
          evidence: [
            nodeEvidence(name, announcement, iface.ip),
            nodeEvidence(name, 'status.addresses InternalIP', api?.internalIPs.join(', ') ?? ''),
          ],
          breaks: across(name),
        },
      ]
    })
    return [...same, ...alone]
  },
}

/**
 * Is what flannel announces for the node an address that it does not have? An address of a NAT outside of the node's networks
 * (flannel's --public-ip) is none of its own by design, as long as the tunnel device sends from one that it has.
 */
function stale(picture: Picture, member: Seen): string | null {
  const { lease, view } = member
  const own = addressesOf(view)
  if (!lease.ip || lease.byHand || own.length === 0 || own.includes(lease.ip)) return null
  const local = tunnelOf(picture, member)?.vxlan?.local
  if (local && !own.includes(local)) return lease.ip
  return networksOf(view).some(({ network }) => contains(network, lease.ip!)) ? lease.ip : null
}

export const publicIpStale: Cause = {
  code: 'PUBLIC_IP_STALE',
  because:
    'flannel reads the address of its node when it starts. When the node gets another one, the other nodes go on sending the packets of the tunnel to the old one.',
  shows: 'ip addr; kubectl get node NODE -o yaml',
  fix: 'Restart flannel on the node (delete its pod there): it announces the new address, and the others follow.',
  needs: 'flannel',
  find(picture) {
    const doubled = new Set(sameAddress(picture).flatMap(([, names]) => names))
    return seenOf(picture).flatMap((member): Finding[] => {
      const { name, view } = member
      const ip = doubled.has(name) ? null : stale(picture, member)
      if (!ip) return []
      const own = networksOf(view).map((it) => `${it.link} ${it.ip}`)
      const local = tunnelOf(picture, member)?.vxlan?.local
      return [
        {
          where: name,
          message: `flannel announces ${ip} for ${name}, which has no such address`,
          evidence: [
            nodeEvidence(name, announcement, ip),
            shown(name, 'ip -4 -o addr', own.join(', ') || 'no address'),
            ...(local ? [shown(name, 'ip -d link show flannel.1', `vxlan local ${local}`)] : []),
          ],
          breaks: across(name),
        },
      ]
    })
  },
}

/** The nodes of whose announced address a cause of this file says that it is wrong. */
export function wrongAddress(picture: Picture): ReadonlySet<string> {
  const peers = new Set(membersOf(picture).flatMap(({ api, lease }) => [...(api?.internalIPs ?? []), lease.ip ?? '']))
  const bad = seenOf(picture).filter((member) => stale(picture, member) || lonely(member, peers))
  return new Set([...sameAddress(picture).flatMap(([, names]) => names), ...bad.map(({ name }) => name)])
}
