import type { NodeView } from '../model/dump.ts'
import type { Match, Rule, SetElement } from '../model/netfilter.ts'
import { isLocal, within } from './fib.ts'
import type { Flying } from './packet.ts'

/** Where a packet stands when rules are asked about it. */
export interface Spot {
  readonly view: NodeView
  readonly packet: Flying
  readonly iif?: string
  readonly oif?: string
  /** Decides where the kernel throws dice: given the weights of the ways, says which one is looked at now. */
  readonly pick: (weights: readonly number[]) => number
}

export type Answer = 'yes' | 'no' | 'maybe'

/** Do all matches of a rule hold? `maybe` where one is not understood and the others hold. */
export function matches(rule: Rule, spot: Spot): Answer {
  let answer: Answer = 'yes'
  const random: number[] = []
  for (const match of rule.matches) {
    if (match.what === 'random') {
      random.push(match.probability)
      continue
    }
    const one = holds(match, spot)
    if (one === 'no') return 'no'
    if (one === 'maybe') answer = 'maybe'
  }
  for (const probability of random) if (spot.pick([probability, 1 - probability]) === 1) return 'no'
  return answer
}

function holds(match: Exclude<Match, { what: 'random' }>, spot: Spot): Answer {
  const { packet, view } = spot
  const said = (yes: boolean): Answer => (yes !== ('not' in match && match.not === true) ? 'yes' : 'no')
  switch (match.what) {
    case 'saddr':
    case 'daddr': {
      const ip = match.what === 'saddr' ? packet.source : packet.destination
      return said(match.cidrs.some((cidr) => inRange(cidr, ip)))
    }
    case 'protocol':
      return said(match.protocols.includes(packet.protocol))
    case 'sport':
    case 'dport': {
      const port = match.what === 'sport' ? packet.sourcePort : packet.port
      return said(packet.protocol !== 'icmp' && match.ports.some(([first, last]) => port >= first && port <= last))
    }
    case 'iif':
    case 'oif': {
      const name = spot[match.what]
      return said(name !== undefined && match.names.some((one) => namesIt(one, name)))
    }
    case 'ctstate':
      return said(match.states.some((state) => state === packet.state || stateHolds(state, packet)))
    case 'mark':
      return said((packet.mark & match.mask) >>> 0 === match.value >>> 0)
    case 'addrtype':
      return said(
        typesOf(view, match.of === 'saddr' ? packet.source : packet.destination).some((type) =>
          match.types.includes(type),
        ),
      )
    case 'set': {
      const elements = view.netfilter.sets.get(match.set)
      const key = keysOf(match.keys, spot)
      if (!elements || !key) return 'maybe'
      return said(elements.some((element) => isKey(element, key)))
    }
    case 'ctmark':
      return said((0 & match.mask) === match.value)
    case 'recent':
      return 'no'
    case 'unknown':
      return 'maybe'
  }
}

const stateHolds = (state: string, { dnat, snat }: Flying): boolean =>
  (state === 'dnat' && dnat) || (state === 'snat' && snat)

/** 10.244.0.0/16, one address, or a range of nft: 10.0.0.1-10.0.0.9. */
function inRange(range: string, ip: string): boolean {
  const [first, last] = range.split('-')
  if (last === undefined) return within(range, ip)
  return numberOf(first!) <= numberOf(ip) && numberOf(ip) <= numberOf(last)
}

const numberOf = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

const namesIt = (pattern: string, name: string): boolean =>
  pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : pattern === name

function typesOf(view: NodeView, ip: string): string[] {
  if (isLocal(view, ip)) return ['local']
  if (ip === '255.255.255.255') return ['broadcast']
  return [within('224.0.0.0/4', ip) ? 'multicast' : 'unicast']
}

/** The value of each field of a key for this packet; null where one is not known. Dice are thrown by the walk, not here. */
export function keysOf(keys: readonly string[], { packet, iif, oif }: Spot): string[] | null {
  const fields: Readonly<Record<string, string | undefined>> = {
    'ip saddr': packet.source,
    'ip daddr': packet.destination,
    'ip protocol': packet.protocol,
    'meta l4proto': packet.protocol,
    'th sport': String(packet.sourcePort),
    'th dport': String(packet.port),
    'tcp sport': packet.protocol === 'tcp' ? String(packet.sourcePort) : '-',
    'tcp dport': packet.protocol === 'tcp' ? String(packet.port) : '-',
    'udp sport': packet.protocol === 'udp' ? String(packet.sourcePort) : '-',
    'udp dport': packet.protocol === 'udp' ? String(packet.port) : '-',
    'ct state': packet.state,
    'meta nfproto': 'ipv4',
    'meta protocol': 'ip',
    iifname: iif ?? '-',
    oifname: oif ?? '-',
    iif: iif ?? '-',
    oif: oif ?? '-',
  }
  const values = keys.map((key) => fields[key])
  return values.includes(undefined) ? null : (values as string[])
}

/** Does the element stand for this key? Its parts may be networks, ranges and names with a star. */
export function isKey(element: SetElement, key: readonly string[]): boolean {
  return element.key.length === key.length && element.key.every((part, i) => covers(part, key[i]!))
}

function covers(part: string, value: string): boolean {
  if (part === value || part === '*') return true
  if (/^\d+-\d+$/.test(part)) {
    const [first, last] = part.split('-').map(Number)
    return Number(value) >= first! && Number(value) <= last!
  }
  if (part.endsWith('*')) return value.startsWith(part.slice(0, -1))
  return /^[\d.]+[/-][\d./]+$/.test(part) && /^[\d.]+$/.test(value) && inRange(part, value)
}
