import type { CauseReport, Check, VerifyReport } from '../model/report.ts'
import type { Trace } from '../model/trace.ts'
import { counted } from '../model/words.ts'
import { paint } from './paint.ts'
import { groups, pairsOf, unique } from './verify-words.ts'

/** Of one cause at many places: this many are told in full, and so many more by name. */
const shownPlaces = 3
const namedPlaces = 12
const shownPairs = 4
const shownTraces = 4

/** The causes, the one that explains most first, each with its evidence, what it explains, and the fix. Warnings come last. */
export function causesText({ causes = [], checks }: VerifyReport, color: boolean): string[] {
  if (causes.length === 0) return []
  const byId = new Map(checks.map((check) => [check.id, check]))
  return groups(causes, ({ level, code }) => `${level} ${code}`).flatMap(([, same]) => {
    const fix = unique(same.map(({ fix }) => fix)).length === 1 ? same[0]?.fix : undefined
    const rest = same.slice(shownPlaces)
    return [
      ...same.slice(0, shownPlaces).map((cause) => causeText(cause, byId, color, fix === undefined)),
      ...(rest.length > 0 ? [moreText(rest, color)] : []),
      ...(fix !== undefined ? [`  fix: ${fix}${same.every(({ safe }) => safe) ? safely : ''}`] : []),
      '',
    ]
  })
}

const safely = '\n  verify --fix can do it'

function causeText(cause: CauseReport, byId: ReadonlyMap<string, Check>, color: boolean, withFix: boolean): string {
  const { code, level, where, message, because, evidence, explains, fix, safe } = cause
  return [
    `${level === 'warning' ? `${paint(color, 'yellow', `warning ${code}`)}` : paint(color, 'red', code)} ${where}: ${message}`,
    `  ${because}`,
    ...evidence.map(({ source, line }) => paint(color, 'dim', `  ${source}: ${line}`)),
    ...(explains.length > 0 ? [`  ${explainsText(explains, byId)}`] : []),
    ...(withFix ? [`  fix: ${fix}${safe ? safely : ''}`] : []),
  ].join('\n')
}

function explainsText(ids: readonly string[], byId: ReadonlyMap<string, Check>): string {
  const pairs = pairsOf(ids.flatMap((id) => byId.get(id) ?? [])).map(({ pair }) => pair)
  const more = pairs.length > shownPairs ? ` and ${pairs.length - shownPairs} more` : ''
  return `explains ${counted(ids.length, 'failed check')}: ${pairs.slice(0, shownPairs).join(', ')}${more}`
}

function moreText(causes: readonly CauseReport[], color: boolean): string {
  const names = causes.slice(0, namedPlaces).map(({ where }) => where)
  const more = causes.length > namedPlaces ? ` and ${causes.length - namedPlaces} more` : ''
  return `${paint(color, 'red', causes[0]?.code ?? '')} also at ${counted(causes.length, 'other place')}: ${names.join(', ')}${more}`
}

/** Where the packets of failed pairs end, one line each. */
export function tracesText(traces: readonly Trace[], color: boolean): string[] {
  const lines = traces.slice(0, shownTraces).flatMap(({ packet, from, to, branches, unknown }) => {
    const way = `trace  ${from.name} -> ${to.name}${packet.port > 0 ? `:${packet.port}` : ''}/${packet.protocol}`
    const bad = branches.find(({ ok }) => !ok)
    const hop = bad && [...bad.there, ...bad.back].find(({ outcome }) => outcome === 'dies')
    if (hop) return [`${way} ends on ${hop.node} at ${hop.place}: ${hop.text}${hop.code ? ` (${hop.code})` : ''}`]
    return [unknown ? `${way} could not be followed: ${unknown}` : `${way} arrives by all rules and tables`]
  })
  return lines.length > 0 ? [`${lines.map((line) => paint(color, 'dim', line)).join('\n')}\n`] : []
}

export function shorten(lines: readonly string[], most: number): string[] {
  return lines.length <= most ? [...lines] : [...lines.slice(0, most), `  and ${lines.length - most} more`]
}
