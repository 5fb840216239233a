import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Action } from '../../src/model/action.ts'
import type { RunEvent } from '../../src/model/event.ts'
import type { Host, Inventory } from '../../src/model/inventory.ts'
import type { Playbook } from '../../src/model/plan.ts'
import type { Hands } from '../../src/model/ports.ts'
import { Secret } from '../../src/model/secret.ts'
import { type Site, type Step, step } from '../../src/model/step.ts'
import { gather, questionsOf } from '../../src/plan/gather.ts'
import type { Means } from '../../src/run/stage.ts'
import { runUp, stepsOn } from '../../src/run/up.ts'
import { windowOf } from '../../src/run/window.ts'
import { connect } from '../../src/ssh/connect.ts'
import { type Sshd, startSshd } from '../helpers/sshd.ts'

/** The whole way of a run over a real sshd: three "hosts" that are one machine, each with a directory of its own. */

let sshd: Sshd
let dir: string
let hosts: Host[]
let hands: Map<Host, Hands>
beforeAll(async () => {
  sshd = await startSshd(['MaxSessions 10'])
})
afterAll(() => sshd.stop())
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'k8snet-run-'))
  hosts = ['cp1', 'w1', 'w2'].map((name) => sshd.host({ name, role: name === 'cp1' ? 'control-plane' : 'worker' }))
  for (const { name } of hosts) mkdirSync(`${dir}/${name}`)
  hands = new Map(await Promise.all(hosts.map(async (host) => [host, elsewhere(await connect(host))] as const)))
})
afterEach(() => {
  for (const hand of hands.values()) hand.close()
  rmSync(dir, { recursive: true })
})

/** Hands whose scripts keep their state in this test's directory, not in the machine's. */
function elsewhere(hands: Hands): Hands {
  const moved = (script: string) =>
    script.replaceAll('/var/lib/k8snet', `${dir}/state`).replaceAll('/run/k8snet', `${dir}/run`)
  return { ...hands, change: (script, options) => hands.change(moved(script), options) }
}

/** A step that makes a file which says 1. */
const touch = (name: string, over: (site: Site) => Partial<Record<string, unknown>> = () => ({})): Step =>
  step({
    title: name,
    asks: ({ host }) => ({
      there: { ask: `cat ${dir}/${host.name}/${name} 2>/dev/null || :`, parse: (out: string) => out },
    }),
    plan: ({ there }, site) =>
      there === '1\n'
        ? []
        : [
            {
              kind: 'exec',
              summary: `make ${name}`,
              command: `echo ${name} >>${dir}/order; echo 1 >${dir}/${site.host.name}/${name}`,
              timeoutSeconds: 10,
              undo: 'nothing',
              ...over(site),
            } as Action,
          ],
  }) as unknown as Step

const playbook = (...stages: Partial<Playbook['stages'][number]>[]): Playbook => ({
  stages: stages.map((stage) => ({
    name: '',
    title: stage.name ?? '',
    hosts: 'all',
    after: [],
    steps: [stage.name!],
    ...stage,
  })),
})

async function run(
  book: Playbook,
  steps: Record<string, Step>,
  change: { signal?: AbortSignal; onEvent?: (event: RunEvent) => void } = {},
) {
  const inventory = { file: '', cluster: {}, source: { bundle: '' }, hosts } as unknown as Inventory
  const sites = hosts.map(
    (host) => ({ host, inventory, hosts, bundle: {}, token: new Secret('abcdef.0123456789abcdef') }) as unknown as Site,
  )
  const answers = new Map(
    await Promise.all(
      sites.map(
        async (site) =>
          [
            site.host,
            await gather(
              hands.get(site.host)!,
              questionsOf(stepsOn(book, site).map((name) => steps[name]!.asks(site))),
            ),
          ] as const,
      ),
    ),
  )
  const events: RunEvent[] = []
  const means: Means = {
    prelude: readFileSync('templates/prelude.sh', 'utf8'),
    store: {
      files: () => ({ size: 0, stream: undefined as never }),
      images: () => ({ size: 0, stream: undefined as never }),
    },
    uploads: windowOf(2),
    emit: (event) => {
      events.push(event)
      change.onEvent?.(event)
    },
    signal: change.signal ?? new AbortController().signal,
    mask: (text) => text.replaceAll('abcdef.0123456789abcdef', '***'),
  }
  const report = await runUp({
    inventory,
    playbook: book,
    steps,
    sites,
    hands,
    answers,
    means,
    clock: () => performance.now(),
  })
  return { report, events, outcomes: Object.fromEntries(report.hosts.map(({ name, outcome }) => [name, outcome])) }
}

describe('a run', () => {
  it('changes what is not so, and says so; again it changes nothing', async () => {
    const book = playbook({ name: 'one' }, { name: 'two', after: ['one'] })
    const steps = { one: touch('one'), two: touch('two') }
    const first = await run(book, steps)
    expect(first.report.ok).toBe(true)
    expect(first.report.hosts.map(({ actions }) => actions)).toEqual([2, 2, 2])
    expect(first.outcomes).toEqual({ cp1: 'changed', w1: 'changed', w2: 'changed' })
    const second = await run(book, steps)
    expect(second.outcomes).toEqual({ cp1: 'unchanged', w1: 'unchanged', w2: 'unchanged' })
    expect(second.report.hosts.map(({ actions }) => actions)).toEqual([0, 0, 0])
  })

  it('goes on with the other hosts when one fails, skips what depends on it, and shows what it printed without secrets', async () => {
    const broken = (site: Site) =>
      site.host.name === 'w1' ? { command: 'echo the token is abcdef.0123456789abcdef; false' } : {}
    const { report, outcomes } = await run(playbook({ name: 'one' }, { name: 'two', after: ['one'] }), {
      one: touch('one', broken),
      two: touch('two'),
    })
    expect(report.ok).toBe(false)
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'failed', w2: 'changed' })
    expect(report.hosts[1]?.error).toMatchObject({
      code: 'ACTION_FAILED',
      where: 'w1: one',
      evidence: [{ line: 'the token is ***' }],
    })
    expect(JSON.stringify(report)).not.toContain('abcdef.0123456789abcdef')
    expect(existsSync(`${dir}/w1/two`)).toBe(false)
  })

  it('lets the stages of different hosts overlap: only what `after` names is waited for', async () => {
    const slow = (site: Site) =>
      site.host.name === 'w1' ? { command: `sleep 1; echo slow >>${dir}/order; echo 1 >${dir}/w1/one` } : {}
    await run(playbook({ name: 'one' }, { name: 'two', after: ['one'] }), {
      one: touch('one', slow),
      two: touch('two'),
    })
    const order = readFileSync(`${dir}/order`, 'utf8').trim().split('\n')
    expect(order.slice(0, 4).sort()).toEqual(['one', 'one', 'two', 'two'])
    expect(order.slice(4)).toEqual(['slow', 'two'])
  })

  it('waits for the others where a stage of the leader names them', async () => {
    const book = playbook({ name: 'work', hosts: 'others' }, { name: 'end', hosts: 'leader', after: ['others.work'] })
    const { outcomes } = await run(book, { work: touch('work', () => ({})), end: touch('end') })
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'changed', w2: 'changed' })
    expect(readFileSync(`${dir}/order`, 'utf8').trim().split('\n')).toEqual(['work', 'work', 'end'])
  })

  it('says so when a step is not content with its own work', async () => {
    const never = touch('one', () => ({ command: 'true' }))
    const { report } = await run(playbook({ name: 'one' }), { one: never })
    expect(report.hosts.map(({ error }) => error?.code)).toEqual(['NOT_CONVERGED', 'NOT_CONVERGED', 'NOT_CONVERGED'])
  })

  it('stops after the action under way when the user interrupts, and what was done stays journalled', async () => {
    const stop = new AbortController()
    const two: Step = step({
      title: 'two actions',
      asks: () => ({ none: { ask: ':', parse: () => null } }),
      plan: (_, { host }) =>
        ['first', 'second'].map(
          (name): Action => ({
            kind: 'exec',
            summary: name,
            command: `sleep 0.5; echo 1 >${dir}/${host.name}/${name}`,
            timeoutSeconds: 10,
            undo: [{ kind: 'exec', summary: 'back', command: 'true', timeoutSeconds: 1, undo: 'nothing' }],
          }),
        ),
    }) as unknown as Step
    const { report } = await run(
      playbook({ name: 'two', hosts: 'leader' }),
      { two },
      {
        signal: stop.signal,
        onEvent: (event) => {
          if (event.type === 'action' && event.summary === 'first') stop.abort()
        },
      },
    )
    expect(report.hosts[0]).toMatchObject({ outcome: 'failed', error: { code: 'INTERRUPTED' } })
    expect(existsSync(`${dir}/cp1/first`)).toBe(true)
    expect(existsSync(`${dir}/cp1/second`)).toBe(false)
    expect(readFileSync(`${dir}/state/journal`, 'utf8').trim().split('\n')).toHaveLength(1)
  })

  it('reports a host whose link breaks as failed, never as done', async () => {
    writeFileSync(`${dir}/kill`, '')
    const cut = (site: Site) =>
      site.host.name === 'w2' ? { command: 'kill -9 $(ps -o ppid= -p $(ps -o ppid= -p $PPID)); sleep 2' } : {}
    const { outcomes } = await run(playbook({ name: 'one' }), { one: touch('one', cut) })
    expect(outcomes).toMatchObject({ cp1: 'changed', w1: 'changed', w2: 'failed' })
  })
})
