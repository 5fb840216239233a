import { Command } from 'commander'
import { readPlaybook } from '../read/playbook.ts'
import { steps } from '../steps/index.ts'
import { table } from '../view/table.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, common } from './options.ts'

/** `k8snet steps`: everything that `up` makes true, in its order, with where and after what. */
export function stepsCommand(io: CommandIo): Command {
  return common(
    new Command('steps').description('Every step of up: what it makes true, on which hosts, after what.'),
    'k8snet steps',
  ).action(({ output }: CommonOptions) => {
    const all = listed()
    io.out(output === 'json' ? `${JSON.stringify({ steps: all }, null, 2)}\n` : text(all))
  })
}

interface Listed {
  readonly name: string
  readonly title: string
  readonly stage: string
  readonly hosts: 'all' | 'leader' | 'others'
  /** Stages that its stage waits for: of the same host, of the leader (leader.NAME), or of all others (others.NAME). */
  readonly after: readonly string[]
}

function listed(): Listed[] {
  return readPlaybook('up', Object.keys(steps)).stages.flatMap(({ name: stage, hosts, after, steps: names }) =>
    names.map((name) => ({ name, title: steps[name as keyof typeof steps].title, stage, hosts, after })),
  )
}

function text(all: readonly Listed[]): string {
  const rows = all.map(({ name, title, stage, hosts, after }) => [stage, name, hosts, after.join(', ') || '-', title])
  return table([['STAGE', 'STEP', 'HOSTS', 'AFTER', 'WHAT IS TRUE AFTERWARDS'], ...rows])
}
