import { show } from '../actions/index.ts'
import type { Action } from '../model/action.ts'
import type { HostStage } from '../model/plan.ts'
import type { Evidence, Trouble } from '../model/trouble.ts'
import { canonical } from './canonical.ts'
import { actionsOf } from './make.ts'
import { type Difference, differences } from './picture.ts'
import { asSaved, type Origin, type SavedHost, type SavedPlan, type SavedStep } from './saved.ts'

const again = 'look at what is there now, and save a new plan: k8snet plan INVENTORY --out FILE'

/** Was the plan made from this inventory, bundle and playbook? A trouble PLAN_INVALID for each that is another one. */
export function strangers(saved: Origin, now: Origin): Trouble[] {
  return (['inventory', 'bundle', 'playbook'] as const).flatMap((what): Trouble[] => {
    const found = differences(saved[what], now[what])
    if (found.length === 0) return []
    const parts = found.flatMap((it) => (it.part === undefined ? [] : [told({ name: what, ...it })]))
    return [
      {
        code: 'PLAN_INVALID',
        message: `the ${what} is another one than the plan was made from`,
        ...(parts.length > 0 && { evidence: few(parts) }),
        fix: again,
      },
    ]
  })
}

/**
 * What would now be done otherwise than the saved plan says: a trouble PLAN_OUTDATED per host and step, with the facts of that
 * step that changed since. A fact that changed without changing an action does not matter, and neither does waiting. `now` is
 * planned just now, for the same hosts; one that is not in it could not be reached, and nothing will be done to it.
 */
export function outdated(saved: SavedPlan, now: SavedPlan): Trouble[] {
  return now.hosts.flatMap((host) => {
    const before = saved.hosts.find(({ name }) => name === host.name)
    if (!before) return [{ ...late(host.name, 'the plan does not know this host'), fix: again }]
    if (hasWork(before) && !hasWork(host)) {
      const message =
        'nothing of the plan is left to do: it was carried out since, or the host became so in another way'
      return [{ ...late(host.name, message), fix: again }]
    }
    const keys = new Set([...before.steps, ...host.steps].map(keyOf))
    return [...keys].flatMap((key) => moved(before, host, key, [saved.k8snet, now.k8snet]))
  })
}

function moved(before: SavedHost, host: SavedHost, key: string, versions: readonly [string, string]): Trouble[] {
  const [was, is] = [before, host].map((it) => it.steps.find((step) => keyOf(step) === key))
  const [saved, fresh] = [was, is].map((it) => it?.actions.filter(isChange) ?? []) as [Action[], Action[]]
  if (canonical(saved) === canonical(fresh)) return []
  const [more, less] = [missing(fresh, saved), missing(saved, fresh)]
  const facts = Object.entries(is?.asks ?? {}).flatMap(([name, id]) =>
    differences(before.facts[was?.asks[name] ?? ''], host.facts[id]).map((it) => ({ name, ...it })),
  )
  const actions = canonical([more, less])
  const near = facts.filter(({ part }) => part === undefined || actions.includes(part))
  const [then, now] = versions
  return [
    {
      ...late(`${host.name}: ${(is ?? was)!.step}`, 'the host is no longer as it was when the plan was saved'),
      evidence: [
        ...few((near.length > 0 ? near : facts).map(told)),
        ...(facts.length === 0 && then !== now ? [{ source: 'k8snet', line: `was ${then}, is ${now}` }] : []),
        ...few(more.map((action) => ({ source: 'not in the plan', line: show(action).summary }))),
        ...few(less.map((action) => ({ source: 'in the plan only', line: show(action).summary }))),
      ],
      fix: again,
    },
  ]
}

/**
 * What of a stage, planned from what the host says now, the saved plan does not allow: PLAN_OUTDATED, one for each step. Fewer
 * actions are well, since something came about by itself, and so is any waiting, which changes nothing.
 */
export function permits(saved: SavedPlan, planned: HostStage): Trouble[] {
  const steps = saved.hosts.find(({ name }) => name === planned.host.name)?.steps ?? []
  const allowed = new Set(
    steps
      .filter(({ stage }) => stage === planned.stage)
      .flatMap(({ step, actions }) => actions.map((action) => gist(step, action))),
  )
  const others = actionsOf(planned).filter(
    ({ step, action }) => isChange(action) && !allowed.has(gist(step, asSaved(action))),
  )
  return [...new Set(others.map(({ step }) => step))].map((step) => ({
    ...late(`${planned.host.name}: ${step}`, 'on the way the host asked for something that is not in the plan'),
    evidence: few(
      others
        .filter((it) => it.step === step)
        .map(({ action }) => ({ source: 'not in the plan', line: show(action).summary })),
    ),
    fix: again,
  }))
}

/**
 * What a saved action comes to: where it matters only to the undo, without what was there before, for the stages that came
 * first may have changed that.
 */
function gist(step: string, action: Action): string {
  const { was, ...rest } = action as Action & { was?: unknown }
  const operand = action.kind === 'file' || action.kind === 'line' || action.kind === 'swap'
  return canonical([step, operand ? { ...rest, was } : rest])
}

const hasWork = ({ steps }: SavedHost): boolean => steps.some(({ actions }) => actions.some(isChange))
const isChange = ({ kind }: Action): boolean => kind !== 'wait'
const keyOf = ({ stage, step }: SavedStep): string => `${stage}/${step}`
const late = (where: string, message: string): Trouble => ({ code: 'PLAN_OUTDATED', message, where })
const told = ({ name, part, how }: Difference & { name: string }): Evidence => ({
  source: part === undefined ? name : `${name} ${part}`,
  line: how,
})

/** The first of many, and how many more there are. */
function few(evidence: readonly Evidence[]): Evidence[] {
  if (evidence.length <= 6) return [...evidence]
  return [
    ...evidence.slice(0, 5),
    { source: evidence[0]!.source.split(' /')[0]!, line: `and ${evidence.length - 5} more` },
  ]
}

/** Those of `these` that are not among `those`. */
function missing(these: readonly Action[], those: readonly Action[]): Action[] {
  const known = new Set(those.map(canonical))
  return these.filter((action) => !known.has(canonical(action)))
}
