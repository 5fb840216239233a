import { createHash } from 'node:crypto'
import type { Action } from '../model/action.ts'
import type { Manifest } from '../model/bundle.ts'
import type { Host, Inventory } from '../model/inventory.ts'
import type { Plan, Playbook } from '../model/plan.ts'
import type { Site } from '../model/step.ts'
import { exits, Failure } from '../model/trouble.ts'
import { canonical, digestOf } from './canonical.ts'
import type { Answers } from './gather.ts'
import { concerns, type Steps } from './make.ts'
import { type Picture, pictureOf } from './picture.ts'

/** The form of a plan file that this version writes and reads. */
const format = 1

/** A plan as it is kept in a file: what would be done, and what that rests on. Holds no secret. */
export interface SavedPlan extends Origin {
  readonly format: typeof format
  /** The version of k8snet that made it. */
  readonly k8snet: string
  /** When, in ISO form. */
  readonly made: string
  /** The hosts that it is for; the leader is looked at also where it is not among them. */
  readonly only: readonly string[]
  readonly hosts: readonly SavedHost[]
}

/** What a plan was made from, on this machine; each as a digest of its meaning. */
export interface Origin {
  readonly inventory: Picture
  readonly bundle: Picture
  readonly playbook: Picture
}

export interface SavedHost {
  readonly name: string
  /** Its answers, by the digest of the question. */
  readonly facts: Readonly<Record<string, Picture>>
  readonly steps: readonly SavedStep[]
}

export interface SavedStep {
  readonly stage: string
  readonly step: string
  /** What the step asked: the name it uses, and the question's digest. */
  readonly asks: Readonly<Record<string, string>>
  /** In the form of {@link asSaved}. */
  readonly actions: readonly Action[]
}

/** What a plan is saved from. */
export interface Planned {
  readonly inventory: Inventory
  readonly bundle: Manifest
  readonly playbook: Playbook
  readonly steps: Steps
  readonly sites: readonly Site[]
  readonly answers: ReadonlyMap<Host, Answers>
  readonly plan: Plan
}

/** The plan as it is kept. `made` is now. */
export function savedPlan(planned: Planned, k8snet: string, made: Date): SavedPlan {
  const sites = planned.sites.filter(({ host }) => planned.answers.has(host))
  return {
    format,
    k8snet,
    made: made.toISOString(),
    ...originOf(planned),
    only: sites.filter(({ guest }) => !guest).map(({ host }) => host.name),
    hosts: sites.map((site) => savedHost(site, planned)),
  }
}

/** How this machine gets into a host: no part of what is done there, so that a plan made here can be carried out elsewhere. */
const waysIn = ['key', 'password', 'knownHosts', 'jump', 'unsaid', 'config']

/** What the plan rests on of this machine. Of the inventory only the meaning counts: not its comments, nor how one gets in. */
export function originOf({ inventory, bundle, playbook }: Pick<Planned, 'inventory' | 'bundle' | 'playbook'>): Origin {
  const { file: _, source: __, hosts, ...rest } = inventory
  const meaningOf = (host: Host) => Object.fromEntries(Object.entries(host).filter(([key]) => !waysIn.includes(key)))
  return {
    inventory: pictureOf(
      new Map<string, unknown>([
        ...Object.entries(rest),
        ['the order of the hosts', hosts.map(({ name }) => name)],
        ...hosts.map((host) => [`hosts.${host.name}`, meaningOf(host)] as const),
      ]),
    ),
    bundle: digestOf(bundle),
    playbook: digestOf(playbook),
  }
}

function savedHost(site: Site, { playbook, steps, answers, plan }: Planned): SavedHost {
  const said = answers.get(site.host)!
  const planned = plan.hosts.find(({ host }) => host === site.host)?.stages ?? []
  const facts = new Map<string, Picture>()
  const asked = (name: string): Record<string, string> => {
    const questions = Object.entries(steps[name]!.asks(site)).map(([name, fact]) => {
      const id = createHash('sha256').update(fact.ask).digest('hex').slice(0, 16)
      if (!facts.has(id)) facts.set(id, pictureOf(said.get(fact)))
      return [name, id]
    })
    return Object.fromEntries(questions)
  }
  const saved = playbook.stages
    .filter((stage) => concerns(stage, site))
    .flatMap((stage) =>
      stage.steps.map((step): SavedStep => {
        const own = planned.find((it) => it.stage === stage.name)?.steps.find((it) => it.step === step)
        return { stage: stage.name, step, asks: asked(step), actions: (own?.actions ?? []).map(asSaved) }
      }),
    )
  return { name: site.host.name, facts: Object.fromEntries(facts), steps: saved }
}

/**
 * An action as a plan file keeps it: without its undo, which is made from what is there just before, and with the digest of a
 * file that would be replaced, since nobody knows what is written in it.
 */
export function asSaved(action: Action): Action {
  if (action.kind === 'file' && action.was)
    return { ...action, was: { ...action.was, content: digestOf(action.was.content) } }
  if (action.kind !== 'exec') return action
  const { undo: _, ...rest } = action
  return rest as Action
}

/** The text of a plan file; its last line vouches for the rest. */
export function planText(plan: SavedPlan): string {
  return `${JSON.stringify({ ...plan, sha256: digestOf(plan) }, null, 1)}\n`
}

/** Reads what {@link planText} wrote. Throws a Failure (exit 2) PLAN_INVALID for anything else. */
export function readPlanText(text: string, file: string): SavedPlan {
  const invalid = (message: string, cause?: unknown): Failure =>
    new Failure(
      exits.badInput,
      { code: 'PLAN_INVALID', message, where: file, fix: 'make it again: k8snet plan INVENTORY --out FILE' },
      { cause },
    )
  let read: Partial<SavedPlan & { sha256: string }> | null
  try {
    read = JSON.parse(text)
  } catch (cause) {
    throw invalid('this is no plan: it is not JSON, or it ends too early', cause)
  }
  if (typeof read !== 'object' || read?.format === undefined) throw invalid('this is no plan')
  if (read.format !== format) throw invalid(`a plan of format ${canonical(read.format)}; this k8snet reads ${format}`)
  const { sha256, ...plan } = read
  if (sha256 !== digestOf(plan)) throw invalid('the plan is damaged, or was changed after it was saved')
  return plan as SavedPlan
}
