import type { Command } from 'commander'
import type { Host } from '../model/inventory.ts'
import type { Plan } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import { type Answers, questionsOf } from '../plan/gather.ts'
import { makePlan, planJson } from '../plan/make.ts'
import { stepsOn } from '../run/up.ts'
import { steps } from '../steps/index.ts'
import { changesText } from '../view/changes.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { askAll, type Prepared, prepare, withHosts } from './session.ts'

/** `k8snet plan`: looks at every host with one exec and prints what `up` would do. */
export function planCommand(io: CommandIo): Command {
  return inventoryCommand(
    'plan',
    'What up would do on each host: commands and diffs. Changes nothing.',
    'k8snet plan inventory.yaml',
  )
    .option('--detailed-exitcode', 'exit 10 when there is something to do')
    .action(async (file: string, options: CommonOptions & { detailedExitcode?: boolean }) => {
      const prepared = await prepare(io, file, options.only)
      const { plan } = await withHosts(io, prepared.hosts, (hands) => planOn(io, prepared, hands))
      const { hosts } = planJson(plan)
      io.out(options.output === 'json' ? `${JSON.stringify({ hosts }, null, 2)}\n` : changesText(hosts, io.color))
      if (options.detailedExitcode && hosts.some(({ actions }) => actions.length > 0)) io.exit(10)
    })
}

/** Takes a picture of all hosts and plans from it. */
export async function planOn(
  io: CommandIo,
  { playbook, sites }: Prepared,
  hands: ReadonlyMap<Host, Hands>,
): Promise<{ plan: Plan; answers: ReadonlyMap<Host, Answers> }> {
  const questions = (site: (typeof sites)[number]) =>
    questionsOf(stepsOn(playbook, site).map((name) => steps[name as keyof typeof steps].asks(site)))
  const answers = await askAll(hands, sites, questions, io.signal)
  return { plan: makePlan(playbook, sites, answers, steps), answers }
}
