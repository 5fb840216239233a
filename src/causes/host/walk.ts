import { chainNamed, chainsAt } from '../../model/chains.ts'
import type { Chain, Hook, Netfilter, Rule, Verdict } from '../../model/netfilter.ts'
import { every, holds, keyHolds, marked, type Passing } from '../../model/passing.ts'

/** Where a verdict was given: the rule, or the policy of the chain (no rule). */
export interface Place {
  readonly chain: Chain
  readonly rule?: Rule
}

export type Outcome = 'accept' | 'drop' | 'reject' | 'dnat' | 'snat' | 'masquerade' | 'redirect'

/** What a base chain does with a packet. */
export interface Walk {
  readonly chain: Chain
  /** As if no rule had matched of which that cannot be said. */
  readonly outcome: Outcome
  /** Without a rule: the policy. */
  readonly by: Place
  /** The verdict, where a rule gave it. */
  readonly verdict?: Verdict
  /** What rules before that would have done if they had matched, which cannot be said. */
  readonly doubts: readonly { readonly outcome: Outcome | 'return'; readonly by: Place }[]
  /** Every rule that matched for certain, in order; jumps among them. */
  readonly path: readonly { readonly chain: Chain; readonly rule: Rule }[]
  /** The packet's mark at the end; absent where that cannot be said. */
  readonly mark?: number
}

interface State {
  readonly netfilter: Netfilter
  readonly doubts: { outcome: Outcome | 'return'; by: Place }[]
  readonly path: { chain: Chain; rule: Rule }[]
  packet: Passing
}

type End = { readonly outcome: Outcome; readonly by: Place; readonly verdict?: Verdict } | 'return'

/** Takes a packet through one base chain: jumps are followed, the first decisive verdict ends it. */
export function walk(netfilter: Netfilter, chain: Chain, packet: Passing): Walk {
  const state: State = { netfilter, packet, doubts: [], path: [] }
  const end = through(state, chain, true, 0)
  const { doubts, path } = state
  const { mark } = state.packet
  const last = end === 'return' ? { outcome: chain.policy ?? ('accept' as const), by: { chain } } : end
  return { chain, ...last, doubts, path, ...(mark !== undefined && { mark }) }
}

/** `certain`: the packet surely comes here; else every end here is only a doubt. */
function through(state: State, chain: Chain, certain: boolean, depth: number): End {
  if (depth > 16) return 'return'
  for (const rule of chain.rules) {
    const all = every(rule.matches, (match) => holds(match, state.packet, state.netfilter))
    if (all === false) continue
    // a limit that holds only above a rate is not met by one packet, but by many
    const is = rule.text.includes('limit rate over') ? null : all
    const sure = certain && is === true
    if (sure) state.path.push({ chain, rule })
    for (const verdict of rule.verdicts) {
      if (verdict.do === 'return' && certain && !sure) state.doubts.push({ outcome: 'return', by: { chain, rule } })
      const end = follow(state, { chain, rule }, verdict, sure, depth)
      if (end === 'go on') continue
      if (sure) return end
      // not sure of coming here at all, but sure of this rule: nothing after it is reached from here
      if (is === true) return 'return'
      break
    }
  }
  return 'return'
}

function follow(state: State, by: Place, verdict: Verdict, sure: boolean, depth: number): End | 'go on' {
  switch (verdict.do) {
    case 'accept':
    case 'drop':
    case 'reject':
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      if (!sure) state.doubts.push({ outcome: verdict.do, by })
      return { outcome: verdict.do, by, verdict }
    case 'return':
      return 'return'
    case 'jump':
    case 'goto': {
      const target = chainNamed(state.netfilter, by.chain, verdict.to)
      const end = target ? through(state, target, sure, depth + 1) : 'return'
      return verdict.do === 'jump' && end === 'return' ? 'go on' : end
    }
    case 'vmap':
      return lookUp(state, by, verdict, sure, depth)
    case 'mark':
      state.packet = withMark(state.packet, verdict, sure)
      return 'go on'
    default:
      return 'go on'
  }
}

function lookUp(
  state: State,
  by: Place,
  { keys, set }: Extract<Verdict, { do: 'vmap' }>,
  sure: boolean,
  depth: number,
): End | 'go on' {
  for (const element of state.netfilter.sets.get(set) ?? []) {
    const is = keyHolds(keys, element, state.packet)
    if (is === false || !element.verdict) continue
    const end = follow(state, by, element.verdict, sure && is === true, depth)
    if (is) return end
  }
  return 'go on'
}

function withMark(packet: Passing, verdict: Extract<Verdict, { do: 'mark' }>, sure: boolean): Passing {
  const { mark, ...rest } = packet
  return sure && mark !== undefined ? { ...rest, mark: marked(mark, verdict) } : rest
}

/** What drops a packet for certain at one of these hooks, and what let it pass by a rule of its own before. */
export interface Block {
  readonly walk: Walk
  readonly accepted: readonly Walk[]
}

/** The first base chain of filters that surely drops the packet; null where none does, or where that cannot be said. */
export function blockAt(netfilter: Netfilter, hook: Hook, packet: Passing): Block | null {
  const accepted: Walk[] = []
  for (const chain of chainsAt(netfilter, hook)) {
    if (chain.type === 'nat') continue
    const taken = walk(netfilter, chain, packet)
    const drops = taken.outcome === 'drop' || taken.outcome === 'reject'
    if (drops && !taken.doubts.some(({ outcome }) => outcome === 'accept' || outcome === 'return'))
      return { walk: taken, accepted }
    if (!drops && taken.by.rule) accepted.push(taken)
  }
  return null
}

/** What surely drops a packet that goes through a host: as it arrives, or on its way on. */
export const blockOnWay = (netfilter: Netfilter, arriving: Passing, going: Passing): Block | null =>
  blockAt(netfilter, 'prerouting', arriving) ?? blockAt(netfilter, 'forward', going)

/** Could one of the base chains drop the packet, as far as can be said? False is certain. */
export function mayBlock(netfilter: Netfilter, hook: Hook, packet: Passing): boolean {
  return chainsAt(netfilter, hook).some((chain) => {
    if (chain.type === 'nat') return false
    const taken = walk(netfilter, chain, packet)
    return [taken, ...taken.doubts].some(({ outcome }) => outcome === 'drop' || outcome === 'reject')
  })
}

/** The rule of a nat base chain that translates the packet at a hook for certain; null where none does. */
export function natAt(netfilter: Netfilter, hook: Hook, packet: Passing): Walk | null {
  for (const chain of chainsAt(netfilter, hook)) {
    if (chain.type !== 'nat') continue
    const taken = walk(netfilter, chain, packet)
    if (['dnat', 'snat', 'masquerade', 'redirect'].includes(taken.outcome))
      return taken.doubts.length > 0 ? null : taken
  }
  return null
}

export const translates = ({ outcome }: { readonly outcome: string }): boolean =>
  ['dnat', 'snat', 'masquerade', 'redirect'].includes(outcome)
