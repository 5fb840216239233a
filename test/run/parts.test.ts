import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canLockOut } from '../../src/actions/index.ts'
import type { Action } from '../../src/model/action.ts'
import { returns } from '../../src/run/returns.ts'
import { type Item, readJournal, readOutcome } from '../../src/run/script.ts'
import { segmentsOf } from '../../src/run/segments.ts'
import { windowOf } from '../../src/run/window.ts'

const exec: Action = { kind: 'exec', summary: '', command: '', timeoutSeconds: 1, undo: 'nothing' }
const upload = { kind: 'upload', artifact: 'a', path: '/a' } as Action
const image = { kind: 'image', ref: 'r' } as Action
const wall = { kind: 'firewall', tool: 'ufw', rule: { chain: 'input' } } as Action
const item = (action: Action, i: number): Item => ({ id: String(i), step: 's', action })

describe('segments', () => {
  it.each([
    ['nothing', [], []],
    ['scripts go together', [exec, exec], ['script 2']],
    [
      'files and images travel on their own',
      [exec, upload, upload, exec, image, image, exec],
      ['script 1', 'files 2', 'script 1', 'images 2', 'script 1'],
    ],
    ['what can lock out goes on its own', [exec, wall, wall, exec], ['script 1', 'guarded 2', 'script 1']],
    ['taking files away is a script', [{ ...upload, remove: true } as Action, exec], ['script 2']],
  ])('%s', (_, actions, expected) => {
    expect(segmentsOf(actions.map(item)).map(({ way, items }) => `${way} ${items.length}`)).toEqual(expected)
  })

  it('never change the order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(exec, upload, image, wall)), (actions) => {
        const items = actions.map(item)
        expect(segmentsOf(items).flatMap((segment) => segment.items)).toEqual(items)
      }),
    )
  })
})

describe('a change that can lock out', () => {
  const file = (path: string): Action => ({ kind: 'file', path, was: null, want: { content: '', mode: '0644' } })
  const unit = (name: string): Action => ({
    kind: 'service',
    unit: name,
    was: { enabled: 'enabled', active: true },
    want: { active: false },
  })
  it.each<[string, Action, boolean]>([
    ['a firewall rule', wall, true],
    ['the live hostname', { kind: 'sysctl', key: 'kernel.hostname', was: 'a', want: 'b' }, true],
    ['reverse path filtering', { kind: 'sysctl', key: 'net.ipv4.conf.all.rp_filter', was: '0', want: '1' }, true],
    ['forwarding', { kind: 'sysctl', key: 'net.ipv4.ip_forward', was: '0', want: '1' }, false],
    ['the configuration of sshd', file('/etc/ssh/sshd_config.d/k8snet.conf'), true],
    ['a line of it', { kind: 'line', path: '/etc/ssh/sshd_config', edits: [] }, true],
    ['hosts.deny', file('/etc/hosts.deny'), true],
    ['the hosts file', file('/etc/hosts'), false],
    ['a saved firewall', file('/etc/nftables.conf'), true],
    ['the network of systemd', file('/etc/systemd/network/10-eth0.network'), true],
    ['a unit of systemd', file('/etc/systemd/system/kubelet.service'), false],
    ['sshd', unit('ssh.socket'), true],
    ['the firewall', unit('firewalld'), true],
    ['the kubelet', unit('kubelet'), false],
    ['a command', exec, false],
  ])('%s', (_, action, expected) => expect(canLockOut(action)).toBe(expected))
})

describe('a window', () => {
  it('never lets more in than its size, and lets everybody in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.nat(3), { maxLength: 20 }), async (size, work) => {
        const window = windowOf(size)
        let inside = 0
        let most = 0
        const done = await Promise.allSettled(
          work.map((turns, i) =>
            window.run(async () => {
              inside += 1
              most = Math.max(most, inside)
              for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
              inside -= 1
              if (i % 3 === 2) throw new Error('work may fail')
              return i
            }),
          ),
        )
        expect(done).toHaveLength(work.length)
        expect(most).toBeLessThanOrEqual(size)
        expect(inside).toBe(0)
      }),
    )
  })
})

describe('urgent work', () => {
  it('is let in first, and nothing else while it goes on', async () => {
    const window = windowOf(2)
    const order: string[] = []
    const gates = new Map<string, () => void>()
    const work = (name: string, urgent = false) =>
      window.run(() => {
        order.push(name)
        return new Promise<void>((resolve) => gates.set(name, resolve))
      }, urgent)
    const all = [work('a'), work('b'), work('c'), work('lead', true), work('lead2', true)]
    await Promise.resolve()
    const leave = async (name: string) => {
      gates.get(name)!()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await leave('a')
    expect(order).toEqual(['a', 'b', 'lead'])
    await leave('b')
    expect(order).toEqual(['a', 'b', 'lead', 'lead2'])
    await leave('lead')
    expect(order).toEqual(['a', 'b', 'lead', 'lead2'])
    await leave('lead2')
    expect(order).toEqual(['a', 'b', 'lead', 'lead2', 'c'])
    await leave('c')
    await Promise.all(all)
  })
})

describe('the journal', () => {
  it('holds what was begun and is not undone, in order', () => {
    const lines = [
      { id: 'a', step: 's', action: exec },
      { id: 'b', step: 's', action: exec },
      { undone: 'a' },
      { id: 'c', step: 's', action: exec },
    ]
    expect(readJournal(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`).map(({ id }) => id)).toEqual([
      'b',
      'c',
    ])
  })

  it.each(['', '\n', '\n\n'])('may be empty', (text) => expect(readJournal(text)).toEqual([]))

  it('is undone from its end, each entry by the inverse of its action', () => {
    const sysctl = (key: string, was?: string): Action => ({
      kind: 'sysctl',
      key,
      want: '1',
      ...(was !== undefined && { was }),
    })
    const entries = [sysctl('a', '0'), sysctl('new'), sysctl('b', '5')].map((action, i) => ({
      id: String(i),
      step: 's',
      action,
    }))
    expect(returns(entries).flatMap(({ actions }) => actions)).toMatchObject([
      { kind: 'sysctl', key: 'b', was: '1', want: '5' },
      { kind: 'sysctl', key: 'a', was: '1', want: '0' },
    ])
  })
})

describe('outcomes', () => {
  it.each([
    ['@done ab', { id: 'ab', status: 0, output: '' }],
    [`@failed ab 7 ${Buffer.from('why\nnot').toString('base64')}`, { id: 'ab', status: 7, output: 'why\nnot' }],
    ['@begin ab', undefined],
    ['anything else', undefined],
  ])('%s', (line, expected) => expect(readOutcome(line)).toEqual(expected))
})
