import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { HostStage, Playbook, Stage } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import type { RunReport } from '../model/report.ts'
import type { LeaderFacts, Site } from '../model/step.ts'
import { exits, Failure } from '../model/trouble.ts'
import { type Answers, gather, questionsOf } from '../plan/gather.ts'
import { actionsOf, concerns, countChanges, planStage, type Steps } from '../plan/make.ts'
import { admit, leaderFacts } from './leader.ts'
import { type Means, runStage } from './stage.ts'
import { hostResults, tally } from './tally.ts'

export interface UpInput {
  readonly inventory: Inventory
  readonly playbook: Playbook
  readonly steps: Steps
  /** One per host of the run, without the leader's facts. */
  readonly sites: readonly Site[]
  readonly hands: ReadonlyMap<Host, Hands>
  /** The picture the plan was made from. */
  readonly answers: ReadonlyMap<Host, Answers>
  readonly means: Means
  /** Milliseconds, monotonic. */
  readonly clock: () => number
}

/**
 * Runs the playbook's stages on all hosts. A host waits only for what its stage names in `after`, so the stages of different
 * hosts overlap. Never throws for a host that fails: the report says so, and what depends on it is skipped.
 */
export async function runUp(input: UpInput): Promise<RunReport> {
  const { playbook, sites, means, clock } = input
  const began = clock()
  const counts = tally(clock)
  const run = new Run(input)
  const tasks = new Map<string, Promise<boolean>>()
  for (const stage of playbook.stages) {
    const concerned = sites.filter((site) => concerns(stage, site))
    if (concerned.length > 0)
      means.emit({
        type: 'stage',
        stage: stage.name,
        title: stage.title,
        hosts: concerned.map(({ host }) => host.name),
      })
    for (const site of concerned) {
      const needs = stage.after.flatMap((name) =>
        before(name, site, input).map((key) => tasks.get(key) ?? Promise.resolve(true)),
      )
      tasks.set(
        keyOf(stage.name, site.host),
        counts.task(stage, site.host, needs, means.emit, () => run.stage(stage, site)),
      )
    }
  }
  await Promise.all(tasks.values())
  const hosts = hostResults(
    sites.map(({ host }) => host),
    counts,
  )
  return {
    ok: hosts.every(({ outcome }) => outcome !== 'failed' && outcome !== 'skipped'),
    hosts,
    stages: counts.stages(),
    ms: clock() - began,
  }
}

/** The tasks that `after: [NAME]` stands for, seen from a host: its own, or those of the leader or of the others. */
function before(name: string, site: Site, { sites }: UpInput): string[] {
  const [whose, stage] = name.includes('.') ? (name.split('.') as [string, string]) : ['own', name]
  const leader = leaderOf(site.inventory)
  if (whose === 'own') return [keyOf(stage, site.host)]
  if (whose === 'leader') return [keyOf(stage, leader)]
  return sites.filter(({ host }) => host !== leader).map(({ host }) => keyOf(stage, host))
}

const keyOf = (stage: string, host: Host): string => `${stage}/${host.name}`

/** The state of one run: what each host last answered, and what is known of the leader. */
class Run {
  readonly #input: UpInput
  readonly #answers: Map<Host, Answers>
  /** Hosts whose last answers are older than the last change anywhere that they may depend on. */
  readonly #stale = new Set<Host>()
  #leader: Promise<LeaderFacts> | undefined

  constructor(input: UpInput) {
    this.#input = input
    this.#answers = new Map(input.answers)
  }

  /** Plans a stage from what the host last said, carries it out, and asks again: nothing may be left to do. */
  async stage(stage: Stage, site: Site): Promise<number> {
    const { means, steps, hands } = this.#input
    if (this.#stale.has(site.host) && stage.after.some((name) => name.includes('.'))) await this.#ask(site)
    let planned = planStage(stage, site, this.#answers.get(site.host)!, steps)
    const changes = countChanges([planned])
    if (planned.steps.length === 0) return 0
    if (stage.after.some((name) => name.startsWith('leader.'))) {
      const known = { ...site, leader: await this.#leaderFacts() }
      planned = planStage(stage, known, this.#answers.get(site.host)!, steps)
    }
    means.emit({ type: 'begin', stage: stage.name, host: site.host.name, actions: actionsOf(planned).length })
    await runStage(planned, hands.get(site.host)!, means)
    for (const other of this.#input.sites) this.#stale.add(other.host)
    await this.#ask(site)
    this.#mustBeConverged(planStage(stage, site, this.#answers.get(site.host)!, steps))
    return changes
  }

  async #ask(site: Site): Promise<void> {
    const { playbook, steps, hands, means } = this.#input
    const facts = questionsOf(stepsOn(playbook, site).map((name) => steps[name]!.asks(site)))
    this.#answers.set(site.host, await gather(hands.get(site.host)!, facts, means.signal))
    this.#stale.delete(site.host)
  }

  /** Asked once. The leader gets this run's token, which it knows already only if `kubeadm init` ran just now. */
  #leaderFacts(): Promise<LeaderFacts> {
    const { inventory, hands, sites } = this.#input
    const host = leaderOf(inventory)
    const leader = hands.get(host)!
    this.#leader ??= admit(host, leader, sites[0]!.token, new Date()).then(() => leaderFacts(host, leader))
    return this.#leader
  }

  #mustBeConverged(left: HostStage): void {
    const changes = actionsOf(left)
    if (changes.length === 0) return
    throw new Failure(exits.someHosts, {
      code: 'NOT_CONVERGED',
      message: `the stage ${left.stage} ran, yet ${[...new Set(changes.map(({ step }) => step))].join(', ')} still asks for a change`,
      where: left.host.name,
      fix: `k8snet plan shows what is left; something on the host sets it back`,
    })
  }
}

/** The names of all steps that the playbook has for a host. */
export function stepsOn(playbook: Playbook, site: Site): string[] {
  return playbook.stages.filter((stage) => concerns(stage, site)).flatMap((stage) => stage.steps)
}
