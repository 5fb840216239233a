import { chainsAt } from '../model/chains.ts'
import type { Code } from '../model/codes.ts'
import type { Chain, Hook } from '../model/netfilter.ts'
import type { Sign } from '../model/trace.ts'
import type { Spot } from './match.ts'
import { type Step, type Walked, walk } from './walk.ts'

/** What all base chains of a hook together did with a packet. */
export interface Passed {
  /** What each base chain that has rules said, in the order in which they are asked. */
  readonly text: string
  readonly command: string
  /** The chain that ended it. */
  readonly stopped?: Walked
  /** The chain that translates an address. */
  readonly nat?: Walked
  /** Another chain of the hook had accepted it before it was stopped. */
  readonly late: boolean
  /** Rules that might have stopped it, and that this version does not understand. */
  readonly unsure: readonly string[]
  readonly signs: readonly Sign[]
}

/** Asks all base chains of a hook in the order of their priority. nat chains are asked only where `translate` is set. */
export function pass(hook: Hook, spot: Spot, translate: boolean): Passed {
  const texts: string[] = []
  const commands: string[] = []
  const unsure: string[] = []
  const signs: Sign[] = []
  let nat: Walked | undefined
  let accepted = false
  for (const chain of chainsAt(spot.view.netfilter, hook)) {
    if (chain.type === 'nat' && (!translate || nat)) continue
    const walked = walk(chain, spot)
    if (walked.path.length > 0 || chain.policy === 'drop') {
      texts.push(`${labelOf(chain)}: ${decisionText(walked)}`)
      commands.push(commandOf(walked.rule ? walked.path.at(-1)!.chain : chain))
      signs.push(signOf(walked))
    }
    unsure.push(...walked.unsure.map(({ text }) => text))
    if (walked.end === 'drop' || walked.end === 'reject') {
      const late = accepted
      return { text: texts.at(-1)!, command: commands.at(-1)!, stopped: walked, late, unsure, signs: signs.slice(-1) }
    }
    if (walked.end !== 'accept') {
      nat = walked
      if (walked.end === 'dnat' && walked.ip) spot.packet.destination = walked.ip
      if (walked.end === 'dnat' && walked.port) spot.packet.port = walked.port
      if (walked.end === 'dnat') spot.packet.dnat = true
    } else if (walked.rule) accepted = true
  }
  const shown = nat ? commandOf(nat.path.at(-1)!.chain) : commands.at(-1)
  return {
    text: texts.join('; '),
    command: shown ?? '',
    ...(nat && { nat }),
    late: false,
    unsure,
    signs,
  }
}

function labelOf({ backend, table, name }: Chain): string {
  if (backend === 'nft') return `nft ${table} ${name}`
  return backend === 'iptables-legacy' ? `${table} (legacy)` : table
}

/** What the chain decided and by which rules: KUBE-SERVICES #4 -> KUBE-SVC-X #1 p=0.500 -> … DNAT to 10.244.1.3:8080 */
function decisionText({ chain, end, rule, path, ip, port }: Walked): string {
  const last = path.at(-1)
  if (!rule || !last) {
    if (end !== 'accept') return `policy ${end.toUpperCase()}`
    const returned = path.filter(({ rule }) => rule.verdicts.some((verdict) => verdict.do === 'return'))
    return returned.map((step) => `${stepText(step)} RETURN`).join(', ') || 'no match'
  }
  if (end === 'accept' || end === 'drop' || end === 'reject')
    return `${last.chain.name} #${last.number} ${shortRule(rule.text)}`
  const target = ip === undefined && port === undefined ? '' : ` to ${ip ?? ''}${port === undefined ? '' : `:${port}`}`
  const way = Array.from({ length: last.depth + 1 }, (_, depth) => path.findLast((step) => step.depth === depth)!)
  const shown = chain.backend === 'nft' || way.length === 1 ? way : way.slice(1)
  return `${shown.map(stepText).join(' -> ')} ${end.toUpperCase()}${target}`
}

function stepText({ chain, rule, number }: Step): string {
  const dice = rule.matches.find((match) => match.what === 'random')
  return `${chain.name} #${number}${dice ? ` p=${dice.probability.toFixed(3)}` : ''}`
}

/** A rule without what does not decide: the chain's name, comments, the names of extensions. */
export function shortRule(text: string): string {
  return text
    .replace(/^-A \S+ /, '')
    .replace(/-m comment --comment ("(?:[^"\\]|\\.)*"|\S+) ?/g, '')
    .replace(/ comment "[^"]*"$/, '')
    .replace(/-m (tcp|udp|conntrack|mark|addrtype|multiport) /g, '')
}

function commandOf({ backend, family, table, name }: Chain): string {
  if (backend === 'nft') return `nft list chain ${family} ${table} ${name}`
  return `${backend === 'iptables-legacy' ? 'iptables-legacy' : 'iptables'} -t ${table} -vnL ${name}`
}

/** What counts: the rule that decided, or the last that was reached; else the policy. */
function signOf({ chain, path }: Walked): Sign {
  const { backend, family, table } = chain
  const last = path.at(-1)
  if (!last) return { what: 'rule', backend, family, table, chain: chain.name }
  return { what: 'rule', backend, family, table, chain: last.chain.name, text: last.rule.text }
}

/** The name of what stops a packet in a firewall. */
export function codeOf(
  hook: Hook,
  passed: Passed,
  port: number,
  fromPod: boolean,
  special: Code | undefined,
): Code | undefined {
  if (passed.late && hook === 'forward') return 'FIREWALL_LATE_DROP'
  if (hook === 'forward') return 'FORWARD_DROP'
  if (hook === 'input' || hook === 'prerouting') {
    if (special) return special
    if (port === 6443) return 'API_PORT_BLOCKED'
    if (port === 10250) return 'KUBELET_PORT_BLOCKED'
    if (fromPod) return 'INPUT_DROP_FROM_PODS'
  }
  return undefined
}
