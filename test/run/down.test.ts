import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Action } from '../../src/model/action.ts'
import type { RunEvent } from '../../src/model/event.ts'
import type { Host } from '../../src/model/inventory.ts'
import type { Hands } from '../../src/model/ports.ts'
import type { Sh } from '../../src/model/shell.ts'
import { downPlan, runDown } from '../../src/run/down.ts'
import { leavingHosts } from '../../src/run/drain.ts'
import { type Past, pastOf } from '../../src/run/journal.ts'
import { applyScript, type OnChanged } from '../../src/run/script.ts'
import { settle } from '../../src/run/settle.ts'
import { connect } from '../../src/ssh/connect.ts'
import { type Apart, startApart } from '../helpers/apart.ts'

/**
 * The way back of one host over a real sshd; what k8snet keeps on it lies in a directory of the test, and its jobs are not those of
 * other tests.
 */

let sshd: Apart
let dir: string
let host: Host
let hands: Hands
beforeAll(async () => {
  sshd = await startApart()
})
afterAll(() => sshd.stop())
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'k8snet-down-'))
  host = sshd.host({ name: 'w1' })
  hands = elsewhere(await connect(host))
})
afterEach(() => {
  hands.close()
  rmSync(dir, { recursive: true, maxRetries: 10 })
})

function elsewhere(hands: Hands): Hands {
  const moved = (script: Sh) =>
    script.replaceAll('/var/lib/k8snet', `${dir}/state`).replaceAll('/run/k8snet', `${dir}/run`)
  return {
    ...hands,
    look: (script, options) => hands.look(moved(script), options),
    change: (script, options) => hands.change(moved(script), options),
    run: (script, options) => hands.run(moved(script), options),
  }
}

const prelude = readFileSync('templates/prelude.sh', 'utf8')
let ids = 0
async function did(...actions: Action[]): Promise<void> {
  const items = actions.map((action) => ({ id: `e${ids++}`, step: 'test', action }))
  expect((await hands.change(applyScript(prelude, items))).code).toBe(0)
}
const file = (name: string, was: string | null, content: string): Action => ({
  kind: 'file',
  path: `${dir}/${name}`,
  was: was === null ? null : { content: was, mode: '0644', owner: '0:0' },
  want: { content, mode: '0644' },
})
/** To take it back lasts until somebody asks to stop. */
const lasting = (): Action => {
  const command = `until [ -e ${dir}/run/stop ]; do sleep 0.05; done`
  return {
    kind: 'exec',
    summary: 'begin to wait',
    command: 'true',
    timeoutSeconds: 120,
    undo: [{ kind: 'exec', summary: 'wait', command, timeoutSeconds: 120, undo: 'nothing' }],
  }
}

async function down(onChanged: OnChanged = 'leave', stop = new AbortController(), stopAt?: string) {
  const events: RunEvent[] = []
  const report = await runDown({
    pasts: new Map([[host, await pastOf(hands)]]),
    leaving: new Map(),
    hands: new Map([[host, hands]]),
    onChanged,
    prelude,
    emit: (event) => {
      events.push(event)
      if (event.type === 'action' && event.summary === stopAt) stop.abort()
    },
    signal: stop.signal,
    clock: () => performance.now(),
  })
  return { report, events, result: report.hosts[0]!, left: (await pastOf(hands)).entries.length }
}

describe('what somebody else changed since', () => {
  const change = async () => {
    writeFileSync(`${dir}/old`, 'one\ntwo\n')
    await did(file('old', 'one\ntwo\n', 'ours\n'), file('new', null, 'new\n'), file('mine', null, 'a\nb\n'))
    writeFileSync(`${dir}/old`, 'ours\nand theirs\n')
    writeFileSync(`${dir}/mine`, 'a\nc\n')
  }

  it('is left, all of it named with its difference, and the rest is taken back', async () => {
    await change()
    const { report, result, left } = await down()
    expect(report.ok).toBe(false)
    expect(result).toMatchObject({ outcome: 'failed', actions: 1, error: { code: 'HOST_CHANGED', where: 'w1: test' } })
    expect(result.error!.message).toContain(`${dir}/mine, ${dir}/old`)
    const evidence = result.error!.evidence!.map(({ line }) => line).join('\n')
    expect(evidence).toContain('-b\n+c')
    expect(evidence).toContain('+and theirs')
    expect(result.error!.fix).toContain('--keep-changed')
    expect(existsSync(`${dir}/new`)).toBe(false)
    expect(readFileSync(`${dir}/old`, 'utf8')).toBe('ours\nand theirs\n')
    expect(left).toBe(2)
  })

  it.each([
    ['is given back all the same when asked', 'overwrite', 'one\ntwo\n', false],
    ['is kept and forgotten when asked', 'keep', 'ours\nand theirs\n', true],
  ] as const)('%s', async (_, onChanged, old, mine) => {
    await change()
    await down()
    const { report, left } = await down(onChanged)
    expect(report.ok).toBe(true)
    expect(left).toBe(0)
    expect(readFileSync(`${dir}/old`, 'utf8')).toBe(old)
    expect(existsSync(`${dir}/mine`)).toBe(mine)
    expect(existsSync(`${dir}/state`)).toBe(false)
  })

  it('is a removal, too: the file of before does not come back unasked', async () => {
    writeFileSync(`${dir}/old`, 'one\n')
    await did(file('old', 'one\n', 'ours\n'))
    rmSync(`${dir}/old`)
    const { result } = await down()
    expect(result.error?.code).toBe('HOST_CHANGED')
    expect(existsSync(`${dir}/old`)).toBe(false)
  })
})

describe('going back', () => {
  it('ends at what was before the first of several runs, as one thing', async () => {
    writeFileSync(`${dir}/f`, '0\n')
    await did(file('f', '0\n', '1\n'))
    await did(file('f', '1\n', '2\n'))
    await did(file('f', '2\n', '3\n'))
    const past = await pastOf(hands)
    expect(downPlan(past).map(({ summary }) => summary)).toEqual([`change ${dir}/f`])
    const { result, left } = await down()
    expect([result.outcome, result.actions, left]).toEqual(['changed', 1, 0])
    expect(readFileSync(`${dir}/f`, 'utf8')).toBe('0\n')
  })

  it('that is interrupted ends the action under way, says what is left, and goes on from there', async () => {
    await did(file('last', null, ''), lasting(), file('first', null, ''))
    const { result, left } = await down('leave', new AbortController(), 'wait')
    expect(result).toMatchObject({ outcome: 'failed', actions: 2, error: { code: 'INTERRUPTED' } })
    expect(result.error!.message).toContain(`1 not yet taken back, the next one: remove ${dir}/last`)
    expect(left).toBe(1)
    // the next job does that, in /run/k8snet
    rmSync(`${dir}/run/stop`)
    expect((await down()).result.outcome).toBe('changed')
    expect(existsSync(`${dir}/last`)).toBe(false)
  })

  it('takes an empty state directory away, too, which a run that was cut off left', async () => {
    await did()
    expect((await pastOf(hands)).traces).toBe(true)
    const { result } = await down()
    expect(result.outcome).toBe('unchanged')
    expect((await pastOf(hands)).traces).toBe(false)
  })

  it('names what was begun and is not known to have ended', async () => {
    await did(file('f', null, ''))
    const journal = `${dir}/state/journal`
    writeFileSync(journal, readFileSync(journal, 'utf8').replace(/^\{"done".*$/m, ''))
    expect(downPlan(await pastOf(hands)).map(({ summary }) => summary)).toEqual([
      `remove ${dir}/f (begun, not known to have ended)`,
    ])
  })

  it('waits for a script of a run that was cut off, and asks it to stop after the action it is at', async () => {
    await did()
    const job = spawn('flock', [
      `${dir}/run/job.lock`,
      'sh',
      '-c',
      `echo >${dir}/began; until [ -e ${dir}/run/stop ]; do sleep 0.1; done; sleep 0.5; echo >${dir}/ended`,
    ])
    const ended = once(job, 'exit')
    await vi.waitFor(() => expect(existsSync(`${dir}/began`)).toBe(true), { timeout: 20_000 })
    expect((await pastOf(hands)).busy).toBe(true)
    await settle(hands, new AbortController().signal)
    expect(existsSync(`${dir}/ended`)).toBe(true)
    expect((await pastOf(hands)).busy).toBe(false)
    expect(await ended).toEqual([0, null])
  })
})

describe('the node of a host that leaves', () => {
  const past = (over: Partial<Past>): Past => ({
    entries: [],
    traces: true,
    busy: false,
    member: true,
    machineId: 'm1',
    ...over,
  })
  const leader = (out: string, code = 0) => ({ look: async () => ({ out, err: '', code }) }) as unknown as Hands
  const nodes = 'cp1 m0 True \nother-name m1 True \nw2 m2 Unknown true\n'

  it.each([
    ['is found by its machine-id, whatever its name', past({}), { node: 'other-name', drain: true, cordoned: false }],
    ['is only removed when it is not Ready', past({ machineId: 'm2' }), { node: 'w2', drain: false, cordoned: true }],
    [
      'is only removed when its host is no member any more',
      past({ member: false }),
      { node: 'other-name', drain: false, cordoned: false },
    ],
    ['is none when no node is that machine', past({ machineId: 'm9' }), undefined],
    ['is none when the host has no machine-id', past({ machineId: '' }), undefined],
  ])('%s', async (_, it, expected) => {
    expect((await leavingHosts(leader(nodes), new Map([[host, it]])))?.get(host)).toEqual(expected)
  })

  it('is not looked for any further when the control plane does not answer', async () => {
    expect(await leavingHosts(leader('', 1), new Map([[host, past({})]]))).toBeUndefined()
  })

  it('is drained first and removed last, and the plan says so', () => {
    const plan = downPlan(past({ entries: [{ id: 'a', step: 's', action: file('f', null, '') }] }), {
      node: 'w1',
      drain: true,
      cordoned: false,
    })
    expect(plan.map(({ summary }) => summary.replace(dir, ''))).toEqual([
      'move the pods of node w1 away',
      'remove /f (begun, not known to have ended)',
      'remove node w1 from the cluster',
    ])
  })
})
