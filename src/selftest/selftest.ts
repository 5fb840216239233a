import type { Code } from '../model/codes.ts'
import type { ClusterDump } from '../model/dump.ts'
import type { Reply } from '../model/fact.ts'
import type { CauseReport, VerifyReport } from '../model/report.ts'
import { quote, type Sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { Edited, Fault, Level, Role, Trial } from './fault.ts'
import { makePods, removePods } from './fixture.ts'
import { verdictOf } from './verdict.ts'

/** A running cluster that may be broken, and how it is looked at. */
export interface Bench {
  /** Runs a script as root on a host, after templates/selftest.sh; not ended by Ctrl-C. */
  run(role: Role, script: Sh): Promise<Reply>
  verify(level: 'quick' | 'full'): Promise<VerifyReport>
  /** Causes without any packet: those of a dump that is made now. */
  look(): Promise<VerifyReport>
  dump(): Promise<ClusterDump>
  judge(dump: ClusterDump): VerifyReport
  emit(line: string): void
  readonly signal: AbortSignal
}

/** What came of a trial. */
export interface Row {
  readonly codes: readonly Code[]
  readonly title: string
  /** `edited`: not made, a dump was changed. */
  readonly level: Level | 'edited'
  /** The codes in the order in which they were named. */
  readonly seen: readonly Code[]
  /** Failed checks that the wanted causes explain, and those that nothing explains. */
  readonly explained: number
  readonly unexplained: number
  readonly ms: number
  /** What is not as it should be; none where all is right. */
  readonly problems: readonly string[]
}

/** So long may flannel, kube-proxy and CoreDNS take until all is clean again, or until a fault shows. */
const deadlineMs = 120_000
const pollMs = 500

/** Makes every fault, one trial after the other, looks, takes it back, and looks that all is clean again. */
export async function selftest(bench: Bench, trials: readonly Trial[], edits: readonly Edited[]): Promise<Row[]> {
  const rows: Row[] = []
  await recover(bench)
  await must(bench, 'leader', makePods)
  try {
    const before = await bench.verify('quick')
    if (!isClean(before)) throw notClean(before)
    const all = trials.length + edits.length
    const done = (row: Row) => {
      rows.push(row)
      bench.emit(`${rows.length}/${all} ${lineOf(row)}`)
    }
    const dump = edits.length > 0 ? await bench.dump() : undefined
    for (const edit of edits) done(editedRow(bench, edit, dump!))
    for (const trial of trials) {
      const row = await tried(bench, trial)
      done(row)
      if (!row.clean) break
    }
  } finally {
    await bench.run('leader', removePods)
  }
  return rows
}

/** Clean runs in a row; every failed check and every cause in one of them is a false alarm. */
export async function rounds(bench: Bench, count: number): Promise<Row[]> {
  const rows: Row[] = []
  for (let i = 1; i <= count; i++) {
    const report = await bench.verify('quick')
    const row: Row = {
      codes: [],
      title: `clean run ${i}`,
      level: 'quick',
      seen: codesOf(report),
      explained: 0,
      unexplained: report.unexplained?.length ?? 0,
      ms: report.ms,
      problems: isClean(report) ? [] : [alarm(report)],
    }
    rows.push(row)
    bench.emit(`${i}/${count} ${row.problems[0] ?? 'clean'} (${(report.ms / 1000).toFixed(1)} s)`)
  }
  return rows
}

async function tried(bench: Bench, trial: Trial): Promise<Row & { clean: boolean }> {
  const began = performance.now()
  const level = trial.some((fault) => fault.level === 'full')
    ? 'full'
    : trial.some((fault) => fault.level === 'quick')
      ? 'quick'
      : 'static'
  const problems: string[] = []
  let report: VerifyReport | undefined
  let clean = true
  try {
    for (const fault of trial) problems.push(...(await make(bench, fault)))
    if (problems.length === 0) report = level === 'static' ? await bench.look() : await bench.verify(level)
  } finally {
    for (const fault of [...trial].reverse()) await undo(bench, fault)
  }
  if (report) problems.push(...verdictOf(trial, level, report))
  const left = await cleared(bench, level)
  if (left) {
    clean = false
    problems.push(`not clean again: ${left}`)
  }
  const codes = trial.map(({ code }) => code)
  return {
    codes,
    title: trial.map(({ title }) => title).join('; '),
    level,
    seen: report ? codesOf(report) : [],
    explained: new Set(report?.causes?.filter(({ code }) => codes.includes(code)).flatMap(({ explains }) => explains))
      .size,
    unexplained: report?.unexplained?.length ?? 0,
    ms: Math.round(performance.now() - began),
    problems,
    clean,
  }
}

function editedRow(bench: Bench, { code, title, edit }: Edited, dump: ClusterDump): Row {
  const began = performance.now()
  const usual = codesOf(bench.judge(dump))
  const seen = codesOf(bench.judge(edit(dump))).filter((it) => !usual.includes(it))
  const ms = Math.round(performance.now() - began)
  const problems = seen[0] === code ? [] : [`${seen[0] ?? 'nothing'} came first`]
  return { codes: [code], title, level: 'edited', seen, explained: 0, unexplained: 0, ms, problems }
}

/** The way back is written down first, so that the next run finds it where this one is killed. */
async function make(bench: Bench, { code, on, make, undo, settle }: Fault): Promise<string[]> {
  for (const role of rolesOf(on)) {
    stopIfAsked(bench)
    const reply = await bench.run(role, `printf '%s\\n' ${quote(undo)} >"$S/undo.${code}"\n${make}`)
    if (reply.code !== 0) return [`could not be made: ${reply.err.trim() || `status ${reply.code}`}`]
  }
  if (!settle) return []
  const settled = await until(bench, async () => (await bench.run('leader', settle)).code === 0 || undefined)
  return settled ? [] : ['it never showed']
}

async function undo(bench: Bench, { code, on, undo }: Fault): Promise<void> {
  for (const role of [...rolesOf(on)].reverse()) await bench.run(role, `( ${undo}\n)\nrm -f "$S/undo.${code}"`)
}

/** Takes back what a run that was killed has left. */
async function recover(bench: Bench): Promise<void> {
  for (const role of ['leader', 'worker', 'other'] as const)
    await bench.run(role, 'for it in "$S"/undo.*; do [ ! -f "$it" ] || { ( . "$it" ); rm -f "$it"; }; done')
}

/** What is still wrong when the time is over; undefined as soon as all is clean. */
async function cleared(bench: Bench, level: Level): Promise<string | undefined> {
  let last: VerifyReport | undefined
  const clean = await until(bench, async () => {
    last = level === 'static' ? await bench.look() : await bench.verify('quick')
    return isClean(last) || undefined
  })
  return clean ? undefined : alarm(last!)
}

async function until<T>(bench: Bench, ask: () => Promise<T | undefined>): Promise<T | undefined> {
  const end = performance.now() + deadlineMs
  for (;;) {
    stopIfAsked(bench)
    const answer = await ask()
    if (answer !== undefined || performance.now() > end) return answer
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

const isClean = ({ ok, causes }: VerifyReport): boolean => ok && (causes ?? []).length === 0

const codesOf = ({ causes }: VerifyReport): Code[] => [...new Set((causes ?? []).map(({ code }) => code))]

const rolesOf = (on: Fault['on']): readonly Role[] => (typeof on === 'string' ? [on] : on)

function alarm({ causes, checks }: VerifyReport): string {
  const failed = checks.filter(({ outcome }) => outcome === 'failed')
  const said = (causes ?? []).map((cause: CauseReport) => `${cause.code} ${cause.message}`)
  return [...said, ...failed.map(({ id, code }) => `${code ?? 'failed'} ${id}`)].slice(0, 3).join('; ')
}

const lineOf = ({ codes, title, seen, explained, problems, ms }: Row): string =>
  `${problems.length > 0 ? 'FAIL' : 'ok'} ${codes.join(' + ')}: ${title} (${[
    seen.length > 0 ? `named ${seen.slice(0, 4).join(', ')}` : 'nothing named',
    ...(explained > 0 ? [`explains ${explained}`] : []),
    ...problems,
  ].join('; ')}; ${(ms / 1000).toFixed(1)} s)`

async function must(bench: Bench, role: Role, script: Sh): Promise<void> {
  const reply = await bench.run(role, script)
  if (reply.code === 0) return
  throw new Failure(exits.network, {
    code: 'PROBE_FAILED',
    message: 'the pods of the selftest could not be made',
    evidence: [{ source: 'kubectl', line: reply.err.trim().split('\n').at(-1) ?? '' }],
  })
}

function notClean(report: VerifyReport): Failure {
  return new Failure(exits.network, {
    code: 'UNEXPLAINED',
    message: `the cluster is not clean before any fault is made: ${alarm(report)}`,
    fix: 'k8snet verify vagrant/inventory.yaml says what is wrong; k8snet lab down, lab up and up make a new one',
  })
}

function stopIfAsked({ signal }: Bench): void {
  if (signal.aborted) throw new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'the selftest was stopped' })
}
