import type { CauseReport, VerifyReport } from '../model/report.ts'
import type { Level, Trial } from './fault.ts'

/**
 * What is not as it should be in the report of a broken cluster: the causes of the trial have to come before all others, and
 * where packets were sent, each has to explain some of the failed checks, and together they have to explain all of them.
 */
export function verdictOf(trial: Trial, level: Level, report: VerifyReport): string[] {
  const causes = report.causes ?? []
  const wanted = new Set(trial.map(({ code }) => code))
  const first = firstCodes(causes, wanted.size)
  const missed = [...wanted].filter((code) => !first.includes(code))
  const problems = missed.map((code) => `${code} did not come first, but ${first.join(', ') || 'nothing'}`)
  if (level === 'static' || missed.length > 0) return problems
  const explained = [...wanted].map((code) => ({ code, ids: explainedBy(causes, code) }))
  for (const { code, ids } of explained) {
    if (ids.size === 0) problems.push(`${code} explains no failed check`)
    for (const other of explained)
      if (other.code !== code && ids.size > 0 && [...ids].every((id) => other.ids.has(id)))
        problems.push(`${code} explains nothing that ${other.code} does not`)
  }
  const rest = report.unexplained ?? []
  if (rest.length > 0) problems.push(`unexplained: ${rest.slice(0, 3).join(', ')}${rest.length > 3 ? ' …' : ''}`)
  return problems
}

function firstCodes(causes: readonly CauseReport[], count: number): CauseReport['code'][] {
  return [...new Set(causes.map(({ code }) => code))].slice(0, count)
}

function explainedBy(causes: readonly CauseReport[], code: CauseReport['code']): Set<string> {
  return new Set(causes.filter((cause) => cause.code === code).flatMap(({ explains }) => explains))
}
