import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { onlyAsSaved } from '../../src/commands/plan-file.ts'
import type { Inventory } from '../../src/model/inventory.ts'
import type { Playbook } from '../../src/model/plan.ts'
import { Secret } from '../../src/model/secret.ts'
import { type Site, type Step, step } from '../../src/model/step.ts'
import { gather, questionsOf } from '../../src/plan/gather.ts'
import { makePlan, stepsOn } from '../../src/plan/make.ts'
import { planText, readPlanText, type SavedPlan, savedPlan } from '../../src/plan/saved.ts'
import type { Sshd } from '../helpers/sshd.ts'
import { bundle } from '../steps/scene.ts'
import { closeScene, openScene, playbook, type Scene, startHosts, token } from './scene.ts'

/** Runs that may do only what a saved plan says. */

let sshds: Record<string, Sshd>
let scene: Scene
beforeAll(async () => {
  sshds = await startHosts()
})
afterAll(() => Promise.all(Object.values(sshds).map((sshd) => sshd.stop())))
beforeEach(async () => {
  scene = await openScene(sshds)
})
afterEach(() => closeScene(scene))

const book = playbook({ name: 'one' }, { name: 'two', after: ['one'] })

/** The plan as it is now, once written and read. */
async function saved(playbook: Playbook, steps: Record<string, Step>): Promise<SavedPlan> {
  const { hosts, hands } = scene
  const inventory = { file: '', cluster: {}, source: { bundle: '' }, hosts } as unknown as Inventory
  const sites = hosts.map((host): Site => ({ host, inventory, hosts, bundle, token: new Secret(token) }))
  const look = async (site: Site) => {
    const facts = questionsOf(stepsOn(playbook, site).map((name) => steps[name]!.asks(site)))
    return [site.host, await gather(hands.get(site.host)!, facts)] as const
  }
  const answers = new Map(await Promise.all(sites.map(look)))
  const plan = makePlan(playbook, sites, answers, steps)
  const it = savedPlan({ inventory, bundle, playbook, steps, sites, answers, plan }, '0.1.0', new Date(0))
  return readPlanText(planText(it), 'p.json')
}

/** As scene.touch, and where a file `surprise` is there, another command before it. */
function surprised(name: string): Step {
  const plain = scene.touch(name)
  return step({
    title: name,
    asks: (site) => ({
      ...plain.asks(site),
      surprise: {
        ask: `ls ${scene.dir}/${site.host.name}/surprise 2>/dev/null || :`,
        parse: (out: string) => out !== '',
      },
    }),
    plan: (facts, site) => [
      ...(facts.surprise && !scene.has(`${site.host.name}/wiped`)
        ? [
            {
              kind: 'exec' as const,
              summary: 'wipe',
              command: `echo 1 >${scene.dir}/${site.host.name}/wiped`,
              timeoutSeconds: 120,
              undo: 'nothing' as const,
            },
          ]
        : []),
      ...plain.plan(facts, site),
    ],
  }) as unknown as Step
}

describe('a run by a saved plan', () => {
  it('does all that the plan says', async () => {
    const steps = { one: scene.touch('one'), two: surprised('two') }
    const { outcomes } = await scene.run(book, steps, { permit: onlyAsSaved(await saved(book, steps)) })
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'changed', w2: 'changed' })
    for (const { name } of scene.hosts)
      expect([scene.has(`${name}/one`), scene.has(`${name}/two`)]).toEqual([true, true])
  })

  it('stops on the host that asks for something else on the way, before that is done; the others go on', async () => {
    const surprise = (site: Site) =>
      site.host.name === 'w1' ? { command: `echo 1 >${scene.dir}/w1/one; echo 1 >${scene.dir}/w1/surprise` } : {}
    const steps = { one: scene.touch('one', surprise), two: surprised('two') }
    const plan = await saved(book, steps)
    const { report, outcomes } = await scene.run(book, steps, { permit: onlyAsSaved(plan) })
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'failed', w2: 'changed' })
    expect(report.hosts[1]?.error).toMatchObject({
      code: 'PLAN_OUTDATED',
      where: 'w1: two',
      evidence: [{ source: 'not in the plan', line: 'wipe' }],
    })
    expect(['one', 'two', 'wiped'].map((file) => scene.has(`w1/${file}`))).toEqual([true, false, false])
    // without a plan the same run does it
    expect((await scene.run(book, steps)).outcomes).toEqual({ cp1: 'unchanged', w1: 'changed', w2: 'unchanged' })
  })
})
