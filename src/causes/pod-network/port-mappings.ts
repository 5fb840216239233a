import { chainsAt } from '../../model/chains.ts'
import type { ApiPod, Picture } from '../../model/dump.ts'
import { every, holds, type Passing } from '../../model/passing.ts'
import { isProxys } from '../host/leftovers.ts'
import { isV4, once, spotsOf, waysOf } from '../host/tools.ts'
import { blockOnWay, type Place, translates, walk } from '../host/walk.ts'
import { type Seen, seenOf } from './ground.ts'
import { podsOn } from './running.ts'

/** A hostPort of a pod that runs, and what its node does with packets for it. */
export interface HostPort extends Mapped {
  readonly pod: ApiPod
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

interface Mapped {
  /**
   * `none`: no rule leads to the pod. `unreached`: there is one, and no packet comes to it. `taken`: another rule decides before.
   * `blocked`: a firewall drops what comes from outside for it, before its address is translated or after.
   * `well`: packets are led to the pod; or it is for another address of the node only; or it cannot be said.
   */
  readonly state: 'well' | 'none' | 'unreached' | 'taken' | 'blocked'
  /** The rule that leads to the pod. */
  readonly own?: Place
  /** The rule that decides before, or that drops. */
  readonly by?: Place
}

/** The hostPorts of each node whose rules could be read. */
export const hostPortsOf = once((picture): ReadonlyMap<string, readonly HostPort[]> => {
  return new Map(seenOf(picture).map((member) => [member.name, rulesRead(member) ? portsOn(picture, member) : []]))
})

/** Were all rules read? A program that the host does not have has made none. */
function rulesRead({ view: { dump } }: Seen): boolean {
  const parts = ['iptables-save', 'nft']
  const read = parts.filter((part) => dump.parts[part] !== undefined)
  const lost = parts.filter((part) => !read.includes(part) && !dump.problems[part]?.startsWith('there is no '))
  return read.length > 0 && lost.length === 0
}

function portsOn(picture: Picture, member: Seen): HostPort[] {
  return podsOn(picture, member.name).flatMap((pod) => {
    const ip = pod.ips.find(isV4)
    if (ip === undefined) return []
    return pod.containers
      .flatMap(({ ports }) => ports)
      .flatMap(({ protocol, port, hostPort }): HostPort[] => {
        if (hostPort === undefined || (protocol !== 'tcp' && protocol !== 'udp')) return []
        const packets = packetsFor(picture, member, protocol, hostPort)
        return [{ pod, protocol, port: hostPort, ...stateOf(picture, member, packets, { ip, port }) }]
      })
  })
}

/** A packet for the node that another node sends, and one of its own pods. */
function packetsFor(picture: Picture, { name, view }: Seen, protocol: 'tcp' | 'udp', dport: number): Passing[] {
  const ways = waysOf(picture, view)
  const spots = spotsOf(picture)
  const own = spots.get(name)
  if (!ways || !own?.ip) return []
  const packet = {
    ...{ protocol, dport, sport: 50123, daddr: own.ip, oif: '', mark: 0, ctmark: 0, ctstate: ['new'] },
    types: { saddr: 'unicast', daddr: 'local' },
  }
  const peer = [...spots.values()].find((spot) => spot.name !== name && spot.ip)?.ip ?? '198.51.100.1'
  const fromPods = own.podCidr && ways.known ? [{ ...packet, saddr: own.podCidr, iif: ways.bridge }] : []
  return [{ ...packet, saddr: peer, iif: ways.outer }, ...fromPods]
}

function stateOf(
  picture: Picture,
  member: Seen,
  packets: readonly Passing[],
  { ip, port }: { readonly ip: string; readonly port: number },
): Mapped {
  const { netfilter } = member.view
  const leads = ({ rule }: Place) =>
    rule?.verdicts.some((it) => it.do === 'dnat' && it.ip === ip && (it.port ?? port) === port) ?? false
  const mayHold = ({ rule }: Place, packet: Passing) =>
    every(rule?.matches ?? [], (match) => holds(match, packet, netfilter)) !== false
  const [first] = packets
  if (!first) return { state: 'well' }
  const { protocol, dport } = first as Required<Passing>
  const mappings = netfilter.chains
    .filter((chain) => chain.family !== 'ip6' && !isProxys(chain))
    .flatMap((chain) => chain.rules.map((rule) => ({ chain, rule })))
    // whoever sends, and to whichever address of the node
    .filter((place) => leads(place) && mayHold(place, { protocol, dport }))
  const [own] = mappings
  if (!own) return { state: 'none' }
  for (const packet of packets.filter((packet) => mappings.some((place) => mayHold(place, packet)))) {
    const walks = chainsAt(netfilter, 'prerouting')
      .filter(({ type }) => type === 'nat')
      .map((chain) => walk(netfilter, chain, packet))
    const end = walks.find((taken) => [taken, ...taken.doubts].some(translates))
    if (end) {
      const all = [end, ...end.doubts]
      if (all.every(translates) && !all.some(({ by }) => leads(by))) return { state: 'taken', own, by: end.by }
    } else if (walks.every(({ doubts }) => doubts.length === 0)) {
      const by = walks.find(({ by }) => by.rule && by.chain.table === own.chain.table)?.by
      return by ? { state: 'taken', own, by } : { state: 'unreached', own }
    }
  }
  // one for another address of the node says nothing of packets from outside
  const outside = mappings.some((place) => mayHold(place, first))
  const by = outside && blockedBy(picture, member, first, { daddr: ip, dport: port })
  return by ? { state: 'blocked', own, by } : { state: 'well', own }
}

/** What drops a packet from outside, whoever sends it: as it arrives, and on its way to the pod. */
function blockedBy(
  picture: Picture,
  { view }: Seen,
  { saddr: _, ...arriving }: Passing,
  pod: Pick<Passing, 'daddr' | 'dport'>,
): Place | undefined {
  const ways = waysOf(picture, view)
  if (!ways?.known) return undefined
  const going = { ...arriving, ...pod, oif: ways.bridge, ctstate: ['new', 'dnat'], types: { saddr: 'unicast' } }
  return blockOnWay(view.netfilter, arriving, going)?.walk.by
}
