import type { Command } from 'commander'
import type { Fact } from '../model/fact.ts'
import type { Host } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { Site } from '../model/step.ts'
import { exits, type Failure } from '../model/trouble.ts'
import { inTurns } from '../model/turns.ts'
import { questionsOf } from '../plan/gather.ts'
import { makePlan, planJson, stepsOn } from '../plan/make.ts'
import { steps } from '../steps/index.ts'
import { changesText, totalText } from '../view/changes.ts'
import { leftOut, troubleJson } from '../view/failure.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { type Pictured, savePlan } from './plan-file.ts'
import { askAll, type Prepared, prepare, withAny, without } from './session.ts'

/** `k8snet plan`: looks at every host with one exec and prints what `up` would do. */
export function planCommand(io: CommandIo): Command {
  return inventoryCommand(
    'plan',
    'What up would do on each host: commands and diffs. Changes nothing.',
    'k8snet plan inventory.yaml --out plan.json',
  )
    .option('--out <file>', 'save the plan here, for up --plan; readable by you alone')
    .option('--detailed-exitcode', 'exit 10 when there is something to do')
    .action(async (file: string, options: CommonOptions & { out?: string; detailedExitcode?: boolean }) => {
      const prepared = await prepare(io, file, options.only)
      const planned = await withAny(io, prepared.hosts, (hands, lost) => planOn(io, prepared, hands, lost))
      const { hosts } = planJson(planned.plan)
      const { out } = options
      if (out) await savePlan(io, out, planned.prepared, planned)
      const errors = [...planned.lost.values()].flatMap(({ troubles }) => troubles)
      const json = { hosts, ...(errors.length > 0 && { errors: errors.map(troubleJson) }), ...(out && { saved: out }) }
      if (options.output === 'json') io.out(`${JSON.stringify(json, null, 2)}\n`)
      else io.out(`${changesText(hosts, io.color)}\n${totalText(hosts)}`)
      if (errors.length > 0 && options.output !== 'json') io.err(leftOut(errors, io.color))
      if (out && options.output !== 'json')
        io.out(`saved in ${out}; to carry it out: k8snet up ${file} --plan ${out}\n`)
      if (errors.length > 0) io.exit(exits.someHosts)
      else if (options.detailedExitcode && hosts.some(({ actions }) => actions.length > 0)) io.exit(10)
    })
}

/** A plan, the hosts that it is for, and those that are left out of it because they could not be reached or asked. */
export interface Planned extends Pictured {
  readonly prepared: Prepared
  readonly lost: ReadonlyMap<Host, Failure>
}

/** Takes a picture of all hosts that there are hands for, with further questions where asked for, and plans from it. */
export async function planOn(
  io: CommandIo,
  whole: Prepared,
  hands: ReadonlyMap<Host, Hands>,
  unreached: ReadonlyMap<Host, Failure>,
  more: readonly Fact<unknown>[] = [],
): Promise<Planned> {
  const { playbook, sites } = without(whole, unreached)
  const questions = (site: Site) => [
    ...questionsOf(stepsOn(playbook, site).map((name) => steps[name as keyof typeof steps].asks(site))),
    ...more,
  ]
  io.follow?.phase('look')
  const { answers, failures } = await askAll(hands, sites, questions, io.signal)
  const lost = new Map([...unreached, ...failures])
  const prepared = without(whole, lost)
  const plans = await inTurns(prepared.sites, (site) => makePlan(playbook, [site], answers, steps).hosts)
  return { plan: { hosts: plans.flat() }, answers, prepared, lost }
}

/** The same without some more hosts. Throws (exit 4) when the leader is one. */
export function planWithout(planned: Planned, failures: ReadonlyMap<Host, Failure>): Planned {
  if (failures.size === 0) return planned
  const lost = new Map([...planned.lost, ...failures])
  const hosts = planned.plan.hosts.filter(({ host }) => !failures.has(host))
  return { ...planned, plan: { ...planned.plan, hosts }, prepared: without(planned.prepared, lost), lost }
}
