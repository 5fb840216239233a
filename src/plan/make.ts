import { show } from '../actions/index.ts'
import type { Shown } from '../actions/kind.ts'
import type { Action } from '../model/action.ts'
import { type Host, leaderOf } from '../model/inventory.ts'
import { maskOf } from '../model/mask.ts'
import type { HostStage, Plan, Playbook, Stage } from '../model/plan.ts'
import type { Site, Step } from '../model/step.ts'
import { type Answers, factsFor } from './gather.ts'

export type Steps = Readonly<Record<string, Step>>

/** What one stage would do on one host, from what the host answered. Steps with nothing to do are left out. */
export function planStage(stage: Stage, site: Site, answers: Answers, steps: Steps): HostStage {
  const planned = stage.steps.map((name) => {
    const step = steps[name]!
    return { step: name, actions: step.plan(factsFor(step.asks(site), answers), site) }
  })
  return { host: site.host, stage: stage.name, steps: planned.filter(({ actions }) => actions.length > 0) }
}

/** What `up` would do on every host, all stages from the one picture that was taken. */
export function makePlan(
  playbook: Playbook,
  sites: readonly Site[],
  answers: ReadonlyMap<Host, Answers>,
  steps: Steps,
): Plan {
  return {
    hosts: sites.map((site) => ({
      host: site.host,
      stages: playbook.stages
        .filter((stage) => concerns(stage, site))
        .map((stage) => planStage(stage, site, answers.get(site.host)!, steps))
        .filter(({ steps: planned }) => planned.length > 0),
    })),
  }
}

/** Does the stage run on this host? A guest takes part only in what follows the work of others. */
export function concerns(stage: Stage, { host, inventory, guest }: Site): boolean {
  const isLeader = host === leaderOf(inventory)
  if (guest && !stage.after.some((name) => name.startsWith('others.'))) return false
  return stage.hosts === 'all' || (stage.hosts === 'leader') === isLeader
}

/** The names of all steps that the playbook has for a host. */
export function stepsOn(playbook: Playbook, site: Site): string[] {
  return playbook.stages.filter((stage) => concerns(stage, site)).flatMap((stage) => stage.steps)
}

/** All actions of a host's stage in their order, each with the step that wants it. */
export function actionsOf(stage: HostStage): { step: string; action: Action }[] {
  return stage.steps.flatMap(({ step, actions }) => actions.map((action) => ({ step, action })))
}

/** How many changes a plan holds for a host; waiting is no change. */
export function countChanges(stages: readonly HostStage[]): number {
  return stages.flatMap(actionsOf).filter(({ action }) => action.kind !== 'wait').length
}

/** The plan as the documented JSON. */
export function planJson(plan: Plan) {
  return {
    hosts: plan.hosts.map(({ host, stages }) => ({
      name: host.name,
      actions: stages.flatMap(actionsOf).map(({ step, action }) => ({ step, kind: action.kind, ...shown(action) })),
    })),
  }
}

/** What a person sees of an action; of a file that is replaced, what has the form of a secret is left out. */
function shown(action: Action): Shown {
  const { diff, ...rest } = show(action)
  return diff === undefined ? rest : { ...rest, diff: diff.replace(/^[- ].*$/gm, mask) }
}

const mask = maskOf([])
