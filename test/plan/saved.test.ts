import { describe, expect, it } from 'vitest'
import type { Action, FileState } from '../../src/model/action.ts'
import type { Fact } from '../../src/model/fact.ts'
import type { Host, Inventory } from '../../src/model/inventory.ts'
import type { HostStage, Playbook } from '../../src/model/plan.ts'
import { Secret } from '../../src/model/secret.ts'
import { type Site, type Step, step } from '../../src/model/step.ts'
import { Failure } from '../../src/model/trouble.ts'
import { canonical, digestOf } from '../../src/plan/canonical.ts'
import { outdated, permits, strangers } from '../../src/plan/compare.ts'
import type { Answers } from '../../src/plan/gather.ts'
import { makePlan, planJson, planStage } from '../../src/plan/make.ts'
import { originOf, planText, readPlanText, type SavedPlan, savedPlan } from '../../src/plan/saved.ts'
import { readPlaybook } from '../../src/read/playbook.ts'
import { steps as realSteps } from '../../src/steps/index.ts'
import { bundle, inventoryWith, siteOf, token } from '../steps/scene.ts'

const exec = (summary: string, more: object = {}): Action => ({
  kind: 'exec',
  summary,
  command: `do ${summary}`,
  timeoutSeconds: 9,
  undo: 'nothing',
  ...more,
})

/** What a host says in these tests, by the question. */
interface World {
  settings: Map<string, string>
  hosts: FileState | null
  clock: number
  mark: string
  swaps: string[]
  pods: string
}
const bare: World = {
  settings: new Map([['net.ipv4.ip_forward', '0']]),
  hosts: { content: 'db password=hunter2hunter2\n', mode: '0644', owner: 'root:root' },
  clock: 1,
  mark: '',
  swaps: [],
  pods: 'starting',
}
const ask = <K extends keyof World>(name: K): Fact<World[K]> => ({ ask: name, parse: (out) => out as never })
const answers = (world: World): Answers => ({ get: (fact) => world[fact.ask as keyof World] as never })

const steps = {
  settings: step({
    title: 'a setting is 1',
    asks: () => ({ live: ask('settings'), clock: ask('clock') }),
    plan: ({ live }) =>
      live.get('net.ipv4.ip_forward') === '1'
        ? []
        : [{ kind: 'sysctl', key: 'net.ipv4.ip_forward', was: live.get('net.ipv4.ip_forward')!, want: '1' }],
  }),
  hosts: step({
    title: 'a file is ours',
    asks: () => ({ hosts: ask('hosts') }),
    plan: ({ hosts }) =>
      hosts?.content === 'ours\n'
        ? []
        : [{ kind: 'file', path: '/etc/hosts', was: hosts, want: { content: 'ours\n', mode: '0644' } }],
  }),
  join: step({
    title: 'kubeadm ran',
    asks: () => ({ mark: ask('mark'), swaps: ask('swaps') }),
    plan: ({ mark, swaps }, { token, leader }) =>
      mark === 'done'
        ? []
        : [
            {
              kind: 'file',
              path: '/run/config',
              was: null,
              want: {
                content: new Secret(`${token.reveal()} ${leader?.caCertHash}`, 'token (known later)'),
                mode: '0600',
              },
              transient: true,
            },
            exec('join', { undo: [exec(`reset ${swaps}`)] }),
          ],
  }),
  ready: step({
    title: 'the pods run',
    asks: () => ({ pods: ask('pods') }),
    plan: ({ pods }) => (pods === 'running' ? [] : [{ kind: 'wait', summary: 'pods', ask: 'pods', timeoutSeconds: 9 }]),
  }),
} satisfies Record<string, Step>

const playbook: Playbook = {
  stages: [
    { name: 'prepare', title: 'Prepare', hosts: 'all', after: [], steps: ['settings', 'hosts'] },
    { name: 'join', title: 'Join', hosts: 'others', after: ['prepare', 'leader.prepare'], steps: ['join', 'ready'] },
  ],
}

function save(
  worlds: Record<string, World>,
  only?: string[],
  sites: Site[] = Object.keys(worlds).map((name) => siteOf(name)),
  version = '0.1.0',
): SavedPlan {
  const here = sites.map((site) => ({
    ...site,
    ...(only && !only.includes(site.host.name) && { guest: true as const }),
  }))
  const said = new Map<Host, Answers>(here.map(({ host }) => [host, answers(worlds[host.name]!)]))
  const plan = makePlan(playbook, here, said, steps)
  const { inventory } = siteOf()
  return savedPlan({ inventory, bundle, playbook, steps, sites: here, answers: said, plan }, version, new Date(0))
}
const all = (world: World = bare) => ({ cp1: world, w1: world, w2: world })

describe('canonical JSON', () => {
  it.each([
    ['keys in another order', { a: 1, b: 2 }, { b: 2, a: 1 }],
    [
      'a Map in another order',
      new Map([
        ['a', { x: 1, y: 2 }],
        ['b', { x: 3, y: 4 }],
      ]),
      new Map([
        ['b', { y: 4, x: 3 }],
        ['a', { y: 2, x: 1 }],
      ]),
    ],
    ['a Set in another order', new Set(['b', 'a']), new Set(['a', 'b'])],
    ['what is undefined', { a: 1, b: undefined }, { a: 1 }],
    ['two Secrets that look the same', new Secret('one'), new Secret('two')],
  ])('is the same for %s', (_, a, b) => expect(canonical(a)).toBe(canonical(b)))

  it.each([
    ['values', { a: 1 }, { a: 2 }],
    ['the order of a list', ['a', 'b'], ['b', 'a']],
    ['a Map', new Map([['a', 1]]), new Map([['a', 2]])],
    ['a Set', new Set(['a']), new Set(['b'])],
    ['null and absence', { a: null }, {}],
    ['a number and its text', 1, '1'],
  ])('differs where %s differ', (_, a, b) => {
    expect(canonical(a)).not.toBe(canonical(b))
    expect(digestOf(a)).not.toBe(digestOf(b))
  })
})

describe('a plan file', () => {
  const text = planText(save(all()))
  it('reads back as what was saved', () => {
    expect(readPlanText(text, 'p.json')).toEqual(JSON.parse(JSON.stringify(save(all()))))
  })

  it.each([
    ['an empty file', '', /not JSON/],
    ['a file that ends too early', text.slice(0, -20), /not JSON, or it ends too early/],
    ['something else', '[1, 2]', /no plan/],
    ['null', 'null', /no plan/],
    ['an inventory', '{"hosts": {}}', /no plan/],
    ['a plan of another format', text.replace('"format": 1', '"format": 2'), /format 2; this k8snet reads 1/],
    ['a changed command', text.replace('do join', 'do else'), /damaged, or was changed/],
    ['a changed version', text.replace('0.1.0', '0.1.1'), /damaged/],
    ['a plan without its digest', JSON.stringify(save(all())), /damaged/],
  ])('is refused with exit 2 when it is %s', (_, broken, says) => {
    const error = caught(() => readPlanText(broken, 'p.json'))
    expect(error).toMatchObject({ exit: 2, troubles: [{ code: 'PLAN_INVALID', where: 'p.json' }] })
    expect(error.message).toMatch(says)
  })

  it('holds no token, nor what stood in a file that it replaces', () => {
    expect(text).not.toContain(token)
    expect(text).not.toContain(token.split('.')[1])
    expect(text).not.toContain('hunter2')
    expect(text).toContain('token (known later)')
  })

  it('of the real steps on bare hosts holds no token and says what becomes known on the way', () => {
    const up = readPlaybook('up', Object.keys(realSteps))
    const inventory = inventoryWith()
    const sites = inventory.hosts.map(
      (host): Site => ({ ...siteOf(host.name), host, inventory, hosts: inventory.hosts }),
    )
    const silent: Answers = { get: (fact) => fact.parse('') }
    const said = new Map(sites.map(({ host }) => [host, silent]))
    const plan = makePlan(up, sites, said, realSteps)
    const saved = planText(
      savedPlan(
        { inventory, bundle, playbook: up, steps: realSteps, sites, answers: said, plan },
        '0.1.0',
        new Date(0),
      ),
    )
    expect(saved).toContain('kubeadm join')
    expect(saved).toContain('(known after kubeadm init)')
    expect(saved).toContain('(made when up runs)')
    expect(saved).not.toContain(token)
    // the stage's own plan, made when the leader is known, passes
    const leader = { endpoint: '10.0.0.11:6443', caCertHash: 'sha256:feed' }
    for (const site of sites)
      for (const stage of up.stages.filter(
        (it) => it.hosts === 'all' || (it.hosts === 'leader') === (site === sites[0]),
      ))
        expect(
          permits(
            readPlanText(saved, 'p'),
            planStage(stage, { ...site, leader, token: new Secret('another') }, silent, realSteps),
          ),
        ).toEqual([])
  })

  it('is printed without what has the form of a secret in a file that is replaced', () => {
    const site = siteOf()
    const plan = makePlan(playbook, [site], new Map([[site.host, answers(bare)]]), steps)
    const { diff } = planJson(plan).hosts[0]!.actions.find(({ step }) => step === 'hosts')!
    expect(diff).toContain('-db password=***')
    expect(diff).toContain('+ours')
    expect(JSON.stringify(planJson(plan))).not.toContain('hunter2')
  })

  it('knows for which hosts it is; the leader is there as a guest', () => {
    const saved = save({ cp1: bare, w1: bare }, ['w1'])
    expect(saved.only).toEqual(['w1'])
    expect(saved.hosts.map(({ name }) => name)).toEqual(['cp1', 'w1'])
  })
})

describe('what a plan was made from', () => {
  const inventory = inventoryWith()
  const host = (index: number, more: Partial<Host>): Inventory => ({
    ...inventory,
    hosts: inventory.hosts.map((it, i) => (i === index ? { ...it, ...more } : it)),
  })
  const from = (inventory: Inventory) => originOf({ inventory, bundle, playbook })
  it.each<[string, Inventory]>([
    ['another file name', { ...inventory, file: '/elsewhere/i.yaml' }],
    ['another key', host(1, { key: '/other/key' })],
    ['another password', host(1, { password: new Secret('x') })],
    ['the same bundle elsewhere', { ...inventory, source: { bundle: '/elsewhere' } }],
  ])('is the same with %s', (_, other) => expect(strangers(from(inventory), from(other))).toEqual([]))

  it.each<[string, Inventory, string[]]>([
    ['another podSubnet', inventoryWith({ podSubnet: '10.9.0.0/16' }), ['inventory cluster']],
    ['another address of w1', host(1, { address: '10.0.0.99' }), ['inventory hosts.w1']],
    ['another role of w2', host(2, { role: 'control-plane' }), ['inventory hosts.w2']],
    [
      'one host fewer',
      { ...inventory, hosts: inventory.hosts.slice(0, 2) },
      ['inventory hosts.w2', 'inventory the order of the hosts'],
    ],
    ['another leader', { ...inventory, hosts: inventory.hosts.toReversed() }, ['inventory the order of the hosts']],
  ])('is another inventory with %s, and says where', (_, other, where) => {
    const troubles = strangers(from(inventory), from(other))
    expect(troubles.map(({ code }) => code)).toEqual(['PLAN_INVALID'])
    expect(troubles[0]?.message).toContain('the inventory is another one')
    expect(troubles[0]?.evidence?.map(({ source }) => source)).toEqual(where)
  })

  it('names another bundle and another playbook, each for itself', () => {
    const other = originOf({ inventory, bundle: { ...bundle, recipe: 'other' }, playbook: { stages: [] } })
    expect(strangers(from(inventory), other).map(({ message }) => message.split(' is ')[0])).toEqual([
      'the bundle',
      'the playbook',
    ])
  })
})

describe('a host that moved on', () => {
  const forward = (value: string) => ({
    ...bare,
    settings: new Map([
      ['net.ipv4.ip_forward', value],
      ['other', '9'],
    ]),
  })
  it.each<[string, World]>([
    ['a fact that changes no action: the clock', { ...bare, clock: 2 }],
    ['another entry of a Map', { ...bare, settings: new Map([...bare.settings, ['other', '9']]) }],
    ['what is only waited for', { ...bare, pods: 'running' }],
    ['what only the undo rests on', { ...bare, swaps: ['/swap'] }],
  ])('is not one with %s', (_, world) => expect(outdated(save(all()), save({ ...all(), w1: world }))).toEqual([]))

  it('is named with step, fact, and short values', () => {
    const troubles = outdated(save(all()), save({ ...all(), w1: forward('1') }))
    expect(troubles).toMatchObject([
      {
        code: 'PLAN_OUTDATED',
        where: 'w1: settings',
        evidence: [
          { source: 'live net.ipv4.ip_forward', line: 'was "0", is "1"' },
          { source: 'in the plan only', line: expect.stringContaining('net.ipv4.ip_forward') },
        ],
        fix: expect.stringContaining('k8snet plan'),
      },
    ])
  })

  it('is named with a file that changed, whose content is not shown', () => {
    const other = { ...bare, hosts: { ...bare.hosts!, content: `x${bare.hosts!.content}` } }
    const [trouble] = outdated(save(all()), save({ ...all(), w2: other }))
    expect(trouble).toMatchObject({ where: 'w2: hosts' })
    expect(JSON.stringify(trouble)).not.toContain('hunter2')
  })

  it('comes with all other such hosts and steps at once', () => {
    const other = { ...forward('1'), hosts: null }
    const troubles = outdated(save(all()), save({ cp1: other, w1: bare, w2: other }))
    expect(troubles.map(({ where }) => where)).toEqual(['cp1: settings', 'cp1: hosts', 'w2: settings', 'w2: hosts'])
  })

  it('that needs nothing any more is told in one line', () => {
    const done = { ...forward('1'), hosts: { ...bare.hosts!, content: 'ours\n' }, mark: 'done' }
    const [trouble, ...more] = outdated(save(all()), save({ ...all(), w1: done }))
    expect([trouble?.where, more]).toEqual(['w1', []])
    expect(trouble?.message).toMatch(/nothing of the plan is left to do/)
  })

  it('is not one that could not be reached; one that the plan does not know is', () => {
    expect(outdated(save(all()), save({ cp1: bare, w1: bare }))).toEqual([])
    expect(outdated(save({ cp1: bare }), save({ cp1: bare, w1: bare }))).toMatchObject([{ where: 'w1' }])
  })

  it('is explained by the version of k8snet when no fact changed', () => {
    const moved = save(all(), undefined, undefined, '9.9.9')
    const w1 = { ...moved.hosts[1]!, steps: moved.hosts[1]!.steps.map((it) => ({ ...it, actions: [] })) }
    const again = {
      ...moved,
      hosts: [moved.hosts[0]!, { ...w1, steps: [...w1.steps.slice(0, 2), moved.hosts[1]!.steps[2]!] }],
    }
    const [trouble] = outdated(save(all()), again)
    expect(trouble?.evidence?.[0]).toEqual({ source: 'k8snet', line: 'was 0.1.0, is 9.9.9' })
  })

  it('lists at most six lines of a kind', () => {
    const many = (n: number): SavedPlan => {
      const saved = save({ cp1: bare })
      const [first, ...rest] = saved.hosts[0]!.steps
      const actions = Array.from({ length: n }, (_, i) => exec(`action ${i}`))
      return { ...saved, hosts: [{ ...saved.hosts[0]!, steps: [{ ...first!, actions }, ...rest] }] }
    }
    expect(outdated(many(0), many(40))[0]?.evidence?.map(({ line }) => line)).toEqual([
      ...[0, 1, 2, 3, 4].map((i) => `action ${i}`),
      'and 35 more',
    ])
  })
})

describe('a stage that is planned anew on the way', () => {
  const saved = save(all())
  const stage = (name: string, step: string, ...actions: Action[]): HostStage => ({
    host: siteOf(name).host,
    stage: step === 'join' ? 'join' : 'prepare',
    steps: [{ step, actions }],
  })
  const joinOf = (known: object) =>
    planStage(
      playbook.stages[1]!,
      { ...siteOf('w1'), token: new Secret('new'), ...known },
      answers({ ...bare, swaps: ['/x'] }),
      steps,
    )
  const leader = { endpoint: 'e', caCertHash: 'sha256:aa' }
  const change = { kind: 'file', path: '/etc/hosts', want: { content: 'ours\n', mode: '0644' } } as const

  it.each<[string, HostStage]>([
    ['the same, with the token and the CA of this run and another undo', joinOf({ leader })],
    ['fewer actions', stage('w1', 'join', exec('join'))],
    ['nothing', stage('w1', 'join')],
    ['waiting for something', stage('w1', 'join', { kind: 'wait', summary: 'x', ask: 'x', timeoutSeconds: 1 })],
    [
      'a live setting whose value changed meanwhile',
      stage('w1', 'settings', { kind: 'sysctl', key: 'net.ipv4.ip_forward', was: '7', want: '1' }),
    ],
    ['the file as it was', stage('w1', 'hosts', { ...change, was: bare.hosts })],
  ])('may do %s', (_, planned) => expect(permits(saved, planned)).toEqual([]))

  it.each<[string, HostStage, string]>([
    ['another command', stage('w1', 'join', exec('join', { command: 'rm' })), 'w1: join'],
    ['one more action', stage('w1', 'join', exec('join'), exec('reset')), 'w1: join'],
    [
      'another value',
      stage('w1', 'settings', { kind: 'sysctl', key: 'net.ipv4.ip_forward', was: '0', want: '2' }),
      'w1: settings',
    ],
    ['an action of another step', stage('w1', 'settings', exec('join')), 'w1: settings'],
    ['an action of another host', stage('cp1', 'join', exec('join')), 'cp1: join'],
    ['a file that is another one now', stage('w1', 'hosts', { ...change, was: null }), 'w1: hosts'],
    [
      'a host that is not in the plan',
      { ...stage('w1', 'join', exec('join')), host: { ...siteOf('w1').host, name: 'w9' } },
      'w9: join',
    ],
  ])('may not do %s', (_, planned, where) => {
    const troubles = permits(saved, planned)
    expect(troubles).toMatchObject([{ code: 'PLAN_OUTDATED', where, fix: expect.stringContaining('k8snet plan') }])
    expect(troubles[0]?.evidence?.length).toBeGreaterThan(0)
  })
})

function caught(work: () => unknown): Failure {
  try {
    work()
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error('it did not fail')
}
