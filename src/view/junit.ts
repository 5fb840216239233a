import type { CauseReport, Check, VerifyReport } from '../model/report.ts'
import { type Markup, markup } from './html/markup.ts'
import { byScenario, groups, notesOf, sampledText, tally, titles } from './verify-words.ts'

/**
 * The report in the dialect of JUnit's XML that Jenkins, GitLab, GitHub's actions and others read: one testsuite per scenario
 * with a testcase per check, and before them one of the causes, so that what is to be mended stands first. Times are seconds.
 */
export function junitXml(report: VerifyReport, meta: { readonly cluster: string; readonly made: string }): string {
  const causesOf = new Map<string, CauseReport[]>()
  for (const cause of report.causes ?? [])
    for (const id of cause.explains) causesOf.set(id, [...(causesOf.get(id) ?? []), cause])
  const { passed, failed, skipped } = tally(report.checks)
  const causes = report.causes ?? []
  const errors = causes.filter(({ level }) => level === 'error')
  const all = passed + failed + skipped + (report.causes ? Math.max(1, causes.length) : 0)
  const suites = byScenario(report.checks).map(([scenario, checks]) => {
    const names = new Map(groups(checks, nameOf))
    return suite(scenario, titles[scenario], meta, checks, (check) =>
      testcase(
        `k8snet.${scenario}`,
        names.get(nameOf(check))?.length === 1 ? nameOf(check) : check.id,
        check.ms,
        verdict(check, causesOf.get(check.id) ?? []),
      ),
    )
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n${
    markup`<testsuites name="k8snet verify ${meta.cluster}" tests="${all}" failures="${failed + errors.length}" errors="0" time="${seconds(report.ms)}">
${report.causes && causeSuite(causes, errors.length, meta)}${suites}${remarks(report, meta)}</testsuites>
`.markup
  }`
}

interface Meta {
  readonly made: string
}

function suite(
  name: string,
  title: string,
  meta: Meta,
  checks: readonly Check[],
  show: (check: Check) => Markup,
): Markup {
  const { failed, skipped } = tally(checks)
  const ms = checks.reduce((sum, check) => sum + check.ms, 0)
  return markup`  <testsuite name="${name}" tests="${checks.length}" failures="${failed}" errors="0" skipped="${skipped}" time="${seconds(ms)}" timestamp="${stamp(meta)}">
    <properties>
      <property name="title" value="${title}"/>
    </properties>
${checks.map(show)}  </testsuite>
`
}

function causeSuite(causes: readonly CauseReport[], errors: number, meta: Meta): Markup {
  return markup`  <testsuite name="causes" tests="${Math.max(1, causes.length)}" failures="${errors}" errors="0" skipped="0" time="0.000" timestamp="${stamp(meta)}">
${causes.length === 0 && testcase('k8snet.causes', 'no known cause of trouble', 0, undefined)}${causes.map((cause) =>
  testcase(
    'k8snet.causes',
    `${cause.code} ${cause.where}`,
    0,
    cause.level === 'error'
      ? markup`      <failure type="${cause.code}" message="${line(cause.message)}">${causeText(cause)}</failure>
`
      : markup`      <system-out>warning: ${causeText(cause)}</system-out>
`,
  ),
)}  </testsuite>
`
}

/** What is to be known though it is no failure, as the output of a suite without tests. */
function remarks(report: VerifyReport, meta: Meta): Markup | undefined {
  const { skippedCauses = [] } = report
  const lines = [
    sampledText(report),
    ...notesOf(report.checks).map(([note, checks]) => `${note} (${checks[0]?.id}, ${checks.length} in all)`),
    ...skippedCauses.map(({ code, why }) => `not looked for: ${code}: ${why}`),
  ].filter((text) => text !== undefined)
  if (lines.length === 0) return undefined
  return markup`  <testsuite name="notes" tests="0" failures="0" errors="0" skipped="0" time="0.000" timestamp="${stamp(meta)}">
    <system-out>${lines.join('\n')}</system-out>
  </testsuite>
`
}

function testcase(classname: string, name: string, ms: number, inner: Markup | undefined): Markup {
  const head = markup`    <testcase classname="${classname}" name="${line(name)}" time="${seconds(ms)}"`
  return inner
    ? markup`${head}>
${inner}    </testcase>
`
    : markup`${head}/>
`
}

function verdict(check: Check, causes: readonly CauseReport[]): Markup | undefined {
  if (check.outcome === 'skipped')
    return markup`      <skipped message="${line(check.evidence ?? 'not made')}"/>
`
  if (check.outcome === 'passed')
    return check.note
      ? markup`      <system-out>${check.note}</system-out>
`
      : undefined
  const code = check.code ?? 'PROBE_FAILED'
  const because = causes.map(({ code, where, message }) => `cause: ${code} ${where}: ${message}`)
  const rest = causes.length > 0 ? causes.map(({ fix }) => fix) : [check.fix]
  const text = [check.evidence, ...because, ...rest.map((fix) => fix && `fix: ${fix}`)].filter(Boolean).join('\n')
  const message = [`${code}: ${nameOf(check)}`, ...causes.map(({ code, where }) => `${code} ${where}`)].join(
    ', because of ',
  )
  return markup`      <failure type="${code}" message="${line(message)}">${text}</failure>
`
}

function causeText({ code, where, message, because, evidence, explains, fix }: CauseReport): string {
  return [
    `${code} ${where}: ${message}`,
    because,
    ...evidence.map(({ source, line }) => `${source}: ${line}`),
    `explains ${explains.length} failed checks`,
    `fix: ${fix}`,
  ].join('\n')
}

const nameOf = ({ from, to, protocol }: Check): string => `${from} -> ${to}${protocol ? ` ${protocol}` : ''}`
const seconds = (ms: number): string => (ms / 1000).toFixed(3)
/** Attributes hold no lines. */
const line = (text: string): string => text.replace(/\s+/g, ' ').trim()
/** ISO 8601 in UTC, without fractions and zone: what the readers agree on. */
const stamp = ({ made }: Meta): string => made.replace(/(\.\d+)?Z$/, '')
