import type { Check } from '../model/report.ts'
import { groups, unique } from './verify-words.ts'

/** Where packets start (rows) and where they go (columns). */
export interface Matrix {
  readonly rows: readonly string[]
  readonly columns: readonly string[]
  /** How many there are beyond those. */
  readonly more: { readonly rows: number; readonly columns: number }
  /** Nothing where the pair was not checked. */
  cell(from: string, to: string): Cell | undefined
}

export interface Cell {
  /** The worst of its checks. */
  readonly outcome: Check['outcome']
  /** The protocols that have this outcome, where others have a better one. */
  readonly protocols: readonly string[]
  readonly checks: readonly Check[]
}

/** The matrix of a scenario. Where it has more than `most` rows or columns, those with most failures are kept, in their order. */
export function matrixOf(checks: readonly Check[], most: number): Matrix {
  const cells = new Map(groups(checks, ({ from, to }) => `${from} ${to}`).map(([key, of]) => [key, cellOf(of)]))
  const rows = keep(checks, ({ from }) => from, most)
  const kept = new Set(rows)
  const columns = keep(
    checks.filter(({ from }) => kept.has(from)),
    ({ to }) => to,
    most,
  )
  const all = (end: 'from' | 'to') => new Set(checks.map((check) => check[end])).size
  return {
    rows,
    columns,
    more: { rows: all('from') - rows.length, columns: all('to') - columns.length },
    cell: (from, to) => cells.get(`${from} ${to}`),
  }
}

function keep(checks: readonly Check[], end: (check: Check) => string, most: number): string[] {
  const names = unique(checks.map(end))
  if (names.length <= most) return names
  const weights = { failed: 1000, skipped: 1, passed: 0 }
  const weight = new Map<string, number>()
  for (const check of checks) weight.set(end(check), (weight.get(end(check)) ?? 0) + weights[check.outcome])
  const worst = [...names].sort((a, b) => (weight.get(b) ?? 0) - (weight.get(a) ?? 0)).slice(0, most)
  const kept = new Set(worst.filter((name) => (weight.get(name) ?? 0) > 0))
  return names.filter((name) => kept.has(name))
}

function cellOf(checks: readonly Check[]): Cell {
  const outcome =
    (['failed', 'skipped'] as const).find((it) => checks.some((check) => check.outcome === it)) ?? 'passed'
  const which = checks.filter((check) => check.outcome === outcome)
  const protocols = which.length < checks.length ? unique(which.flatMap(({ protocol }) => protocol ?? [])) : []
  return { outcome, protocols, checks }
}
