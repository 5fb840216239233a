import type { Cause, Finding } from '../../model/cause.ts'
import type { Link, Picture } from '../../model/dump.ts'
import type { Evidence } from '../../model/trouble.ts'
import { bridgeOf, linkLine, type Seen, seenOf, shown, tunnelOf } from './ground.ts'
import { setMtu } from './remedy.ts'

const lost = ['large-packets'] as const

/** What the headers of the tunnel add to a packet, by the family of the outer one. */
const added = (link: Link) => (link.vxlan?.local?.includes(':') ? 70 : 50)

/** The interface that carries the packets of the tunnel. */
function carrierOf({ view, lease }: Seen, tunnel: Link): Link | undefined {
  const ip = tunnel.vxlan?.local ?? lease.ip
  return (
    view.links.find(({ name }) => name === tunnel.vxlan?.device) ??
    view.links.find(({ addresses }) => ip !== undefined && addresses.some((address) => address.ip === ip))
  )
}

/** The MTU that flannel worked out for the pods of the node. */
function wantedOf({ view }: Seen, tunnel: Link | undefined): number | undefined {
  const text = view.flannelEnv?.get('FLANNEL_MTU')
  return text && Number(text) > 0 ? Number(text) : tunnel?.mtu
}

export const mtuUnderlay: Cause = {
  code: 'MTU_UNDERLAY',
  because:
    'The tunnel adds 50 bytes to each packet. With them the largest ones no longer fit through the interface that carries them: they are cut into pieces, which costs speed, or lost where the network passes no pieces.',
  shows: 'ip link show flannel.1; ip link',
  fix: 'Set MTU in Backend of net-conf.json to at most the MTU of the interface less 50, restart flannel, and make the pods anew; or give the interface its MTU back.',
  needs: 'vxlan',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name } = member
      const tunnel = tunnelOf(picture, member)
      const carrier = tunnel && carrierOf(member, tunnel)
      if (!tunnel || !carrier || tunnel.mtu + added(tunnel) <= carrier.mtu) return []
      // somebody changed the tunnel device alone
      const wanted = wantedOf(member, tunnel)!
      if (wanted !== tunnel.mtu && wanted + added(tunnel) <= carrier.mtu) return []
      return [
        {
          where: name,
          message: `${tunnel.name} of ${name} has MTU ${tunnel.mtu}, with ${added(tunnel)} bytes of the tunnel that is more than the ${carrier.mtu} of ${carrier.name}`,
          evidence: [
            shown(name, `ip link show ${tunnel.name}`, linkLine(tunnel)),
            shown(name, `ip link show ${carrier.name}`, linkLine(carrier)),
          ],
          breaks: { scenarios: lost, nodes: [name], acrossOnly: true },
        },
      ]
    }),
}

interface Odd {
  readonly what: string
  readonly evidence: Evidence
  readonly harmless: boolean
  /** The link of the node; of a pod there is none here. */
  readonly link?: Link
}

/** Every link of the node's pods whose MTU is not `wanted`. */
function oddLinks(picture: Picture, member: Seen, wanted: number): Odd[] {
  const { name, view } = member
  const odds: Odd[] = []
  const say = (link: Link, harmless = false) =>
    odds.push({
      what: `${link.name} ${link.mtu}`,
      evidence: shown(name, `ip link show ${link.name}`, linkLine(link)),
      harmless,
      link,
    })
  const tunnel = tunnelOf(picture, member)
  if (tunnel && tunnel.mtu !== wanted) say(tunnel)
  const bridge = view.links.find((link) => link.name === bridgeOf(member))
  const ports = view.links.filter((link) => bridge && link.master === bridge.name)
  // the kernel gives a bridge the smallest MTU of its ports, and 1500 without any
  const least = Math.min(wanted, ...ports.map(({ mtu }) => mtu))
  if (bridge && ports.length > 0 && bridge.mtu !== wanted && bridge.mtu !== least) say(bridge)
  for (const pod of view.pods) {
    const inside = pod.links.find((link) => link.name === 'eth0' && link.kind === 'veth')
    const outside = ports.find((link) => link.index === inside?.peerIndex)
    if (!inside || !outside) continue
    const different = inside.mtu !== outside.mtu
    if (outside.mtu !== wanted) say(outside, !different && outside.mtu < wanted)
    if (different && inside.mtu !== wanted)
      odds.push({
        what: `eth0 of a pod ${inside.mtu}`,
        evidence: shown(name, `nsenter -t ${pod.pid} -n ip link show eth0`, linkLine(inside)),
        harmless: false,
      })
  }
  return odds
}

export const mtuMismatch: Cause = {
  code: 'MTU_MISMATCH',
  because:
    'flannel works out one MTU for the tunnel device, the bridge and the pods of a node. Where one link is set to a smaller one than its neighbour, packets that the one sends are dropped by the other.',
  shows: 'cat /run/flannel/subnet.env; ip link',
  fix: 'Set the link to FLANNEL_MTU: ip link set LINK mtu N. Pods that are made anew get the right one by themselves.',
  needs: 'flannel',
  find(picture) {
    const rows = seenOf(picture).map((member) => {
      const wanted = wantedOf(member, tunnelOf(picture, member))
      return { member, wanted, odds: wanted === undefined ? [] : oddLinks(picture, member, wanted) }
    })
    const within = rows.flatMap(({ member, wanted, odds }): Finding[] => {
      if (odds.length === 0) return []
      const harmless = odds.every((odd) => odd.harmless)
      const list = `${odds
        .slice(0, 4)
        .map(({ what }) => what)
        .join(', ')}${odds.length > 4 ? ` and ${odds.length - 4} more` : ''}`
      return [
        {
          where: member.name,
          message: `the MTU of pods of ${member.name} is ${wanted}, but that of ${list}`,
          evidence: [
            ...odds.slice(0, 4).map(({ evidence }) => evidence),
            shown(member.name, 'cat /run/flannel/subnet.env', `FLANNEL_MTU=${wanted}`),
          ],
          ...(harmless && { level: 'warning' as const }),
          breaks: { scenarios: lost, nodes: harmless ? [] : [member.name] },
          ...remedyOf(member.name, odds, wanted!),
        },
      ]
    })
    return [...within, ...between(rows.filter(({ odds }) => odds.length === 0))]
  },
}

/** A pod that has less on both of its ends is left as it is: half of it would be worse. */
function remedyOf(node: string, odds: readonly Odd[], mtu: number): Pick<Finding, 'remedy'> {
  const links = odds.flatMap(({ link, harmless }) => (link && !harmless ? [link] : []))
  return links.length > 0 ? { remedy: [{ node, actions: links.map((link) => setMtu(link, mtu)) }] } : {}
}

/** Nodes that work with a larger MTU than others: what they send in one packet may not fit on the way to those. */
function between(rows: readonly { member: Seen; wanted: number | undefined }[]): Finding[] {
  const told = rows.flatMap(({ member, wanted }) => (wanted === undefined ? [] : [{ name: member.name, wanted }]))
  const least = Math.min(...told.map(({ wanted }) => wanted))
  const [large, small] = [told.filter(({ wanted }) => wanted > least), told.filter(({ wanted }) => wanted === least)]
  if (large.length === 0) return []
  const row = ({ name, wanted }: (typeof told)[number]) =>
    shown(name, 'cat /run/flannel/subnet.env', `FLANNEL_MTU=${wanted}`)
  return [
    {
      where: large[0]!.name,
      message: `pods of ${large.map(({ name, wanted }) => `${name} (${wanted})`).join(', ')} send larger packets than those of ${small.map(({ name }) => name).join(', ')} (${least})`,
      evidence: [row(large[0]!), row(small[0]!)],
      level: 'warning',
      breaks: { scenarios: lost, nodes: large.map(({ name }) => name), acrossOnly: true },
    },
  ]
}
