import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Action } from '../../src/model/action.ts'
import type { Sshd } from '../helpers/sshd.ts'
import { closeScene, once, openScene, playbook, type Scene, startHosts } from './scene.ts'

let sshds: Record<string, Sshd>
let scene: Scene
beforeAll(async () => {
  sshds = await startHosts()
})
afterAll(() => Promise.all(Object.values(sshds).map((sshd) => sshd.stop())))
beforeEach(async () => {
  scene = await openScene(sshds)
})
afterEach(async () => {
  await scene.hand('w1').change('umount /opt 2>/dev/null; mount -o remount,rw,size=50% /var/lib; rm -rf /var/lib/*')
  await closeScene(scene)
})

const book = playbook({ name: 'write' })
const back: Action = { kind: 'exec', summary: 'back', command: 'true', timeoutSeconds: 1, undo: 'nothing' }
const writes = (command: string, undo: 'nothing' | readonly Action[] = 'nothing') =>
  once(scene.dir, ({ host }) =>
    host.name === 'w1' ? [{ kind: 'exec', summary: 'write', command, timeoutSeconds: 120, undo }] : [],
  )
const onW1 = async (script: string) => expect((await scene.hand('w1').change(script)).code).toBe(0)

describe('a file system of a host', () => {
  it.each([
    ['cp', 'cp /dev/zero /opt/file'],
    ['the shell itself', 'i=0; while [ $i -lt 100000 ]; do echo "a line of text $i"; i=$((i + 1)); done >/opt/file'],
  ])('that is full is named, with what df says of it: %s', async (_, command) => {
    await onW1('mount -t tmpfs -o size=64k tiny /opt')
    const { report, outcomes } = await scene.run(book, { write: writes(command) })
    expect(outcomes).toEqual({ cp1: 'changed', w1: 'failed', w2: 'changed' })
    const { error } = report.hosts[1]!
    expect(error).toMatchObject({ code: 'DISK_FULL', where: 'w1: write', message: 'write: /opt has no room left' })
    expect(error?.evidence?.[1]).toMatchObject({
      source: 'df -Pk',
      line: expect.stringMatching(/^tiny .* 100% \/opt$/),
    })
    expect(error?.fix).toContain('df -h /opt')
  })

  it('that is read-only is named, with its mount', async () => {
    await onW1('mount -t tmpfs -o ro still /opt')
    const { report } = await scene.run(book, { write: writes('echo 1 >/opt/file') })
    const { error } = report.hosts[1]!
    expect(error).toMatchObject({ code: 'READ_ONLY', message: 'write: /opt is mounted read-only' })
    expect(error?.evidence?.[1]).toMatchObject({
      source: '/proc/mounts',
      line: expect.stringMatching(/^still \/opt tmpfs ro/),
    })
  })

  it('is not accused where something else failed', async () => {
    const { report } = await scene.run(book, { write: writes('echo "read: I/O error"; exit 5') })
    expect(report.hosts[1]?.error).toMatchObject({ code: 'ACTION_FAILED' })
  })

  it.each([
    [
      'full',
      'mkdir /var/lib/k8snet; mount -o remount,size=64k /var/lib; cp /dev/zero /var/lib/fill 2>/dev/null || :',
      'DISK_FULL',
    ],
    ['read-only', 'mount -o remount,ro /var/lib', 'READ_ONLY'],
  ])('that is %s under the journal stops the run before the change', async (_, fault, code) => {
    await onW1(fault)
    const { report } = await scene.run(book, { write: writes(`echo 1 >${scene.dir}/w1/changed`, [back]) })
    expect(report.hosts[1]).toMatchObject({ outcome: 'failed', actions: 0, error: { code } })
    expect(report.hosts[1]?.error?.message).toContain('/var/lib')
    expect(scene.has('w1/changed')).toBe(false)
  })
})
