import type { NodeView } from '../model/dump.ts'
import type { Rule, SetElement } from '../model/netfilter.ts'
import { every, holds, keyHolds, type Passing } from '../model/passing.ts'
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

/** Do all matches of a rule hold? Null where one is not understood and the others hold. */
export function matches(rule: Rule, spot: Spot): boolean | null {
  const passing = passingAt(spot)
  // the dice are thrown last, and once for each
  const dice = rule.matches.filter((match) => match.what === 'random')
  const all = every(rule.matches, (match) => {
    if (match.what === 'random') return true
    // nobody has been here before: the packet is the first of its client
    return match.what === 'recent' ? false : holds(match, passing, spot.view.netfilter)
  })
  if (all === false) return false
  return dice.some(({ probability }) => spot.pick([probability, 1 - probability]) === 1) ? false : all
}

/** The element of a set or map that a packet finds. */
export function elementAt(set: string, keys: readonly string[], spot: Spot): SetElement | undefined {
  const passing = passingAt(spot)
  return spot.view.netfilter.sets.get(set)?.find((element) => keyHolds(keys, element, passing))
}

/** A packet of a trace is known whole. */
function passingAt({ view, packet, iif = '', oif = '' }: Spot): Passing {
  const { source, destination, protocol, sourcePort, port, state, dnat, snat, mark } = packet
  return {
    saddr: source,
    daddr: destination,
    protocol,
    sport: sourcePort,
    dport: port,
    iif,
    oif,
    ctstate: [state, ...(dnat ? ['dnat'] : []), ...(snat ? ['snat'] : [])],
    mark,
    ctmark: 0,
    // a lookup of routes each, and few rules ask
    get types() {
      return { saddr: typeOf(view, source), daddr: typeOf(view, destination) }
    },
  }
}

function typeOf(view: NodeView, ip: string): string {
  if (isLocal(view, ip)) return 'local'
  if (ip === '255.255.255.255') return 'broadcast'
  return within('224.0.0.0/4', ip) ? 'multicast' : 'unicast'
}
