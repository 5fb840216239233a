import { type Cidr, cidrOf, sizeOf } from './cidr.ts'
import type { Match, Netfilter, SetElement, Verdict } from './netfilter.ts'

/**
 * A packet as netfilter sees it in one place. What is absent is not known, and a match that asks for it is neither true nor
 * false. An address may be a CIDR: then a match is true where it holds for all of it.
 */
export interface Passing {
  readonly saddr?: string
  readonly daddr?: string
  readonly protocol?: 'tcp' | 'udp' | 'icmp'
  readonly sport?: number
  readonly dport?: number
  /** The names of the interfaces; an empty one where there is none at that hook. */
  readonly iif?: string
  readonly oif?: string
  /** What conntrack says of it: new, established, dnat … */
  readonly ctstate?: readonly string[]
  readonly mark?: number
  readonly ctmark?: number
  /** Whether the address belongs to this host, as `addrtype` sees it: local, unicast, broadcast, multicast. */
  readonly types?: { readonly saddr?: string; readonly daddr?: string }
}

/** Does a match hold for a packet? Null where that cannot be said. */
export function holds(match: Match, packet: Passing, netfilter: Netfilter): boolean | null {
  const is = plain(match, packet, netfilter)
  return is !== null && 'not' in match && match.not ? !is : is
}

function plain(match: Match, packet: Passing, netfilter: Netfilter): boolean | null {
  switch (match.what) {
    case 'saddr':
    case 'daddr':
      return some(match.cidrs, (cidr) => within(packet[match.what], cidr))
    case 'protocol':
      return some(match.protocols, (name) => sameProtocol(packet.protocol, name))
    case 'sport':
    case 'dport':
      return packet.protocol === 'icmp'
        ? false
        : some(match.ports, ([first, last]) => between(packet[match.what], first, last))
    case 'iif':
    case 'oif':
      return some(match.names, (name) => sameName(packet[match.what], name))
    case 'ctstate':
      return packet.ctstate ? match.states.some((state) => packet.ctstate?.includes(state)) : null
    case 'mark':
      return packet.mark === undefined ? null : (packet.mark & match.mask) >>> 0 === match.value >>> 0
    case 'ctmark':
      return packet.ctmark === undefined ? null : (packet.ctmark & match.mask) >>> 0 === match.value >>> 0
    case 'addrtype': {
      const type = packet.types?.[match.of]
      return type === undefined ? null : match.types.includes(type)
    }
    case 'random':
      return match.probability >= 1 ? true : null
    case 'set': {
      const elements = netfilter.sets.get(match.set)
      return elements ? some(elements, (element) => keyHolds(match.keys, element, packet)) : null
    }
    case 'unknown':
      return impliedBy(match.text, packet)
    case 'recent':
      return null
  }
}

/** What is not understood may still say by its first word for which packets it is: `icmp type echo-request`, `ip6 nexthdr …`. */
function impliedBy(text: string, { protocol }: Passing): false | null {
  const word = /^(tcp|udp|icmp|sctp|icmpv6|ip6|arp)\b/.exec(text)?.[1]
  return word && protocol && word !== protocol ? false : null
}

/** Is this the element of a set or map that a packet finds? `keys` are the fields of the lookup, in nft's words. */
export function keyHolds(keys: readonly string[], { key }: SetElement, packet: Passing): boolean | null {
  return every(keys, (field, i) => fieldHolds(field, key[i] ?? '', packet))
}

function fieldHolds(field: string, value: string, packet: Passing): boolean | null {
  if (value === '*') return true
  if (/\bsaddr$/.test(field)) return within(packet.saddr, value)
  if (/\bdaddr$/.test(field)) return within(packet.daddr, value)
  if (/^(meta l4proto|ip protocol)$/.test(field)) return sameProtocol(packet.protocol, value)
  if (/\biif(name)?$/.test(field)) return sameName(packet.iif, value)
  if (/\boif(name)?$/.test(field)) return sameName(packet.oif, value)
  if (/^ct state$/.test(field)) return packet.ctstate?.includes(value) ?? null
  if (field === 'meta nfproto') return value === 'ipv4'
  if (field === 'meta protocol') return value === 'ip'
  const [, of, port] = (/^(tcp|udp|th) ([sd]port)$/.exec(field) ?? []) as [string?, string?, ('sport' | 'dport')?]
  if (packet.protocol && (packet.protocol === 'icmp' || (of !== 'th' && of !== packet.protocol)) && port) return false
  const [first, last = first] = value.split('-')
  return port && /^\d+$/.test(first ?? '') ? between(packet[port], Number(first), Number(last)) : null
}

function within(address: string | undefined, range: string): boolean | null {
  const outer = rangeOf(range)
  if (!outer) return null
  const inner = address === undefined ? null : rangeOf(address)
  // an address that is not known is one of IPv4 all the same
  if (outer.all || (!inner && outer.family === 6)) return outer.family === (inner?.family ?? 4)
  if (!inner) return null
  if (inner.family !== outer.family || inner.last < outer.first || inner.first > outer.last) return false
  return outer.first <= inner.first && inner.last <= outer.last ? true : null
}

interface Range {
  readonly family: Cidr['family']
  readonly first: bigint
  readonly last: bigint
  /** Every address of its family. */
  readonly all: boolean
}

const ranges = new Map<string, Range | null>()

/** 10.244.0.0/16, one address, or a range as nft has it: 10.0.0.1-10.0.0.9. */
function rangeOf(text: string): Range | null {
  let range = ranges.get(text)
  if (range === undefined) {
    const [from, to = from] = text.split('-').map(cidrOf)
    const last = to && to.first + sizeOf(to) - 1n
    range = from && last ? { family: from.family, first: from.first, last, all: from.prefix === 0 } : null
    if (ranges.size > 100_000) ranges.clear()
    ranges.set(text, range)
  }
  return range
}

function between(port: number | undefined, first: number, last: number): boolean | null {
  if (first <= 0 && last >= 65535) return true
  return port === undefined ? null : port >= first && port <= last
}

const numbers: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp' }

function sameProtocol(is: string | undefined, name: string): boolean | null {
  if (name === 'all' || name === '0') return true
  return is === undefined ? null : is === (numbers[name] ?? name)
}

function sameName(is: string | undefined, name: string): boolean | null {
  if (name === '+' || name === '*') return true
  if (is === undefined) return null
  return /[+*]$/.test(name) ? is.startsWith(name.slice(0, -1)) : is === name
}

/** True where it is true of one, false where it is false of all. */
function some<T>(list: readonly T[], holds: (item: T) => boolean | null): boolean | null {
  let all: boolean | null = false
  for (const item of list) {
    const is = holds(item)
    if (is) return true
    if (is === null) all = null
  }
  return all
}

/** False where it is false of one, true where it is true of all. */
export function every<T>(list: readonly T[], holds: (item: T, i: number) => boolean | null): boolean | null {
  let all: boolean | null = true
  for (const [i, item] of list.entries()) {
    const is = holds(item, i)
    if (is === false) return false
    if (is === null) all = null
  }
  return all
}

/** The mark after a rule has set it. */
export function marked(mark: number, { value, mask, how }: Extract<Verdict, { do: 'mark' }>): number {
  return { set: (mark & ~mask) | value, or: mark | value, and: mark & value, xor: mark ^ value }[how] >>> 0
}
