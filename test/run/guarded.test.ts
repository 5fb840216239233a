import { once as event } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Action } from '../../src/model/action.ts'
import type { Step } from '../../src/model/step.ts'
import { settleReverts, unconfirmed } from '../../src/run/revert.ts'
import { stopClock } from '../helpers/clock.ts'
import type { Sshd } from '../helpers/sshd.ts'
import { closeScene, once, openScene, playbook, type Scene, startHosts } from './scene.ts'

/** Changes that can lock out: who may log in on w1 stands in /etc/ssh/keys, which sshd reads for every new connection. */

const keys = '/etc/ssh/keys'
let sshds: Record<string, Sshd>
let scene: Scene
let was: string
beforeAll(async () => {
  sshds = await startHosts()
})
afterAll(() => Promise.all(Object.values(sshds).map((sshd) => sshd.stop())))
beforeEach(async () => {
  scene = await openScene(sshds)
  was = await scene.ask('w1', `cat ${keys}`)
})
afterEach(async () => {
  await scene
    .hand('w1')
    .change(`printf %s '${was}' >${keys}; rm -f /etc/ssh/note; ! mountpoint -q /proc/uptime || umount /proc/uptime`)
  await closeScene(scene)
})

const fileAction = (path: string, before: string | null, content: string): Action => ({
  kind: 'file',
  path,
  was: before === null ? null : { content: before, mode: '0644', owner: 'root:root' },
  want: { content, mode: '0644' },
})
const onW1 = (...actions: Action[]): Record<string, Step> => ({
  guard: once(scene.dir, ({ host }) => (host.name === 'w1' ? actions : [])),
})
const book = playbook({ name: 'guard' })
/** Connections that w1 has let in so far; its log is read up to now, which a knock at its door shows. */
async function letIn(): Promise<number> {
  const { port, log } = sshds.w1!
  const from = log().length
  const knock = connect(port, '127.0.0.1')
  await event(knock, 'connect')
  const line = `from 127.0.0.1 port ${knock.localPort} `
  knock.destroy()
  await vi.waitFor(() => expect(log().slice(from)).toContain(line), { timeout: 20_000 })
  return log().split('Accepted publickey').length - 1
}
/** What there is of a way back on w1: its directory, and its script among the processes of that host alone. */
const left = () =>
  scene.ask('w1', 'ls -d /run/k8snet/revert.* 2>/dev/null; pgrep --ns $$ --nslist mnt -fa "^/bin/sh .*/revert[.]" || :')
/** The script that would take the change back ends a moment after it has said how it went. */
const nothingLeft = () => vi.waitFor(async () => expect(await left()).toBe(''), { timeout: 20_000, interval: 100 })

describe('a change that can lock out', () => {
  it('stands once a new connection has come in, and leaves nothing behind', async () => {
    const before = await letIn()
    const { outcomes } = await scene.run(book, onW1(fileAction('/etc/ssh/note', null, 'mine\n')))
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'changed', w2: 'changed' })
    expect((await letIn()) - before).toBe(1)
    expect(await scene.ask('w1', 'cat /etc/ssh/note')).toBe('mine\n')
    expect(await scene.journal('w1')).toHaveLength(1)
    await nothingLeft()
  })

  it('costs no connection where there is none', async () => {
    const before = await letIn()
    expect((await scene.run(book, onW1(fileAction('/etc/hosts.k8snet', null, 'x')))).report.ok).toBe(true)
    expect((await letIn()) - before).toBe(0)
    await scene.hand('w1').change('rm -f /etc/hosts.k8snet')
  })

  it('is taken back by the host when nobody can come in any more, and the host fails with what stood in the way', async () => {
    const clock = await stopClock(scene.hand('w1'), `${scene.dir}/uptime`)
    const hand = scene.hand('w1')
    let over = false
    const again = () =>
      hand.again().catch((error: unknown) => {
        if (!over) clock.setOn()
        over = true
        throw error
      })
    scene.hands.set(scene.hosts[1]!, { ...hand, again })
    const { report, outcomes } = await scene.run(
      book,
      onW1(fileAction('/etc/ssh/note', null, 'mine\n'), fileAction(keys, was, 'nobody\n')),
      { means: { confirmSeconds: 300 } },
    )
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'failed', w2: 'changed' })
    expect(report.hosts[1]).toMatchObject({ actions: 0, error: { code: 'CHANGE_REVERTED', where: 'w1: guard' } })
    expect(report.hosts[1]?.error?.message).toContain('took the changes back by itself')
    expect(JSON.stringify(report.hosts[1]?.error?.evidence)).toContain('AUTH_FAILED')
    expect(await scene.ask('w1', `cat ${keys}`)).toBe(was)
    expect(await scene.ask('w1', 'ls /etc/ssh/note 2>/dev/null || :')).toBe('')
    expect(await scene.journal('w1')).toEqual([])
    await nothingLeft()
  })

  it('is confirmed also when a later one of them fails, and what is journalled is what is there', async () => {
    const { report } = await scene.run(
      book,
      onW1(fileAction('/etc/ssh/note', null, 'mine\n'), fileAction(keys, 'not what is there', 'nobody\n')),
      { means: { confirmSeconds: 300 } },
    )
    expect(report.hosts[1]).toMatchObject({ outcome: 'failed', actions: 1, error: { code: 'HOST_CHANGED' } })
    expect(await scene.ask('w1', 'cat /etc/ssh/note')).toBe('mine\n')
    await nothingLeft()
  })

  describe('when k8snet is gone before it could confirm', () => {
    /** Runs until the change is made, and then never comes in anew, as if it had been killed. */
    async function killed(): Promise<void> {
      const hand = scene.hand('w1')
      await new Promise<void>((resolve) => {
        const again = () => {
          resolve()
          return new Promise<never>(() => undefined)
        }
        scene.hands.set(scene.hosts[1]!, { ...hand, again })
        void scene.run(book, onW1(fileAction(keys, was, `${was}# one more\n`)), { means: { confirmSeconds: 300 } })
      })
      scene.hands.set(scene.hosts[1]!, hand)
    }

    it('the host takes it back by itself', async () => {
      const clock = await stopClock(scene.hand('w1'), `${scene.dir}/uptime`)
      await killed()
      expect(await scene.ask('w1', `cat ${keys}`)).not.toBe(was)
      clock.setOn()
      await nothingLeft()
      expect(await scene.ask('w1', `cat ${keys}`)).toBe(was)
      expect(await scene.journal('w1')).toEqual([])
    })

    it('a next run that comes in before that confirms it', async () => {
      await killed()
      const pending = async () => unconfirmed.parse(await scene.ask('w1', unconfirmed.ask))
      expect(await pending()).toBe(true)
      expect((await scene.hand('w1').change(settleReverts)).code).toBe(0)
      expect(await pending()).toBe(false)
      await nothingLeft()
      expect(await scene.ask('w1', `cat ${keys}`)).not.toBe(was)
      expect(await scene.journal('w1')).toHaveLength(1)
    })
  })
})
