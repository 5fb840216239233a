import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readBundle } from '../../src/bundle/manifest.ts'
import type { CommandIo } from '../../src/commands/io.ts'
import { loadPlan, mustBeCurrent, onlyAsSaved, savePlan } from '../../src/commands/plan-file.ts'
import type { Prepared } from '../../src/commands/session.ts'
import type { Action } from '../../src/model/action.ts'
import type { Fact } from '../../src/model/fact.ts'
import type { Inventory } from '../../src/model/inventory.ts'
import type { Playbook } from '../../src/model/plan.ts'
import { Secret } from '../../src/model/secret.ts'
import { makePlan } from '../../src/plan/make.ts'
import { readInventory } from '../../src/read/inventory.ts'
import { readPlaybook } from '../../src/read/playbook.ts'
import { steps } from '../../src/steps/index.ts'
import { smallBundle, temporary } from '../bundle/fixture.ts'
import { k8snet } from '../helpers/cli.ts'

/** A plan file as a user meets it: where it is written, how it is refused before any host is touched. */

const dir = temporary()
const io = { cwd: dir } as CommandIo
const token = 'abcdef.0123456789abcdef'
let bundle: string
beforeAll(async () => {
  bundle = (await smallBundle()).dir
})

const cp1 = { address: '10.1.0.1', role: 'control-plane' }
const w1 = { address: '10.1.0.2' }
function inventory(hosts: object = { cp1, w1 }, cluster: object = {}, comment = ''): string {
  const file = join(dir, `inventory-${readdirSync(dir).length}.yaml`)
  const text = JSON.stringify({ cluster: { kubernetes: '1.37.1', ...cluster }, source: { bundle }, hosts })
  writeFileSync(file, `${comment}${text}`)
  return file
}

/** What `prepare` and the hosts would say, with a playbook of one step. */
async function pictured(file: string, swaps = '', only?: string[]) {
  const inventory: Inventory = readInventory(file, undefined, { home: homedir(), user: userInfo().username })
  const playbook: Playbook = readPlaybook('up', Object.keys(steps))
  const manifest = await readBundle(bundle)
  const sites = inventory.hosts.map((host) => ({
    host,
    inventory,
    hosts: inventory.hosts,
    bundle: manifest,
    token: new Secret(token),
    ...(only && !only.includes(host.name) && { guest: true as const }),
  }))
  const prepared: Prepared = { inventory, hosts: inventory.hosts, bundle: manifest, playbook, sites }
  const first: Playbook = { stages: playbook.stages.slice(0, 1).map((stage) => ({ ...stage, steps: ['swap'] })) }
  const answers = new Map(
    inventory.hosts.map((host) => [
      host,
      { get: <T>(fact: Fact<T>) => fact.parse(fact.ask.includes('/proc/swaps') ? swaps : '') },
    ]),
  )
  return { prepared: { ...prepared, playbook: first }, plan: makePlan(first, sites, answers, steps), answers }
}

async function saved(file: string, out: string, only?: string[]): Promise<string> {
  const { prepared, ...it } = await pictured(file, '', only)
  await savePlan(io, out, prepared, it)
  return join(dir, out)
}

describe('plan --out', () => {
  it('writes a file for its owner alone, over an older one, and leaves nothing beside it', async () => {
    mkdirSync(join(dir, 'out'))
    writeFileSync(join(dir, 'out/p.json'), 'old', { mode: 0o644 })
    const file = await saved(inventory(), 'out/p.json')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(dir, 'out'))).toEqual(['p.json'])
    const text = readFileSync(file, 'utf8')
    expect(JSON.parse(text)).toMatchObject({
      format: 1,
      only: ['cp1', 'w1'],
      k8snet: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
    expect(text).not.toContain(token)
  })

  it.each([
    ['a directory', 'out'],
    ['a place that does not exist', 'no/such/place/p.json'],
    ['a device', '/dev/null'],
  ])('refuses %s with exit 2', async (_, out) => {
    mkdirSync(join(dir, 'out'), { recursive: true })
    await expect(saved(inventory(), out)).rejects.toMatchObject({ exit: 2, troubles: [{ code: 'FILE_UNWRITABLE' }] })
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
  })
})

describe('up --plan', () => {
  const good = () => saved(inventory(), 'good.json')
  const broken = async (change: (text: string) => string) => {
    const text = readFileSync(await good(), 'utf8')
    writeFileSync(join(dir, 'broken.json'), change(text))
    return join(dir, 'broken.json')
  }
  it.each<[string, () => Promise<string[]>, string, RegExp]>([
    ['no plan', async () => [inventory(), '/no/such/plan.json'], 'FILE_NOT_FOUND', /no\/such\/plan\.json/],
    [
      'half a plan',
      async () => [inventory(), await broken((text) => text.slice(0, 900))],
      'PLAN_INVALID',
      /ends too early/,
    ],
    [
      'a changed plan',
      async () => [inventory(), await broken((text) => text.replace('"cp1"', '"cp2"'))],
      'PLAN_INVALID',
      /damaged/,
    ],
    [
      'a plan of another format',
      async () => [inventory(), await broken((text) => text.replace('"format": 1', '"format": 7'))],
      'PLAN_INVALID',
      /format 7/,
    ],
    [
      'other hosts than saved',
      async () => [inventory(), await saved(inventory(), 'w1.json', ['w1']), '--only', 'cp1'],
      'PLAN_INVALID',
      /for w1, and --only names cp1/,
    ],
    [
      'another inventory',
      async () => [inventory({ cp1, w1: { address: '10.1.0.9' } }), await good()],
      'PLAN_INVALID',
      /hosts\.w1/,
    ],
    [
      'another cluster',
      async () => [inventory({ cp1, w1 }, { podSubnet: '10.9.0.0/16' }), await good()],
      'PLAN_INVALID',
      /inventory cluster/,
    ],
    [
      'another playbook',
      async () => [inventory({ cp1, w1 }, {}, '# a comment\n'), await good()],
      'PLAN_INVALID',
      /^PLAN_INVALID: the playbook is another one/,
    ],
  ])('with %s is refused with exit 2 before any host is asked', async (_, args, code, says) => {
    const [file, plan, ...more] = await args()
    const ended = await k8snet(['up', file!, '--plan', plan!, ...more])
    expect([ended.code, ended.out]).toEqual([2, ''])
    expect(ended.err).toContain(`${code}: `)
    expect(ended.err).toMatch(says)
    expect(ended.err).not.toMatch(/\n\s+at /)
    expect(ended.err.match(/^[A-Z_]+: /gm)?.filter((it) => it !== `${code}: `)).toEqual([])
  })

  it('knows for which hosts the plan is, and takes the same --only', async () => {
    const file = await saved(inventory(), 'w1.json', ['w1'])
    expect((await loadPlan(io, file)).only).toEqual(['w1'])
    expect((await loadPlan(io, file, ['w1', 'w1'])).only).toEqual(['w1'])
  })

  it('goes on where nothing changed, and with exit 8 not where a host moved on', async () => {
    const file = inventory()
    const plan = await loadPlan(io, await saved(file, 'p.json'))
    const same = await pictured(file)
    await expect(mustBeCurrent(plan, same.prepared, same)).resolves.toBeUndefined()
    const moved = await pictured(file, 'Filename Type Size Used Priority\n/swap.img file 9 0 -2\n')
    const error = await mustBeCurrent(plan, moved.prepared, moved).catch((it: unknown) => it)
    expect(error).toMatchObject({
      exit: 8,
      troubles: [
        { code: 'PLAN_OUTDATED', where: 'cp1: swap' },
        { code: 'PLAN_OUTDATED', where: 'w1: swap' },
      ],
    })
    expect(String(error)).not.toContain(token)
  })

  it('stops a host that asks for something else on the way', async () => {
    const file = inventory()
    const plan = await loadPlan(io, await saved(file, 'p.json'))
    const [host] = (await pictured(file)).prepared.hosts
    const action: Action = { kind: 'exec', summary: 'rm', command: 'rm', timeoutSeconds: 1, undo: 'nothing' }
    const permit = onlyAsSaved(plan)
    expect(() => permit({ host: host!, stage: 'prepare', steps: [] })).not.toThrow()
    expect(() => permit({ host: host!, stage: 'prepare', steps: [{ step: 'swap', actions: [action] }] })).toThrow(
      /PLAN_OUTDATED/,
    )
  })
})
