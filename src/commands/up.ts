import { type Host, leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { RunReport } from '../model/report.ts'
import { exits, Failure, lineOf } from '../model/trouble.ts'
import { countChanges, planJson } from '../plan/make.ts'
import type { SavedPlan } from '../plan/saved.ts'
import { runUp } from '../run/up.ts'
import { steps } from '../steps/index.ts'
import { leftOut, troubleJson } from '../view/failure.ts'
import { isWell, partialText, reportText } from '../view/run.ts'
import { verifyText } from '../view/verify.ts'
import { consent } from './consent.ts'
import type { CommandIo } from './io.ts'
import { locked } from './locked.ts'
import { meansFor } from './means.ts'
import type { CommonOptions } from './options.ts'
import { type Planned, planWithout } from './plan.ts'
import { loadPlan, mustBeCurrent, mustFit, onlyAsSaved } from './plan-file.ts'
import { damages, preflight } from './preflight.ts'
import { recorded } from './recorded.ts'
import { type Prepared, prepare, withAny } from './session.ts'
import { isAtRest, lookAround, settledPlan } from './settle.ts'
import { verifyOn } from './verify-live.ts'
import { viewFor } from './views.ts'

export interface UpOptions extends CommonOptions {
  plan?: string
  yes?: boolean
  verify: boolean
}

/** Plan, ask, run, verify. A cluster that is as it should be is left alone: then there is no lock to take either. */
export async function upAction(io: CommandIo, file: string, options: UpOptions): Promise<void> {
  const saved = options.plan === undefined ? undefined : await loadPlan(io, options.plan, options.only)
  const prepared = await prepare(io, file, saved?.only ?? options.only)
  if (saved) mustFit(saved, options.plan!, prepared)
  await recorded(io, 'up', prepared.inventory, [prepared.sites[0]?.token], async (io) => {
    const report = await withAny(io, prepared.hosts, async (hands, lost) => {
      const began = performance.now()
      const seen = saved ? undefined : await lookAround(io, prepared, hands, lost)
      if (seen && isAtRest(seen)) return carryOut(io, prepared, seen, hands, options, saved, began)
      return locked(io, hands, 'up', prepared.inventory, (io, held) =>
        up(io, prepared, hands, lost, options, saved, held, began),
      )
    })
    io.out(options.output === 'json' ? `${JSON.stringify(upJson(report), null, 2)}\n` : upText(report, io.color))
    io.exit(io.signal.aborted ? exits.interrupted : exitOf(report))
    return upJson(report)
  })
}

async function up(
  io: CommandIo,
  whole: Prepared,
  hands: ReadonlyMap<Host, Hands>,
  unreached: ReadonlyMap<Host, Failure>,
  options: UpOptions,
  saved: SavedPlan | undefined,
  held: Promise<void>,
  began: number,
): Promise<RunReport> {
  const first = await settledPlan(io, whole, hands, unreached, held)
  if (saved) await mustBeCurrent(saved, whole, first)
  const busy = first.plan.hosts.some(({ stages }) => stages.length > 0)
  const planned = busy ? await permit(io, first, hands, { ...options, yes: options.yes || saved !== undefined }) : first
  return carryOut(io, whole, planned, hands, options, saved, began)
}

async function carryOut(
  io: CommandIo,
  whole: Prepared,
  planned: Planned,
  hands: ReadonlyMap<Host, Hands>,
  options: UpOptions,
  saved: SavedPlan | undefined,
  began: number,
): Promise<RunReport> {
  const report = withLost(await run(io, planned, hands, options, saved), whole, planned.lost)
  report.ms = performance.now() - began
  const well = new Set(report.hosts.filter(isWell).map(({ name }) => name))
  const leader = leaderOf(whole.inventory)
  if (!options.verify || io.signal.aborted || !well.has(leader.name)) return report
  const reached = new Map([...hands].filter(([{ name }]) => well.has(name)))
  const inventory = { ...whole.inventory, hosts: whole.inventory.hosts.filter((host) => reached.has(host)) }
  return { ...report, verify: (await verifyOn(io, inventory, reached, options)).report }
}

/** Refuses what preflight or the bundle forbids, then asks. Gives back the plan without the hosts that preflight could not ask. */
async function permit(
  io: CommandIo,
  planned: Planned,
  hands: ReadonlyMap<Host, Hands>,
  { yes }: UpOptions,
): Promise<Planned> {
  const [{ troubles, failures }, damaged] = await Promise.all([
    preflight(io, planned.prepared, hands, planned.lost),
    damages(planned.prepared, planned.plan),
  ])
  if (damaged.length > 0) throw new Failure(exits.badInput, damaged)
  if (troubles.length > 0) throw new Failure(exits.refused, troubles)
  const rest = planWithout(planned, failures)
  const lost = [...rest.lost.values()].flatMap((failure) => failure.troubles)
  if (yes) return rest
  if (lost.length > 0) io.err(leftOut(lost, io.color))
  const names = [...rest.lost.keys()].map(({ name }) => name)
  await consent(io, planJson(rest.plan).hosts, names.length > 0 ? `Go on without ${names.join(', ')}?` : 'Go on?')
  return rest
}

async function run(
  io: CommandIo,
  { prepared, plan, answers, lost }: Planned,
  hands: ReadonlyMap<Host, Hands>,
  options: UpOptions,
  saved: SavedPlan | undefined,
): Promise<RunReport> {
  const view = await viewFor(io, options, plan.hosts.reduce((sum, { stages }) => sum + countChanges(stages), 0) > 0)
  try {
    for (const { troubles } of lost.values())
      view.emit({ type: 'note', text: `${lineOf(troubles[0]!)}; the others go on without it` })
    const means = await meansFor(io, prepared, view.emit)
    const permit = saved && onlyAsSaved(saved)
    return await runUp({
      ...prepared,
      steps,
      hands,
      answers,
      means,
      clock: () => performance.now(),
      ...(permit && { permit }),
    })
  } finally {
    await view.end()
  }
}

/** The report with the hosts that were left out, in the order of the inventory. */
function withLost(report: RunReport, { hosts }: Prepared, lost: ReadonlyMap<Host, Failure>): RunReport {
  if (lost.size === 0) return report
  const results = new Map(report.hosts.map((result) => [result.name, result]))
  for (const [{ name }, { troubles }] of lost)
    results.set(name, { name, outcome: 'failed', actions: 0, ms: 0, error: troubles[0]! })
  return { ...report, ok: false, hosts: hosts.flatMap(({ name }) => results.get(name) ?? []) }
}

function exitOf({ ok, hosts, verify }: RunReport): number {
  if (hosts.some(({ error }) => error?.code === 'DEFECT')) return exits.defect
  if (!ok) return exits.someHosts
  return verify?.ok === false ? exits.network : exits.done
}

/** The report as the documented JSON; `ok` is that everything is well, the network included. */
export function upJson(report: RunReport) {
  const { ok, stages, ms, verify } = report
  return {
    ok: ok && verify?.ok !== false,
    hosts: report.hosts.map(({ error, ms, ...host }) => ({
      ...host,
      ms: Math.round(ms),
      ...(error && { error: troubleJson(error) }),
    })),
    stages: stages.map(({ name, ms }) => ({ name, ms: Math.round(ms) })),
    ms: Math.round(ms),
    ...(verify && { verify }),
  }
}

function upText(report: RunReport, color: boolean): string {
  const unchanged = report.ok && report.hosts.every(({ outcome }) => outcome === 'unchanged')
  return [
    reportText(report, color),
    unchanged ? 'Nothing to do: every host is as it should be.\n' : '',
    report.verify ? `\n${verifyText(report.verify, { color })}` : '',
    partialText(report, 'joined', color),
  ].join('')
}
