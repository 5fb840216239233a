import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import type { RunEvent } from '../../src/model/event.ts'
import { maskOf } from '../../src/model/mask.ts'
import { ofCluster, runsDir } from '../../src/record/place.ts'
import { lastRecord, readRecord, recordsOf } from '../../src/record/read.ts'
import { timelineOf } from '../../src/record/timeline.ts'
import { openRecord } from '../../src/record/write.ts'
import { cpuSeconds } from '../helpers/cpu.ts'

const dir = mkdtempSync(join(tmpdir(), 'k8snet-record-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
let roots = 0
const newRoot = () => join(dir, `state${roots++}`, 'k8snet', 'runs')

const header = {
  verb: 'up' as const,
  cluster: 'lab',
  inventory: '/home/me/inventory.yaml',
  hosts: ['cp1', 'w1'],
  began: '2026-11-20T14:03:11.123Z',
  by: 'me@desk',
  version: '0.1.0',
}
const mask = maskOf(['open sesame'])

/** A record with a clock that stands where each event says. */
async function record(root: string, events: readonly [at: number, event: RunEvent][], exit = 0, result: unknown = {}) {
  let now = 0
  const recorder = openRecord(root, header, { mask, clock: () => now })
  for (const [at, event] of events) {
    now = at
    recorder.event(event)
  }
  expect(await recorder.close(exit, result)).toBeUndefined()
  return (await recordsOf(root, 'lab'))[0]!
}

const prepare = { stage: 'prepare', host: 'w1' } as const
const init = { stage: 'init', host: 'cp1' } as const

describe('the record of a run', () => {
  it('lies under the state directory of XDG, readable by its owner alone', async () => {
    expect(runsDir({ XDG_STATE_HOME: '/x' }, '/root')).toBe('/x/k8snet/runs')
    expect(runsDir({}, '/root')).toBe('/root/.local/state/k8snet/runs')
    const root = newRoot()
    const place = await record(root, [])
    expect(place).toBe(join(root, '20261120T140311.123Z-up-lab'))
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
    expect([root, place].map(mode)).toEqual(['700', '700'])
    expect(['events.ndjson', 'report.json'].map((name) => mode(join(place, name)))).toEqual(['600', '600'])
    expect(JSON.parse(readFileSync(join(place, 'report.json'), 'utf8'))).toMatchObject({ verb: 'up', exit: 0 })
  })

  it('is there while the run goes on, so that a kill leaves what happened so far', async () => {
    const root = newRoot()
    const recorder = openRecord(root, header, { mask, clock: () => performance.now() })
    recorder.event({ type: 'begin', ...init, actions: 3 })
    recorder.event({ type: 'action', ...init, step: 'kubeadm-init', summary: 'kubeadm init' })
    const seen = await vi.waitFor(
      async () => {
        const [place] = await recordsOf(root, 'lab')
        const all = await readRecord(place!)
        expect(all?.events.map(({ type }) => type)).toEqual(['run', 'begin', 'action'])
        return all!
      },
      { timeout: 20_000 },
    )
    const timeline = timelineOf(seen)
    expect(timeline.exit).toBeUndefined()
    expect(timeline.spans).toMatchObject([{ stage: 'init', host: 'cp1', outcome: 'unfinished' }])
    await recorder.close(0, {})
  })

  it('keeps of a transfer one event in a second', async () => {
    const bytes = Array.from({ length: 50 }, (_, i): [number, RunEvent] => [
      i * 100,
      { type: 'bytes', stage: 'images', host: 'w1', sent: i, total: 50 },
    ])
    const place = await record(newRoot(), bytes)
    expect((await readRecord(place))?.events.filter(({ type }) => type === 'bytes')).toHaveLength(5)
  })

  it('is read also where its last line was cut in the middle', async () => {
    const place = await record(newRoot(), [[5, { type: 'note', text: 'a' }]])
    const file = join(place, 'events.ndjson')
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -9))
    expect((await readRecord(place))?.events.map(({ type }) => type)).toEqual(['run', 'note'])
  })

  it('holds no secret, whether it is known or only looks like one', async () => {
    const place = await record(
      newRoot(),
      [
        [1, { type: 'note', text: 'open sesame, abcdef.0123456789abcdef' }],
        [2, { type: 'action', ...init, step: 's', summary: 'kubeadm join --token abcdef.0123456789abcdef' }],
        [
          3,
          { type: 'end', ...init, ms: 1, outcome: 'failed', error: { code: 'DEFECT', message: 'password: hunter2' } },
        ],
      ],
      3,
      { hosts: [{ error: { evidence: 'open sesame' } }] },
    )
    const all = execFileSync(
      'cat',
      readdirSync(place).map((name) => join(place, name)),
      { encoding: 'utf8' },
    )
    expect(all).not.toMatch(/sesame|0123456789abcdef|hunter2/)
    expect(all.match(/\*\*\*/g)?.length).toBeGreaterThanOrEqual(5)
  })

  it('is one of the last twenty of its cluster; those of others stay', async () => {
    const root = newRoot()
    for (let i = 10; i < 35; i++) mkdirSync(join(root, `202601${i}T000000.000Z-up-lab`), { recursive: true })
    mkdirSync(join(root, '20200101T000000.000Z-up-my-lab'))
    mkdirSync(join(root, '20200101T000000.000Z-down-other'))
    await record(root, [])
    const left = readdirSync(root)
    expect(ofCluster(left, 'lab')).toHaveLength(20)
    expect(ofCluster(left, 'lab').at(-1)).toBe('20261120T140311.123Z-up-lab')
    expect(left).toContain('20200101T000000.000Z-up-my-lab')
    expect(left).toContain('20200101T000000.000Z-down-other')
  })

  it('has a place of its own, also where two runs begin in the same millisecond', async () => {
    const root = newRoot()
    const both = [1, 2].map(() => openRecord(root, header, { mask, clock: () => 0 }))
    expect(await Promise.all(both.map((it) => it.close(0, {})))).toEqual([undefined, undefined])
    expect(readdirSync(root)).toHaveLength(2)
  })

  it('that cannot be written is said and fails nothing', async () => {
    const root = join(newRoot(), 'runs')
    mkdirSync(join(root, '..'), { recursive: true })
    writeFileSync(root, 'a file in the way')
    const recorder = openRecord(root, header, { mask, clock: () => 0 })
    recorder.event({ type: 'note', text: 'x' })
    expect(await recorder.close(0, {})).toMatch(/EEXIST|ENOTDIR/)
  })

  it('takes the events of a thousand hosts without holding the run up', async () => {
    const recorder = openRecord(newRoot(), header, { mask, clock: () => performance.now() })
    const spent = cpuSeconds(() => {
      for (let action = 0; action < 60; action++)
        for (let host = 0; host < 1000; host++)
          recorder.event({
            type: 'action',
            stage: 'prepare',
            host: `w${host}`,
            step: 'files',
            summary: `write /etc/${action}`,
          })
    })
    expect(await recorder.close(0, {})).toBeUndefined()
    expect((spent * 1000) / 60_000).toBeLessThan(0.1)
  })
})

describe('the last record', () => {
  it('is the newest of the same inventory, else the newest of the cluster', async () => {
    const root = newRoot()
    const write = async (began: string, inventory: string) => {
      await openRecord(root, { ...header, began, inventory }, { mask, clock: () => 0 }).close(0, {})
    }
    await write('2026-11-20T10:00:00.000Z', '/a.yaml')
    await write('2026-11-20T11:00:00.000Z', '/b.yaml')
    expect((await lastRecord(root, 'lab', '/a.yaml'))?.header.began).toBe('2026-11-20T10:00:00.000Z')
    expect((await lastRecord(root, 'lab', '/c.yaml'))?.header.began).toBe('2026-11-20T11:00:00.000Z')
    expect(await lastRecord(root, 'none', '/a.yaml')).toBeUndefined()
  })
})

describe('a timeline', () => {
  it('has the stages with their beginnings and ends, the time per step, and the errors', async () => {
    const place = await record(
      newRoot(),
      [
        [100, { type: 'stage', stage: 'prepare', title: 'Prepare', hosts: ['w1', 'w2'] }],
        [100, { type: 'begin', ...prepare, actions: 2 }],
        [110, { type: 'action', ...prepare, step: 'images', summary: 'send 5 images' }],
        [1110, { type: 'action', ...prepare, step: 'kubelet', summary: 'write a' }],
        [1150, { type: 'done', ...prepare, step: 'kubelet', summary: 'write a', ms: 40, outcome: 'done' }],
        [1200, { type: 'action', ...prepare, step: 'kubelet', summary: 'write b' }],
        [1300, { type: 'end', ...prepare, ms: 1200, outcome: 'changed' }],
        [1300, { type: 'end', stage: 'prepare', host: 'w2', ms: 0, outcome: 'unchanged' }],
        [
          2000,
          { type: 'end', ...init, ms: 700, outcome: 'failed', error: { code: 'TIMEOUT', message: 'm', where: 'cp1' } },
        ],
      ],
      3,
      { ok: false, hosts: [{ name: 'cp1', error: { code: 'TIMEOUT', message: 'm', where: 'cp1' } }] },
    )
    const { spans, steps, errors, exit, ms } = timelineOf((await readRecord(place))!)
    expect(spans).toEqual([
      { stage: 'prepare', host: 'w1', from: 100, to: 1300, outcome: 'changed' },
      { stage: 'init', host: 'cp1', from: 1300, to: 2000, outcome: 'failed' },
    ])
    expect(steps).toEqual([
      { host: 'w1', step: 'images', ms: 1000 },
      { host: 'w1', step: 'kubelet', ms: 140 },
    ])
    expect(errors).toEqual([{ code: 'TIMEOUT', message: 'm', where: 'cp1' }])
    expect([exit, ms]).toEqual([3, 2000])
  })
})
