import type { Command } from 'commander'
import type { Host } from '../model/inventory.ts'
import type { Plan } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import type { RunReport } from '../model/report.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { Answers } from '../plan/gather.ts'
import { countChanges, planJson } from '../plan/make.ts'
import { runUp } from '../run/up.ts'
import { steps } from '../steps/index.ts'
import { troubleJson } from '../view/failure.ts'
import { reportText } from '../view/run.ts'
import { verifyText } from '../view/verify.ts'
import { consent } from './consent.ts'
import type { CommandIo } from './io.ts'
import { meansFor } from './means.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { planOn } from './plan.ts'
import { damages, preflight } from './preflight.ts'
import { type Prepared, prepare, withHosts } from './session.ts'
import { verifyOn } from './verify.ts'
import { viewFor } from './views.ts'

interface UpOptions extends CommonOptions {
  yes?: boolean
  verify: boolean
}

/** `k8snet up`: plan, ask, run, verify. */
export function upCommand(io: CommandIo): Command {
  return inventoryCommand(
    'up',
    'Makes the hosts of an inventory a Kubernetes cluster and proves its network.',
    'k8snet up inventory.yaml',
  )
    .option('-y, --yes', 'do not ask')
    .option('--no-verify', 'do not prove the network afterwards')
    .action(async (file: string, options: UpOptions) => {
      const prepared = await prepare(io, file, options.only)
      const report = await withHosts(io, prepared.hosts, (hands) => up(io, prepared, hands, options))
      io.out(options.output === 'json' ? `${JSON.stringify(upJson(report), null, 2)}\n` : upText(report, io.color))
      io.exit(io.signal.aborted ? exits.interrupted : exitOf(report))
    })
}

async function up(
  io: CommandIo,
  prepared: Prepared,
  hands: ReadonlyMap<Host, Hands>,
  options: UpOptions,
): Promise<RunReport> {
  const began = performance.now()
  const { plan, answers } = await planOn(io, prepared, hands)
  if (plan.hosts.some(({ stages }) => stages.length > 0)) await permit(io, prepared, plan, hands, options)
  const report = await run(io, prepared, plan, answers, hands, options)
  report.ms = performance.now() - began
  if (!report.ok || !options.verify || io.signal.aborted) return report
  return { ...report, verify: await verifyOn(io, prepared.inventory, hands, options) }
}

/** Refuses what preflight or the bundle forbids, then asks. */
async function permit(
  io: CommandIo,
  prepared: Prepared,
  plan: Plan,
  hands: ReadonlyMap<Host, Hands>,
  { yes }: UpOptions,
): Promise<void> {
  const [unfit, damaged] = await Promise.all([preflight(io, prepared, hands), damages(prepared, plan)])
  if (damaged.length > 0) throw new Failure(exits.badInput, damaged)
  if (unfit.length > 0) throw new Failure(exits.refused, unfit)
  if (!yes) await consent(io, planJson(plan).hosts, 'Go on?')
}

async function run(
  io: CommandIo,
  prepared: Prepared,
  plan: Plan,
  answers: ReadonlyMap<Host, Answers>,
  hands: ReadonlyMap<Host, Hands>,
  options: UpOptions,
): Promise<RunReport> {
  const view = viewFor(io, options, plan.hosts.reduce((sum, { stages }) => sum + countChanges(stages), 0) > 0)
  try {
    const means = await meansFor(io, prepared, view.emit)
    return await runUp({ ...prepared, steps, hands, answers, means, clock: () => performance.now() })
  } finally {
    await view.end()
  }
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
  return `${reportText(report, color)}${unchanged ? 'Nothing to do: every host is as it should be.\n' : ''}${report.verify ? `\n${verifyText(report.verify, { color })}` : ''}`
}
