import type { Check, Scenario, VerifyReport } from '../model/report.ts'
import { paint } from './paint.ts'

const titles: readonly (readonly [Scenario, string])[] = [
  ['containers', 'containers of one pod, over localhost'],
  ['pod-to-pod', 'pod to pod, without NAT'],
  ['pod-to-service', 'pod to Service, every endpoint'],
  ['dns', 'cluster DNS'],
  ['outside-to-service', 'outside to NodePort'],
  ['node-to-pod', 'node to pod'],
  ['api', 'pod to API server'],
  ['addresses', 'addresses and nodes'],
]
/** Pairs named per code before the rest is only counted. */
const shownPairs = 12
/** A matrix with more rows shows those that are not all ok. */
const shownRows = 12
/** Lines of evidence per code. */
const shownEvidence = 3
const mark = { passed: 'ok', failed: 'FAIL', skipped: '?' } as const
const style = { passed: 'green', failed: 'red', skipped: 'yellow' } as const

/**
 * The report of verify for a terminal or a log: per scenario a matrix of where packets start (rows) and where they go
 * (columns), then what failed by code, with pairs, evidence and fix, then what could not be checked, then the counts.
 */
export function verifyText(report: VerifyReport, { color }: { readonly color: boolean }): string {
  const blocks = titles.flatMap(([scenario, title]) => {
    const checks = report.checks.filter((check) => check.scenario === scenario)
    return checks.length > 0 ? [matrix(title, checks, color)] : []
  })
  return [...blocks, ...failures(report.checks, color), ...skipped(report.checks, color), summary(report, color)].join(
    '\n',
  )
}

function matrix(title: string, checks: readonly Check[], color: boolean): string {
  const all = unique(checks.map((check) => check.from))
  const bad = unique(checks.filter((check) => check.outcome !== 'passed').map((check) => check.from))
  const rows = all.length <= shownRows ? all : bad.slice(0, shownRows)
  const columns = unique(checks.map((check) => check.to))
  const cells = rows.map((from) => columns.map((to) => cell(checks.filter((it) => it.from === from && it.to === to))))
  const first = Math.max(...rows.map((row) => row.length))
  const widths = columns.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i]?.text.length ?? 0)))
  const head = `  ${' '.repeat(first)}  ${columns.map((name, i) => name.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd()
  const body = rows.map((from, r) => {
    const line = (cells[r] ?? []).map(({ text, outcome }, i) => {
      const padding = ' '.repeat(Math.max(0, (widths[i] ?? 0) - text.length))
      return (outcome ? paint(color, style[outcome], text) : text) + padding
    })
    return `  ${from.padEnd(first)}  ${line.join('  ')}`.trimEnd()
  })
  const passed = checks.filter((check) => check.outcome === 'passed').length
  const top = `${paint(color, 'bold', title)}  ${passed} of ${checks.length}`
  if (rows.length === 0) return `${top}\n`
  return [top, paint(color, 'dim', head), ...body, ''].join('\n')
}

/** `ok` when all protocols of the pair are; else what is not: `FAIL udp icmp` */
function cell(checks: readonly Check[]): { text: string; outcome?: Check['outcome'] } {
  if (checks.length === 0) return { text: '-' }
  const outcome =
    (['failed', 'skipped'] as const).find((it) => checks.some((check) => check.outcome === it)) ?? 'passed'
  const which = checks.filter((check) => check.outcome === outcome)
  const named = which.length < checks.length ? which.flatMap((check) => check.protocol ?? []) : []
  return { text: [mark[outcome], ...named].join(' '), outcome }
}

/** What failed, by code: how many, which pairs over what, the evidence, the fix. */
function failures(checks: readonly Check[], color: boolean): string[] {
  const byCode = groups(
    checks.filter((check) => check.outcome === 'failed'),
    (check) => check.code ?? 'PROBE_FAILED',
  )
  return byCode.map(([code, of]) => {
    const pairs = groups(of, (check) => `${check.from} -> ${check.to}`).map(([pair, same]) => {
      const protocols = unique(same.flatMap((check) => check.protocol ?? []))
      return `  ${[pair, ...protocols].join(' ')}  (${unique(same.map((check) => check.scenario)).join(', ')})`
    })
    const evidence = unique(of.flatMap((check) => check.evidence ?? [])).map((line) => `  evidence: ${line}`)
    const fix = of.find((check) => check.fix)?.fix
    return [
      `${paint(color, 'red', code)}  ${count(of.length, 'check')} failed`,
      ...shorten(pairs, shownPairs),
      ...shorten(evidence, shownEvidence).map((line) => paint(color, 'dim', line)),
      ...(fix ? [`  fix: ${fix}`] : []),
      '',
    ].join('\n')
  })
}

/** What could not be checked is neither passed nor failed; it is said why. */
function skipped(checks: readonly Check[], color: boolean): string[] {
  const byReason = groups(
    checks.filter((check) => check.outcome === 'skipped'),
    (check) => check.evidence ?? 'no reason',
  )
  return byReason.map(
    ([reason, of]) => `${paint(color, 'yellow', 'unknown')}  ${count(of.length, 'check')} not made: ${reason}\n`,
  )
}

function summary(report: VerifyReport, color: boolean): string {
  const number = (outcome: Check['outcome']) => report.checks.filter((check) => check.outcome === outcome).length
  const parts = [`${number('passed')} passed`, `${number('failed')} failed`, `${number('skipped')} skipped`]
  const text = `network ${report.ok ? 'ok' : 'NOT ok'}: ${parts.join(', ')} in ${(report.ms / 1000).toFixed(1)} s`
  return `${paint(color, report.ok ? 'green' : 'red', text)}\n`
}

function shorten(lines: readonly string[], most: number): string[] {
  return lines.length <= most ? [...lines] : [...lines.slice(0, most), `  and ${lines.length - most} more`]
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}

function groups<T>(items: readonly T[], key: (item: T) => string): [string, T[]][] {
  return unique(items.map(key)).map((name) => [name, items.filter((item) => key(item) === name)])
}
