import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Host } from '../model/inventory.ts'
import type { HostStage, Plan } from '../model/plan.ts'
import { exits, Failure } from '../model/trouble.ts'
import { outdated, permits, strangers } from '../plan/compare.ts'
import type { Answers } from '../plan/gather.ts'
import { makePlan } from '../plan/make.ts'
import { originOf, planText, readPlanText, type SavedPlan, savedPlan } from '../plan/saved.ts'
import { steps } from '../steps/index.ts'
import type { CommandIo } from './io.ts'
import { saveFile } from './save-file.ts'
import type { Prepared } from './session.ts'
import { versionOfK8snet } from './version.ts'

/** What a plan was made from: the hosts' answers, and the plan itself. */
export interface Pictured {
  readonly plan: Plan
  readonly answers: ReadonlyMap<Host, Answers>
}

/** Saves a plan, whole or not at all, readable by its owner alone. Failure (exit 2) FILE_UNWRITABLE. */
export async function savePlan(io: CommandIo, file: string, prepared: Prepared, pictured: Pictured): Promise<void> {
  const text = planText(savedPlan({ ...prepared, ...pictured, steps }, await versionOfK8snet(), new Date()))
  await saveFile(resolve(io.cwd, file), text, 'the plan')
}

/** Reads a plan file. Failure (exit 2): FILE_NOT_FOUND, PLAN_INVALID; USAGE where `only` names other hosts than the plan is for. */
export async function loadPlan(io: CommandIo, file: string, only?: readonly string[]): Promise<SavedPlan> {
  const path = resolve(io.cwd, file)
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    const message = `the plan cannot be read: ${cause.message}`
    const fix = 'correct the path; k8snet plan INVENTORY --out FILE makes one'
    throw new Failure(exits.badInput, { code: 'FILE_NOT_FOUND', message, where: path, fix }, { cause })
  })
  const saved = readPlanText(text, path)
  if (only && [...new Set(only)].sort().join() !== [...saved.only].sort().join())
    throw new Failure(exits.badInput, {
      code: 'PLAN_INVALID',
      message: `the plan is for ${saved.only.join(', ')}, and --only names ${only.join(', ')}`,
      where: path,
      fix: 'leave --only out: the plan says for which hosts it is',
    })
  return saved
}

/** Refuses (exit 2, PLAN_INVALID) a plan of another inventory, bundle or playbook than those at hand. */
export function mustFit(saved: SavedPlan, file: string, prepared: Prepared): void {
  const troubles = strangers(saved, originOf(prepared))
  if (troubles.length > 0)
    throw new Failure(
      exits.badInput,
      troubles.map((it) => ({ ...it, where: file })),
    )
}

/**
 * Refuses (exit 8, PLAN_OUTDATED) where any host that answered would now get something else than the plan says. What the others
 * get does not hang on a host that could not be reached: `whole` still has it.
 */
export async function mustBeCurrent(saved: SavedPlan, whole: Prepared, { answers }: Pictured): Promise<void> {
  const sites = whole.sites.filter(({ host }) => answers.has(host))
  const plan = makePlan(whole.playbook, sites, answers, steps)
  const now = savedPlan({ ...whole, sites, answers, plan, steps }, await versionOfK8snet(), new Date())
  const troubles = outdated(saved, now)
  if (troubles.length > 0) throw new Failure(exits.outdated, troubles)
}

/** Lets only that pass which the plan allows: throws PLAN_OUTDATED for the host that asks for something else on the way. */
export function onlyAsSaved(saved: SavedPlan): (planned: HostStage) => void {
  return (planned) => {
    const troubles = permits(saved, planned)
    if (troubles.length > 0) throw new Failure(exits.someHosts, troubles)
  }
}
