import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { HostStage, Playbook, Stage } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import type { LeaderFacts, Site } from '../model/step.ts'
import { exits, Failure, lineOf, type Trouble } from '../model/trouble.ts'
import { turns } from '../model/turns.ts'
import { type Answers, gather, questionsOf } from '../plan/gather.ts'
import { actionsOf, concerns, planStage, type Steps, stepsOn } from '../plan/make.ts'
import { admit, leaderFacts } from './leader.ts'
import { patiently, withRecovery } from './recover.ts'
import { restScript } from './revert.ts'
import { runStage } from './stage.ts'
import type { Done, Means } from './task.ts'

/** What a run begins with. */
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
  /** Throws a Failure where a stage, planned anew on the way, may not be carried out. */
  readonly permit?: (planned: HostStage) => void
  /** Milliseconds, monotonic. */
  readonly clock: () => number
}

/** What a host answered, and the count of changes anywhere when it did. */
interface Picture {
  readonly answers: Answers
  readonly at: number
}

/** So often a host is waited for once more that is no longer as it was at the end of the wait. */
const mostWaits = 3

/** The course of one run: what each host last answered, and what is known of the leader. */
export class Course {
  readonly #input: UpInput
  readonly #pictures: Map<Host, Picture>
  /** Stages that changed something, so far and on any host. */
  #changes = 0
  #leader: Promise<LeaderFacts> | undefined
  /** Where nothing is left to do, a thousand hosts are through in one go. */
  readonly #turn = turns()
  /** What a host is set right with after it went away, one after another. */
  readonly #mending = new Map<Host, Promise<unknown>>()

  constructor(input: UpInput) {
    this.#input = input
    this.#pictures = new Map([...input.answers].map(([host, answers]) => [host, { answers, at: 0 }]))
  }

  /**
   * Plans a stage from what the host last said, carries it out, and asks again: nothing may be left to do. When the host goes away
   * in the middle it is asked anew, and what is then left of the stages up to this one is done.
   */
  stage(stage: Stage, site: Site, done: Done): Promise<number> {
    const { signal } = this.#input.means
    const back = (trouble: Trouble) => this.#back(stage, site, trouble, done)
    const work = async () => {
      await this.#turn()
      if (this.#isStale(site.host) && stage.after.some((name) => name.includes('.'))) await this.#ask(site)
      await this.#carryOut(stage, site, done)
      return done.actions
    }
    return withRecovery(work, { progress: () => done.actions, back, signal })
  }

  async #carryOut(stage: Stage, site: Site, done: Done): Promise<void> {
    const { means, hands } = this.#input
    let planned = this.#plan(stage, site)
    if (planned.steps.length === 0) return
    if (stage.after.some((name) => name.startsWith('leader.')))
      planned = this.#plan(stage, { ...site, leader: await this.#leaderFacts() })
    means.emit({ type: 'begin', stage: stage.name, host: site.host.name, actions: actionsOf(planned).length })
    for (let waits = 0; planned.steps.length > 0; waits += 1) {
      if (waits > 0) this.#mayWait(planned, waits)
      this.#input.permit?.(planned)
      await runStage(planned, hands.get(site.host)!, means, done)
      this.#changes += 1
      await this.#ask(site)
      planned = this.#plan(stage, site)
    }
  }

  #plan(stage: Stage, site: Site): HostStage {
    return planStage(stage, site, this.#pictures.get(site.host)!.answers, this.#input.steps)
  }

  #isStale(host: Host): boolean {
    return this.#pictures.get(host)!.at < this.#changes
  }

  async #ask(site: Site): Promise<void> {
    const { playbook, steps, hands, means } = this.#input
    const facts = questionsOf(stepsOn(playbook, site).map((name) => steps[name]!.asks(site)))
    const at = this.#changes
    const answers = await gather(hands.get(site.host)!, facts, means.signal)
    this.#pictures.set(site.host, { answers, at })
  }

  /** Asked once. The leader gets this run's token, which it knows already only if `kubeadm init` ran just now. */
  #leaderFacts(): Promise<LeaderFacts> {
    const { inventory, hands, sites, means } = this.#input
    const host = leaderOf(inventory)
    const leader = hands.get(host)!
    const learn = async () => {
      await admit(host, leader, sites[0]!.token, new Date())
      return leaderFacts(host, leader)
    }
    const back = async (trouble: Trouble) => {
      this.#say(host, trouble)
      await patiently(this.#patience, means.signal, () => leader.look(':', { signal: means.signal }))
    }
    this.#leader ??= withRecovery(learn, { progress: () => 0, back, signal: means.signal }).catch((error) => {
      this.#leader = undefined
      throw error
    })
    return this.#leader
  }

  /** Waits for a host that went away, and sets right what it lost of the stages before this one: a reboot takes what is not saved. */
  async #back(stage: Stage, site: Site, trouble: Trouble, done: Done): Promise<void> {
    const mend = async () => {
      const { means, hands, playbook } = this.#input
      this.#say(site.host, trouble)
      await patiently(this.#patience, means.signal, async () => {
        await hands.get(site.host)!.change(restScript, { timeoutMs: 20 * 60_000, signal: means.signal })
        await this.#ask(site)
      })
      const earlier = new Set(ownBefore(stage, playbook.stages))
      for (const it of playbook.stages)
        if (earlier.has(it.name) && concerns(it, site)) await this.#carryOut(it, site, done)
    }
    const last = this.#mending.get(site.host) ?? Promise.resolve()
    const next = last.then(mend, mend)
    this.#mending.set(
      site.host,
      next.catch(() => undefined),
    )
    await next
  }

  get #patience(): number {
    return this.#input.means.patienceMs ?? 90_000
  }

  #say(host: Host, trouble: Trouble): void {
    this.#input.means.emit({
      type: 'note',
      text: `${host.name}: ${lineOf(trouble)}; it is asked anew, and the stage goes on`,
    })
  }

  /** What only has to come by itself may come and go while it settles; any other change that is left is a contradiction. */
  #mayWait(left: HostStage, waits: number): void {
    const changes = actionsOf(left)
    if (waits <= mostWaits && changes.every(({ action }) => action.kind === 'wait')) return
    throw new Failure(exits.someHosts, {
      code: 'NOT_CONVERGED',
      message: `the stage ${left.stage} ran, yet ${[...new Set(changes.map(({ step }) => step))].join(', ')} still asks for a change`,
      where: left.host.name,
      fix: `k8snet plan shows what is left; something on the host sets it back`,
    })
  }
}

/** The stages that a host itself has to have behind it before this one, in any order. */
function ownBefore(stage: Stage, stages: readonly Stage[]): string[] {
  const own = stage.after.filter((name) => !name.includes('.'))
  return own.flatMap((name) => {
    const it = stages.find((other) => other.name === name)
    return it ? [name, ...ownBefore(it, stages)] : []
  })
}
