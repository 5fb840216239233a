import type { Code } from '../model/codes.ts'
import { table } from './table.ts'

/** What the table of the selftest shows of a fault. */
export interface SelftestRow {
  readonly codes: readonly Code[]
  readonly title: string
  readonly level: string
  readonly seen: readonly Code[]
  readonly explained: number
  readonly unexplained: number
  readonly ms: number
  readonly problems: readonly string[]
}

/** The table of the selftest: each fault, what came first, how many failed checks it explains, and what was wrong. */
export function selftestText(rows: readonly SelftestRow[], ms: number): string {
  const body = rows.map(({ codes, title, level, seen, explained, unexplained, problems, ms }) => [
    problems.length > 0 ? 'FAIL' : 'ok',
    codes.join(' + ') || '-',
    title,
    level,
    seen.slice(0, Math.max(1, codes.length)).join(' + ') || '-',
    String(explained),
    String(unexplained),
    (ms / 1000).toFixed(1),
  ])
  const head = ['', 'CAUSE', 'WHAT WAS DONE', 'LEVEL', 'NAMED FIRST', 'EXPLAINED', 'UNEXPLAINED', 'SECONDS']
  const wrong = rows.flatMap(({ codes, title, problems }) =>
    problems.map((problem) => `FAIL ${codes.join(' + ')} (${title}): ${problem}`),
  )
  const good = rows.filter(({ problems }) => problems.length === 0).length
  return `${table([head, ...body])}\n${wrong.map((line) => `${line}\n`).join('')}${good} of ${rows.length} right, in ${Math.round(ms / 1000)} s\n`
}
