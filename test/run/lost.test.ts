import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Action } from '../../src/model/action.ts'
import type { RunEvent } from '../../src/model/event.ts'
import { exits, Failure } from '../../src/model/trouble.ts'
import { startProxy, type TcpProxy } from '../helpers/proxy.ts'
import type { Sshd } from '../helpers/sshd.ts'
import { closeScene, once, openScene, playbook, type Scene, startHosts } from './scene.ts'

/** Links and hosts that go away under a run: it goes on by itself, and nothing is done twice. */

let sshds: Record<string, Sshd>
let proxy: TcpProxy
let scene: Scene
beforeAll(async () => {
  sshds = await startHosts()
})
afterAll(() => Promise.all(Object.values(sshds).map((sshd) => sshd.stop())))
beforeEach(async () => {
  proxy = await startProxy(sshds.w1!.port)
  scene = await openScene(sshds, (name) => (name === 'w1' ? proxy.port : undefined))
})
afterEach(async () => {
  await closeScene(scene)
  await proxy.close()
})

/** A step with a change, a transfer of 8 MB, and another change. */
function work() {
  const { dir } = scene
  const bytes = Buffer.alloc(8_000_000, 'k8snet')
  mkdirSync(`${dir}/bundle`)
  writeFileSync(`${dir}/bundle/big`, bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const note = (word: string): Action => ({
    kind: 'exec',
    summary: word,
    command: `sleep 0.3; echo ${word} >>${dir}/$(cat /run/name)/did`,
    timeoutSeconds: 120,
    undo: [{ kind: 'exec', summary: 'back', command: 'true', timeoutSeconds: 1, undo: 'nothing' }],
  })
  return once(dir, ({ host }) =>
    ['before', 'big', 'after']
      .filter((word) => !did(host.name).includes(word) && !(word === 'big' && scene.has(`${host.name}/big`)))
      .map((word) =>
        word === 'big'
          ? {
              kind: 'upload',
              artifact: 'big',
              version: '1',
              sha256,
              size: bytes.length,
              path: `${dir}/${host.name}/big`,
              mode: '0644',
              was: 'absent',
            }
          : note(word),
      ),
  )
}
const did = (name: string) =>
  scene.has(`${name}/did`) ? readFileSync(`${scene.dir}/${name}/did`, 'utf8').trim().split('\n') : []
const named = () => Promise.all(scene.hosts.map(({ name }) => scene.hand(name).change(`echo ${name} >/run/name`)))

/** Calls `act` at the first event of w1 that is such a one. */
function atFirst(act: () => void, when: (event: RunEvent) => boolean) {
  let acted = false
  return (event: RunEvent) => {
    if (acted || !('host' in event) || event.host !== 'w1' || !when(event)) return
    acted = true
    act()
  }
}

const moments: [string, (event: RunEvent) => boolean][] = [
  ['as the stage begins', (event) => event.type === 'begin'],
  ['in the middle of the first change', (event) => event.type === 'action' && event.summary === 'before'],
  ['as the first change has ended', (event) => event.type === 'done' && event.summary === 'before'],
  ['as the transfer begins', (event) => event.type === 'action' && event.summary.startsWith('send')],
  ['in the middle of the transfer', (event) => event.type === 'bytes' && event.sent > 1_000_000],
  ['as the transfer has ended', (event) => event.type === 'done' && event.summary.startsWith('send')],
  ['in the middle of the last change', (event) => event.type === 'action' && event.summary === 'after'],
  ['before what was done is looked at', (event) => event.type === 'done' && event.summary === 'be done'],
]

describe.each([
  ['a reset', moments, (it: TcpProxy) => it.reset()],
  ['a cut', [moments[1]!, moments[4]!], (it: TcpProxy) => it.cutAfter(1)],
] as const)('%s of the link', (_, at, fault) => {
  it.each(at)('%s: the run goes on, every change is made once, and the other hosts notice nothing', async (_, when) => {
    await named()
    const book = playbook({ name: 'work' }, { name: 'next', after: ['work'] })
    const steps = { work: work(), next: scene.touch('next') }
    const { report, events } = await scene.run(book, steps, { onEvent: atFirst(() => fault(proxy), when) })
    expect(report.hosts.map(({ outcome, error }) => [outcome, error])).toEqual([
      ['changed', undefined],
      ['changed', undefined],
      ['changed', undefined],
    ])
    for (const { name } of scene.hosts) expect(did(name), name).toEqual(['before', 'after'])
    expect(scene.order()).toEqual(['next', 'next', 'next'])
    expect(readFileSync(`${scene.dir}/w1/big`).length).toBe(8_000_000)
    expect(await scene.ask('w1', 'ls /var/lib/k8snet')).not.toContain('incoming')
    expect(
      events.filter(({ type }) => type === 'note').every((it) => it.type === 'note' && it.text.startsWith('w1: ')),
    ).toBe(true)
    expect((await scene.run(book, steps)).outcomes).toEqual({ cp1: 'unchanged', w1: 'unchanged', w2: 'unchanged' })
  })
})

describe('a host', () => {
  it('that goes away for good fails by itself, named with what it was at', async () => {
    await named()
    const book = playbook({ name: 'work' })
    const when = (event: RunEvent) => event.type === 'bytes' && event.sent > 1_000_000
    const { report, outcomes } = await scene.run(
      book,
      { work: work() },
      {
        onEvent: atFirst(() => void proxy.close(), when),
        means: { patienceMs: 2000 },
      },
    )
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'failed', w2: 'changed' })
    expect(report.hosts[1]?.error).toMatchObject({ code: 'CONNECTION_LOST', where: 'w1' })
  })

  it('whose link breaks in every try is given up after some', async () => {
    await named()
    let sending = false
    const onEvent = (event: RunEvent) => {
      if (!('host' in event) || event.host !== 'w1') return
      if (event.type === 'action') sending = event.summary.startsWith('send')
      // once in each try: the next connection is not to suffer from what this one still had to send
      if (!sending || event.type !== 'bytes' || event.sent < 1_000_000) return
      sending = false
      proxy.reset()
    }
    const { report, events } = await scene.run(playbook({ name: 'work' }), { work: work() }, { onEvent })
    expect(report.hosts[1]).toMatchObject({ outcome: 'failed', actions: 1, error: { code: 'CONNECTION_LOST' } })
    const sends = events.filter((it) => it.type === 'action' && it.host === 'w1' && it.summary.startsWith('send'))
    expect(sends).toHaveLength(4)
  })

  it('that is restarted in the middle of a stage is set right from its first stage on, and the stage is done', async () => {
    const book = playbook({ name: 'one' }, { name: 'two', after: ['one'] }, { name: 'three', after: ['two'] })
    const steps = { one: scene.touch('one'), two: scene.touch('two'), three: scene.touch('three') }
    const host = scene.hosts[1]!
    const hand = scene.hand('w1')
    let restarted = false
    // What a restart does, as far as a run sees it: the script is gone, and with it what an earlier stage had not saved.
    scene.hands.set(host, {
      ...hand,
      run: async (script, options) => {
        if (restarted || !script.includes('echo two')) return hand.run(script, options)
        restarted = true
        await hand.change(`rm ${scene.dir}/w1/one`)
        throw new Failure(exits.someHosts, { code: 'HOST_REBOOTED', message: 'w1 was restarted', where: 'w1' })
      },
    })
    const { outcomes, events } = await scene.run(book, steps)
    expect(restarted).toBe(true)
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'changed', w2: 'changed' })
    expect(['one', 'two', 'three'].map((name) => scene.has(`w1/${name}`))).toEqual([true, true, true])
    expect(events.filter(({ type }) => type === 'note')).toMatchObject([
      { text: expect.stringMatching(/^w1: HOST_REBOOTED/) },
    ])
  })
})
