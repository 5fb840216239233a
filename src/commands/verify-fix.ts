import type { Action } from '../model/action.ts'
import type { Host, Inventory } from '../model/inventory.ts'
import { maskOf } from '../model/mask.ts'
import type { HostStage } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import { planJson } from '../plan/make.ts'
import { runStage } from '../run/stage.ts'
import type { Means } from '../run/task.ts'
import { windowOf } from '../run/window.ts'
import { consent } from './consent.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { CommandIo } from './io.ts'
import { locked } from './locked.ts'
import { prelude } from './means.ts'
import type { CommonOptions } from './options.ts'
import { viewFor } from './views.ts'

/**
 * Carries out the safe changes of what was found: shown and asked for first, journalled on the hosts, taken back by `down`.
 * False where there is nothing that can be mended so. Throws a Failure when a change fails, LOCKED, or nobody agrees.
 */
export async function fix(
  io: CommandIo,
  inventory: Inventory,
  hands: ReadonlyMap<Host, Hands>,
  diagnosis: Diagnosis,
  options: CommonOptions & { yes?: boolean },
): Promise<boolean> {
  const stages = inventory.hosts.flatMap((host) => (hands.has(host) ? stageOf(host, diagnosis) : []))
  if (stages.length === 0) return false
  const plan = { hosts: stages.map((stage) => ({ host: stage.host, stages: [stage] })) }
  if (!options.yes) await consent(io, planJson(plan).hosts, 'Mend this?')
  await locked(io, hands, 'verify --fix', inventory, async (io, held) => {
    await held
    const view = await viewFor(io, options, true)
    const means: Means = {
      prelude: await prelude(),
      store: { files: nothing, images: nothing },
      uploads: windowOf(1),
      emit: view.emit,
      signal: io.signal,
      mask: maskOf([]),
    }
    try {
      await Promise.all(stages.map((stage) => runStage(stage, hands.get(stage.host)!, means, { actions: 0 })))
    } finally {
      await view.end()
    }
  })
  return true
}

/** No remedy brings files or images along. */
const nothing = (): never => {
  throw new Error('a remedy asked for an artifact of the bundle')
}

/** The changes of one host, one step for each code; what two findings both want is done once. */
function stageOf(host: Host, { findings }: Diagnosis): HostStage[] {
  const steps = new Map<string, Map<string, Action>>()
  for (const { cause, finding } of findings.found)
    for (const { node, actions } of finding.remedy ?? [])
      if (node === host.name) {
        const own = steps.get(cause.code) ?? new Map<string, Action>()
        for (const action of actions) own.set(JSON.stringify(action), action)
        steps.set(cause.code, own)
      }
  if (steps.size === 0) return []
  return [
    { host, stage: 'fix', steps: [...steps].map(([step, actions]) => ({ step, actions: [...actions.values()] })) },
  ]
}
