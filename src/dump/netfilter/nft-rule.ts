import type { Match, Rule, Verdict } from '../../model/netfilter.ts'
import { type Json, keyOf, statementText, textOf } from './nft-text.ts'

export interface Scope {
  readonly family: string
  /** `family table`: the names of sets begin with it. */
  readonly place: string
  /** What the sets of this rule that have no name are called. */
  readonly anonymous: string
}

/** One rule of `nft -j`: its matches and verdicts, its text, and the elements of sets and maps that stand in it. */
export function parseNftRule(
  expr: readonly Json[],
  scope: Scope,
): { rule: Omit<Rule, 'text'>; text: string; sets: ReadonlyMap<string, Json> } {
  const matches: Match[] = []
  const verdicts: Verdict[] = []
  const sets = new Map<string, Json>()
  let packets: number | undefined
  /** The name under which the elements can be looked up. */
  const setOf = (data: Json): string => {
    if (typeof data === 'string') return `${scope.place} ${data.replace(/^@/, '')}`
    const name = `${scope.place} ${scope.anonymous}${sets.size ? `.${sets.size}` : ''}`
    sets.set(name, data?.set ?? [])
    return name
  }
  for (const statement of expr) {
    const [kind, it] = Object.entries(statement as Record<string, Json>)[0] ?? []
    if (kind === 'counter') packets = typeof it?.packets === 'number' ? it.packets : packets
    else if (kind === 'match') matches.push(...matchOf(it, setOf))
    else if (kind === 'xt') {
      if (it?.type === 'target') verdicts.push({ do: 'unknown', text: statementText(statement) })
      else if (it?.name !== 'comment') matches.push({ what: 'unknown', text: statementText(statement) })
    } else if (kind === 'vmap') verdicts.push({ do: 'vmap', keys: keyOf(it.key), set: setOf(it.data) })
    else if ((kind === 'dnat' || kind === 'snat') && it?.addr?.map)
      verdicts.push({ do: kind, map: setOf(it.addr.map.data), keys: keyOf(it.addr.map.key) })
    else if (kind !== 'limit' && kind !== 'quota')
      verdicts.push(verdictOf(statement) ?? { do: 'unknown', text: statementText(statement) })
  }
  const text = expr.map(statementText).filter(Boolean).join(' ')
  return { rule: { ...(packets !== undefined && { packets }), matches, verdicts }, text, sets }
}

/** A statement that decides or changes something; null where it is none. */
export function verdictOf(json: Json): Verdict | null {
  if (!json || typeof json !== 'object' || Array.isArray(json)) return null
  const [kind, it] = Object.entries(json as Record<string, Json>)[0] ?? []
  switch (kind) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'masquerade':
    case 'redirect':
    case 'notrack':
      return { do: kind }
    case 'jump':
    case 'goto':
      return { do: kind, to: String(it?.target ?? '') }
    case 'reject':
      return { do: 'reject', ...(it?.expr && { with: String(it.expr) }) }
    case 'dnat':
    case 'snat': {
      const port = Number(it?.port?.range?.[0] ?? it?.port)
      const ip = it?.addr === undefined ? '' : textOf(it.addr).replace(/-.*/, '')
      return { do: kind, ...(ip && { ip }), ...(port > 0 && { port }) }
    }
    case 'mangle':
      return it?.key?.meta?.key === 'mark' ? markedBy(it.value) : { do: 'continue' }
    case 'log':
    case 'counter':
    case 'limit':
    case 'set':
    case 'flow':
      return { do: 'continue' }
  }
  return null
}

function markedBy(value: Json): Verdict {
  if (typeof value === 'number') return { do: 'mark', value, mask: 0xffffffff, how: 'set' }
  for (const [sign, how] of [
    ['|', 'or'],
    ['&', 'and'],
    ['^', 'xor'],
  ] as const) {
    const [left, right] = value?.[sign] ?? []
    if (left?.meta?.key === 'mark' && typeof right === 'number') return { do: 'mark', value: right, mask: right, how }
  }
  return { do: 'unknown', text: `meta mark set ${textOf(value)}` }
}

const families: Readonly<Record<string, string>> = { ip: '0.0.0.0/0', ipv4: '0.0.0.0/0', ip6: '::/0', ipv6: '::/0' }

function matchOf({ op, left, right }: Json, setOf: (data: Json) => string): Match[] {
  const not = op === '!=' ? { not: true as const } : {}
  const unknown: Match = { what: 'unknown', text: statementText({ match: { op, left, right } }) }
  if (left?.numgen && (op === '<' || op === '==') && typeof right === 'number')
    return [{ what: 'random', probability: (op === '<' ? right : 1) / left.numgen.mod }]
  if (!['==', '!=', 'in'].includes(op)) return [unknown]
  if (typeof right === 'string' && right.startsWith('@'))
    return [...impliedBy(left), { what: 'set', keys: keyOf(left), set: setOf(right), ...not }]
  if (left?.concat) return [{ what: 'set', keys: keyOf(left), set: setOf(right), ...not }]
  const values: Json[] = right?.set ?? (Array.isArray(right) ? right : [right])
  const texts = values.map(textOf)
  const { payload, meta, ct, fib } = left ?? {}
  if (payload?.field === 'saddr' || payload?.field === 'daddr') {
    if (payload.protocol === 'ip' || payload.protocol === 'ip6') return [{ what: payload.field, cidrs: texts, ...not }]
  } else if (payload?.field === 'sport' || payload?.field === 'dport') {
    return [...impliedBy(left), { what: payload.field, ports: values.map(portsOf), ...not }]
  } else if (payload?.field === 'protocol' && payload.protocol === 'ip') {
    return [{ what: 'protocol', protocols: texts, ...not }]
  } else if (meta?.key === 'l4proto') return [{ what: 'protocol', protocols: texts, ...not }]
  else if (meta?.key === 'iifname' || meta?.key === 'iif') return [{ what: 'iif', names: texts.map(nameOf), ...not }]
  else if (meta?.key === 'oifname' || meta?.key === 'oif') return [{ what: 'oif', names: texts.map(nameOf), ...not }]
  else if ((meta?.key === 'nfproto' || meta?.key === 'protocol') && texts.every((text) => families[text]))
    return [{ what: 'saddr', cidrs: texts.map((text) => families[text]!), ...not }]
  else if (ct?.key === 'state' || (ct?.key === 'status' && texts.every((text) => text === 'dnat' || text === 'snat')))
    return [{ what: 'ctstate', states: texts, ...not }]
  else if (fib?.result === 'type' && [fib.flags].flat().every((flag: string) => flag === 'saddr' || flag === 'daddr'))
    return [{ what: 'addrtype', of: [fib.flags].flat()[0], types: texts, ...not }]
  const [field, mask] = left?.['&'] ?? [left, 0xffffffff]
  if (
    (field?.meta?.key === 'mark' || field?.ct?.key === 'mark') &&
    typeof right === 'number' &&
    typeof mask === 'number'
  )
    return [{ what: field.meta ? 'mark' : 'ctmark', value: right, mask, ...not }]
  return [unknown]
}

/** `tcp dport 22` holds for TCP only. */
function impliedBy(left: Json): Match[] {
  return [left, ...(Array.isArray(left?.concat) ? left.concat : [])]
    .map((part: Json) => part?.payload?.protocol)
    .filter((protocol) => protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp')
    .slice(0, 1)
    .map((protocol) => ({ what: 'protocol', protocols: [protocol] }))
}

function portsOf(json: Json): [number, number] {
  const [first, last] = json?.range ?? [json, json]
  return [Number(first), Number(last)]
}

const nameOf = (text: string): string => text.replace(/^"|"$/g, '').replace(/\*$/, '+')
