import type { Check, Scenario, VerifyReport } from '../model/report.ts'
import { counted } from '../model/words.ts'
import { paint } from './paint.ts'
import { duration } from './table.ts'
import { causesText, shorten, tracesText } from './verify-causes.ts'
import { matrixOf } from './verify-matrix.ts'
import {
  byScenario,
  groups,
  isUnproven,
  notesOf,
  pairsOf,
  sampledText,
  tally,
  titles,
  unexplainedOf,
  unique,
  unreadOf,
} from './verify-words.ts'

/** Pairs named per code before the rest is only counted. */
const shownPairs = 12
/** A matrix with more rows or columns shows those that are not all ok. */
const shownNames = 12
/** Lines of evidence per code. */
const shownEvidence = 3
/** With more scenarios than the quick level has, those that passed take one line each. */
const manyScenarios = 9
/** Letters of a reason: the failed check behind it has all of them. */
const longest = 160
const mark = { passed: 'ok', failed: 'FAIL', skipped: '?' } as const
const style = { passed: 'green', failed: 'red', skipped: 'yellow' } as const

/**
 * The report of verify for a terminal or a log: per scenario a matrix of where packets start (rows) and where they go
 * (columns), then the causes with evidence and fix, then what failed without a known cause, then what could not be checked
 * and what should be known, then the counts.
 */
export function verifyText(report: VerifyReport, { color }: { readonly color: boolean }): string {
  const scenarios = byScenario(report.checks)
  const brief = scenarios.length >= manyScenarios || scenarios.some(([, checks]) => namesOf(checks) > shownNames)
  const [short, long] = brief ? parted(scenarios, ([, checks]) => checks.every(isPassed)) : [[], scenarios]
  const wide = Math.max(0, ...short.map(([scenario]) => titles[scenario].length))
  const lines = short.map(
    ([scenario, { length }]) =>
      `${titles[scenario].padEnd(wide)}  ${paint(color, 'green', 'ok')}  ${length} of ${length}`,
  )
  const blocks = long.flatMap(([scenario, checks]) => {
    if (checks.every(isSkipped)) return []
    const top = `${paint(color, 'bold', titles[scenario])}  ${tally(checks).passed} of ${checks.length}`
    return [`${top}\n${matrix(checks, color)}`]
  })
  return [
    ...lines,
    ...(lines.length > 0 ? [''] : []),
    ...blocks,
    ...causesText(report, color),
    ...unexplained(report, color),
    ...tracesText(report.traces ?? [], color),
    ...skipped(scenarios, color),
    ...remarks(report, color),
    summary(report, color),
  ].join('\n')
}

const namesOf = (checks: readonly Check[]): number => new Set(checks.map(({ from }) => from)).size
const isPassed = ({ outcome }: Check): boolean => outcome === 'passed'
const isSkipped = ({ outcome }: Check): boolean => outcome === 'skipped'

function parted<T>(items: readonly T[], is: (item: T) => boolean): [T[], T[]] {
  return [items.filter(is), items.filter((item) => !is(item))]
}

function matrix(checks: readonly Check[], color: boolean): string {
  const { rows, columns, more, cell } = matrixOf(checks, shownNames)
  if (rows.length === 0) return ''
  const cells = rows.map((from) =>
    columns.map((to) => {
      const it = cell(from, to)
      return { text: it ? [mark[it.outcome], ...it.protocols].join(' ') : '-', outcome: it?.outcome }
    }),
  )
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
  const left = [more.rows && counted(more.rows, 'row'), more.columns && counted(more.columns, 'column')].filter(Boolean)
  const rest = left.length > 0 ? [paint(color, 'dim', `  not shown: ${left.join(', ')}`)] : []
  return [paint(color, 'dim', head), ...body, ...rest, ''].join('\n')
}

/** What failed without a known cause, by code: how many, which pairs over what, the evidence, the fix. */
function unexplained(report: VerifyReport, color: boolean): string[] {
  const left = unexplainedOf(report)
  const remark = report.causes ? ', and no known cause explains it' : ''
  return groups(left, (check) => check.code ?? 'PROBE_FAILED').map(([code, of]) => {
    const pairs = pairsOf(of).map(
      ({ pair, protocols, scenarios }) => `  ${[pair, ...protocols].join(' ')}  (${scenarios.join(', ')})`,
    )
    const evidence = unique(of.flatMap((check) => check.evidence ?? [])).map((line) => `  evidence: ${line}`)
    const fix = of.find((check) => check.fix)?.fix
    return [
      `${paint(color, 'red', code)}  ${counted(of.length, 'check')} failed${remark}`,
      ...shorten(pairs, shownPairs),
      ...shorten(evidence, shownEvidence).map((line) => paint(color, 'dim', line)),
      ...(fix ? [`  fix: ${fix}`] : []),
      '',
    ].join('\n')
  })
}

/** What could not be checked is neither passed nor failed; it is said why, and of which scenarios nothing was drawn. */
function skipped(scenarios: readonly [Scenario, readonly Check[]][], color: boolean): string[] {
  const all = scenarios.flatMap(([, checks]) => checks.filter(isSkipped))
  const whys = new Map(scenarios.map(([scenario, checks]) => [scenario, unique(checks.map(whyNot))]))
  const named = (isOf: (whys: readonly (string | undefined)[]) => boolean) =>
    [...whys].flatMap(([scenario, of]) => (isOf(of) ? [titles[scenario]] : [])).join('; ')
  const lines = groups(all, (check) => whyNot(check) ?? '').map(([why, of]) => {
    const names = named(([first, ...more]) => first === why && more.length === 0)
    return `${counted(of.length, 'check')} not made: ${shortened(why)}${names && `\n  ${names}`}`
  })
  const others = named((of) => of.length > 1 && !of.includes(undefined))
  return [...lines, ...(others ? [`no check made of ${others}`] : [])].map(
    (line) => `${paint(color, 'yellow', 'unknown')}  ${line}\n`,
  )
}

const whyNot = ({ outcome, evidence }: Check): string | undefined =>
  outcome === 'skipped' ? (evidence ?? 'no reason') : undefined

const shortened = (text: string): string => (text.length > longest ? `${text.slice(0, longest)} …` : text)

/** Known deviations, which pairs were tried, and which causes nobody looked for. */
function remarks(report: VerifyReport, color: boolean): string[] {
  const notes = notesOf(report.checks).map(([note, of]) => {
    const [first] = of
    const pair = `${first?.from} -> ${first?.to}`
    return `note  ${note} (${of.length > 1 ? `${counted(of.length, 'check')}, as ${pair}` : pair})`
  })
  const left = groups(report.skippedCauses ?? [], ({ why }) => why).map(([why, of]) => {
    const names = of.map(({ code }) => code)
    const shown = names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ')
    return `not looked for  ${shown}: ${why}`
  })
  const sampled = sampledText(report)
  const unread = unreadOf(report).map(([why, names]) => {
    const more = names.length > shownNames ? ` and ${names.length - shownNames} more` : ''
    const because = why ? ` (${why})` : ''
    return `unknown  ${counted(names.length, 'node')} could not be read: ${names.slice(0, shownNames).join(', ')}${more}${because}`
  })
  const all = [...unread, ...notes, ...(sampled ? [`note  ${sampled}`] : []), ...left]
  return all.length > 0 ? [`${all.map((line) => paint(color, 'dim', line)).join('\n')}\n`] : []
}

function summary(report: VerifyReport, color: boolean): string {
  const { passed, failed, skipped } = tally(report.checks)
  const errors = (report.causes ?? []).filter(({ level }) => level === 'error').length
  const warnings = (report.causes ?? []).length - errors
  const left = report.causes ? unexplainedOf(report).length : 0
  const why = [
    errors > 0 && counted(errors, 'cause'),
    left > 0 && `${counted(left, 'failure')} unexplained`,
    warnings > 0 && counted(warnings, 'warning'),
  ].filter(Boolean)
  if (report.checks.length === 0) {
    const found = why.length > 0 ? why.join(', ') : 'no known cause of trouble'
    return `${paint(color, report.ok ? 'green' : 'red', `${report.ok ? 'nothing wrong' : 'NOT ok'} by what the nodes say: ${found}; no packet was sent`)}\n`
  }
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped in ${duration(report.ms)}`
  const word = report.ok ? 'ok' : isUnproven(report) ? 'NOT all tested' : 'NOT ok'
  const text = `network ${word}: ${[counts, why.join(', ')].filter(Boolean).join('; ')}`
  return `${paint(color, report.ok ? 'green' : 'red', text)}\n`
}
