import { type Host, leaderOf } from '../model/inventory.ts'
import type { RunReport } from '../model/report.ts'
import type { Site } from '../model/step.ts'
import { inTurns } from '../model/turns.ts'
import { concerns } from '../plan/make.ts'
import { Course, type UpInput } from './course.ts'
import { hostResults, tally } from './tally.ts'
import type { Done } from './task.ts'

/**
 * Runs the playbook's stages on all hosts. A host waits only for what its stage names in `after`, so the stages of different
 * hosts overlap. Never throws for a host that fails: the report says so, and what depends on it is skipped. What waits for the
 * others waits for their end, well or not, and then goes on with those that are well.
 */
export async function runUp(input: UpInput): Promise<RunReport> {
  const { playbook, sites, means, clock } = input
  const began = clock()
  const counts = tally(clock)
  const course = new Course(input)
  const tasks = new Map<string, Promise<boolean>>()
  const wellOf = (site: Site): Site => {
    const hosts = site.hosts.filter((host) => !['failed', 'skipped'].includes(counts.result(host).outcome))
    return { ...site, hosts }
  }
  const stages = playbook.stages
    .map((stage) => ({ stage, concerned: sites.filter((site) => concerns(stage, site)) }))
    .filter(({ concerned }) => concerned.length > 0)
  for (const { stage, concerned } of stages)
    means.emit({ type: 'stage', stage: stage.name, title: stage.title, hosts: concerned.map(({ host }) => host.name) })
  for (const { stage, concerned } of stages) {
    const others = stage.after.some((name) => name.startsWith('others.'))
    await inTurns(concerned, (site) => {
      const needs = stage.after.flatMap((name) => before(name, site, input, tasks))
      const work = (done: Done) => course.stage(stage, others ? wellOf(site) : site, done)
      tasks.set(keyOf(stage.name, site.host), counts.task(stage, site.host, needs, means.emit, work))
    })
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

/** What `after: [NAME]` stands for, seen from a host: a task of its own or of the leader's to go well, or the others' to end. */
function before(
  name: string,
  site: Site,
  { sites }: UpInput,
  tasks: ReadonlyMap<string, Promise<boolean>>,
): Promise<boolean>[] {
  const [whose, stage] = name.includes('.') ? (name.split('.') as [string, string]) : ['own', name]
  const leader = leaderOf(site.inventory)
  const of = (host: Host) => tasks.get(keyOf(stage, host)) ?? Promise.resolve(true)
  if (whose === 'own') return [of(site.host)]
  if (whose === 'leader') return [of(leader)]
  return sites.filter(({ host }) => host !== leader).map(({ host }) => of(host).then(() => true))
}

const keyOf = (stage: string, host: Host): string => `${stage}/${host.name}`
