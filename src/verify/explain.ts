import type { Breaks, Cause, Finding } from '../model/cause.ts'
import { hasFlannel, type Picture } from '../model/dump.ts'
import type { CauseReport, Check, VerifyReport } from '../model/report.ts'
import { type Ends, endsOf } from './ends.ts'

/** A finding with the cause that made it. */
export interface Found {
  readonly cause: Cause
  readonly finding: Finding
}

/** What was found in a picture, in the order of the causes, and what was not looked for. */
export interface Findings {
  readonly found: readonly Found[]
  readonly skipped: NonNullable<VerifyReport['skippedCauses']>
}

/** Looks for every cause. One that stumbles over an odd dump is skipped and said to be so; it never ends the verification. */
export function findAll(causes: readonly Cause[], picture: Picture): Findings {
  const found: Found[] = []
  const skipped: { code: Cause['code']; why: string }[] = []
  for (const cause of causes) {
    const suited = suits(cause, picture)
    if (suited !== true) {
      if (suited.why) skipped.push({ code: cause.code, why: suited.why })
      continue
    }
    try {
      for (const finding of cause.find(picture)) found.push({ cause, finding })
    } catch (error) {
      skipped.push({ code: cause.code, why: `the dump could not be understood: ${(error as Error).message}` })
    }
  }
  return { found, skipped }
}

/** Is there anything here that a cause could hold of? Where it is for another pod network altogether, the reason is worth saying. */
export function suits({ needs }: Cause, picture: Picture): true | { readonly why?: string } {
  if (!needs) return true
  const configs = picture.cluster?.configs
  if (needs === 'iptables' || needs === 'nftables')
    return configs?.proxy === undefined || configs.proxy.mode === needs || {}
  const other = configs === undefined || configs.provider === 'unknown' ? 'not flannel' : configs.provider
  if (!hasFlannel(picture)) return { why: `the pod network is ${other}; flannel's own state is not looked at` }
  return needs === 'flannel' || !configs?.flannel || configs.flannel.backend === needs || {}
}

/** Those of `first` that still hold in `second`: what only was in the making while the first picture was taken is no finding. */
export function lasting(first: Findings, second: Findings): Findings {
  const keys = new Set(first.found.map(keyOf))
  return { ...second, found: second.found.filter((it) => keys.has(keyOf(it))) }
}

const keyOf = ({ cause, finding }: Found): string => `${cause.code} ${finding.where}`

/**
 * The report with the causes of what failed. A cause explains every failed check that it would break; what none explains is
 * named. First come those that explain something, then the other errors, then warnings, each in the order of the causes.
 */
export function explained(report: VerifyReport, findings: Findings, picture: Picture): VerifyReport {
  const ends = endsOf(picture)
  const failed = report.checks
    .filter((check) => check.outcome === 'failed')
    .map((check) => ({ check, at: ends(check) }))
  const causes = findings.found.map(({ cause, finding }): CauseReport => {
    const explains = failed.filter(({ check, at }) => doesBreak(finding, check, at)).map(({ check }) => check.id)
    return {
      code: cause.code,
      level: finding.level ?? 'error',
      where: finding.where,
      message: finding.message,
      because: cause.because,
      evidence: [...finding.evidence],
      fix: finding.fix ?? cause.fix,
      explains,
      safe: finding.remedy !== undefined,
    }
  })
  const rank = ({ level, explains }: CauseReport): number => (level === 'warning' ? 2 : explains.length > 0 ? 0 : 1)
  const known = new Set(causes.flatMap(({ explains }) => explains))
  return {
    ...report,
    ok: report.ok && !causes.some(({ level }) => level === 'error'),
    causes: causes.sort((a, b) => rank(a) - rank(b)),
    unexplained: failed.map(({ check }) => check.id).filter((id) => !known.has(id)),
    skippedCauses: [...findings.skipped],
  }
}

/** The pairs of nodes that findings name as broken. */
export function suspectedPairs({ found }: Findings): (readonly [string, string])[] {
  return found.flatMap(({ finding }) => finding.breaks.pairs ?? [])
}

/** Would this finding make this check fail? A check of the very same code at the same place says the same thing. */
function doesBreak({ breaks, where }: Finding, check: Check, at: Ends): boolean {
  if (breaks.scenarios && !breaks.scenarios.includes(check.scenario)) return false
  if (breaks.protocols && check.protocol && !breaks.protocols.includes(check.protocol)) return false
  return where === check.from && check.scenario === 'addresses' ? true : touches(breaks, at)
}

function touches({ pairs, nodes, acrossOnly, withinOnly }: Breaks, { from, to }: Ends): boolean {
  if (acrossOnly && to.every((node) => node === from)) return false
  if (withinOnly && !to.some((node) => node === from)) return false
  if (!pairs && !nodes) return true
  const onNode = nodes?.some((node) => node === from || to.includes(node)) ?? false
  const onPair =
    pairs?.some(
      ([a, b]) =>
        (from === a && to.includes(b)) ||
        (from === b && to.includes(a)) ||
        (!from && (to.includes(a) || to.includes(b))),
    ) ?? false
  return onNode || onPair
}
