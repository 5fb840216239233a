import { chainNamed } from '../model/chains.ts'
import type { Chain, Rule, Verdict } from '../model/netfilter.ts'
import { marked } from '../model/passing.ts'
import { elementAt, matches, type Spot } from './match.ts'

/** A rule that matched; `depth` says by how many jumps it was reached. */
export interface Step {
  readonly chain: Chain
  readonly rule: Rule
  readonly number: number
  readonly depth: number
}

/** How a base chain ends for a packet. */
export interface Walked {
  readonly chain: Chain
  readonly end: 'accept' | 'drop' | 'reject' | 'dnat' | 'snat' | 'masquerade' | 'redirect'
  /** The rule that decided; absent where the policy did. */
  readonly rule?: Rule
  /** Every rule that matched, with the chain it stands in, in order. */
  readonly path: readonly Step[]
  /** Of dnat and snat. */
  readonly ip?: string
  readonly port?: number
  /** Rules of which this version cannot tell whether they match. */
  readonly unsure: readonly Rule[]
}

/** A chain that jumps to itself would never end; the kernel refuses that, a dump may be cut. */
const deepest = 64

/** Follows a packet through a base chain and all it jumps to. Marks are set on the packet as it goes. */
export function walk(base: Chain, spot: Spot): Walked {
  const path: Step[] = []
  const unsure: Rule[] = []
  const inChain = (chain: Chain, depth: number): Omit<Walked, 'path' | 'unsure' | 'chain'> | 'return' => {
    for (const [i, rule] of chain.rules.entries()) {
      const answer = matches(rule, spot)
      if (answer === false) continue
      if (answer === null) {
        if (rule.verdicts.some((verdict) => decides(verdict))) unsure.push(rule)
        continue
      }
      path.push({ chain, rule, number: i + 1, depth })
      for (const verdict of rule.verdicts) {
        const done = apply(verdict, chain, rule, depth)
        if (done === 'return') return 'return'
        if (done) return done
      }
    }
    return 'return'
  }
  const apply = (verdict: Verdict, chain: Chain, rule: Rule, depth: number): ReturnType<typeof inChain> | null => {
    switch (verdict.do) {
      case 'accept':
      case 'drop':
      case 'reject':
      case 'masquerade':
      case 'redirect':
        return { end: verdict.do, rule }
      case 'return':
        return 'return'
      case 'jump':
      case 'goto': {
        const target = chainNamed(spot.view.netfilter, chain, verdict.to)
        const done = target && depth < deepest ? inChain(target, depth + 1) : 'return'
        return done === 'return' && verdict.do === 'jump' ? null : done
      }
      case 'vmap': {
        const found = elementOf(verdict, spot)
        return found?.verdict ? apply(found.verdict, chain, rule, depth) : null
      }
      case 'dnat':
      case 'snat': {
        if (verdict.map === undefined) {
          const { ip, port } = verdict
          return { end: verdict.do, rule, ...(ip !== undefined && { ip }), ...(port !== undefined && { port }) }
        }
        const [ip = '', port] = (elementOf({ set: verdict.map, keys: verdict.keys ?? [] }, spot)?.value ?? '').split(
          ' . ',
        )
        return ip ? { end: verdict.do, rule, ip, ...(port !== undefined && { port: Number(port) }) } : null
      }
      case 'mark':
        spot.packet.mark = marked(spot.packet.mark, verdict)
        return null
    }
    return null
  }
  const done = inChain(base, 0)
  const end = done === 'return' ? { end: base.policy ?? ('accept' as const) } : done
  return { chain: base, ...end, path, unsure }
}

const decides = (verdict: Verdict): boolean => !['continue', 'unknown', 'return', 'notrack'].includes(verdict.do)

/** The element that a lookup finds; `numgen` throws dice among all of them. */
function elementOf({ set, keys }: { set: string; keys: readonly string[] }, spot: Spot) {
  const elements = spot.view.netfilter.sets.get(set) ?? []
  if (keys.length === 1 && keys[0]!.startsWith('numgen')) {
    if (elements.length === 0) return undefined
    return elements[spot.pick(elements.map(() => 1 / elements.length))]
  }
  return elementAt(set, keys, spot)
}
