import type { Chain, Hook, Rule, SetElement } from '../../model/netfilter.ts'
import { parseNftRule, type Scope, verdictOf } from './nft-rule.ts'
import { type Json, keyOf, textOf } from './nft-text.ts'

/** A table of nftables with its chains. */
export interface NftTable {
  readonly family: Chain['family']
  readonly name: string
  readonly chains: readonly Omit<Chain, 'backend'>[]
}

export interface NftRuleset {
  readonly tables: readonly NftTable[]
  /** Sets and maps by `family table name`; those without a name by `family table chain#handle`. */
  readonly sets: ReadonlyMap<string, readonly SetElement[]>
}

/** Reads `nft -j list ruleset`. Nothing where the text is no such list. */
export function parseNft(text: string): NftRuleset {
  const tables: (NftTable & { readonly chains: Omit<Chain, 'backend'>[] })[] = []
  const chains = new Map<string, Rule[]>()
  const sets = new Map<string, readonly SetElement[]>()
  for (const object of listOf(text)) {
    const [kind, it] = Object.entries(object)[0] ?? []
    if (!it || typeof it !== 'object') continue
    const { family, table, name } = it as { family: Chain['family']; table: string; name: string }
    if (kind === 'table') tables.push({ family, name, chains: [] })
    else if (kind === 'chain') {
      const rules: Rule[] = []
      chains.set(`${family} ${table} ${name}`, rules)
      tables
        .find((one) => one.family === family && one.name === table)
        ?.chains.push({ family, table, name, ...baseOf(it as Json), rules })
    } else if (kind === 'set' || kind === 'map') sets.set(`${family} ${table} ${name}`, elementsOf((it as Json).elem))
    else if (kind === 'rule') {
      const { chain, handle } = it as { chain: string; handle: number }
      const scope = { family, place: `${family} ${table}`, anonymous: `${chain}#${handle}` }
      const rule = ruleOf((it as { expr?: Json[] }).expr ?? [], scope)
      for (const [name, elem] of rule.sets) sets.set(name, elementsOf(elem))
      const comment = (it as { comment?: string }).comment
      const text = `${rule.text}${comment ? ` comment "${comment}"` : ''}`
      chains.get(`${family} ${table} ${chain}`)?.push({ ...rule.rule, text })
    }
  }
  return { tables, sets }
}

/** Statements in a form that this version does not know make the whole rule unknown. */
function ruleOf(expr: Json[], scope: Scope): ReturnType<typeof parseNftRule> {
  try {
    return parseNftRule(expr, scope)
  } catch {
    const text = JSON.stringify(expr)
    return {
      rule: { matches: [{ what: 'unknown', text }], verdicts: [{ do: 'unknown', text }] },
      text,
      sets: new Map(),
    }
  }
}

function listOf(text: string): readonly Record<string, unknown>[] {
  if (!text.trim()) return []
  try {
    const list = (JSON.parse(text) as { nftables?: unknown }).nftables
    return Array.isArray(list) ? list : []
  } catch {
    return []
  }
}

function baseOf(chain: Json): Partial<Chain> {
  const { hook, prio, type, policy } = chain as { hook?: Hook; prio?: number; type?: string; policy?: string }
  if (!hook) return {}
  return {
    hook,
    priority: prio ?? 0,
    ...(type && { type }),
    policy: policy === 'drop' ? 'drop' : 'accept',
  }
}

/** Of a set each element is a key; of a map a pair of a key and a value or verdict. Comments and timeouts are left out. */
function elementsOf(elem: unknown): SetElement[] {
  return (Array.isArray(elem) ? elem : []).map((one: Json): SetElement => {
    if (!Array.isArray(one)) return { key: keyOf(plain(one)) }
    const key = keyOf(plain(one[0]))
    const value = plain(one[1])
    const verdict = verdictOf(value)
    return verdict ? { key, verdict } : { key, value: keyOf(value).join(' . ') || textOf(value) }
  })
}

const plain = (json: Json): Json => json?.elem?.val ?? json
