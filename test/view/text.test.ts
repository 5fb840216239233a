import { describe, expect, it } from 'vitest'
import type { RunReport } from '../../src/model/report.ts'
import { exits, Failure } from '../../src/model/trouble.ts'
import { changesText, totalText } from '../../src/view/changes.ts'
import { failureJson, failureText, leftOut } from '../../src/view/failure.ts'
import { lineView, partialText, reportText } from '../../src/view/run.ts'
import { duration, table } from '../../src/view/table.ts'

const trouble = {
  code: 'PORT_TAKEN' as const,
  message: 'port 6443/tcp of cp1 is in use',
  where: 'cp1',
  evidence: [{ source: 'ss -lntup', line: 'LISTEN 0 5 *:6443' }],
  fix: 'stop what listens there',
}

describe('a failure', () => {
  it('reads as code, what, where, evidence and fix, one after another', () => {
    const failure = new Failure(exits.refused, [trouble, { code: 'DEFECT', message: 'odd' }])
    expect(failureText(failure, false)).toBe(`PORT_TAKEN: port 6443/tcp of cp1 is in use (cp1)
  ss -lntup: LISTEN 0 5 *:6443
  fix: stop what listens there
DEFECT: odd
`)
  })

  it('has the documented JSON', () => {
    expect(failureJson(new Failure(exits.refused, trouble))).toEqual({
      ok: false,
      error: { ...trouble, evidence: 'ss -lntup: LISTEN 0 5 *:6443' },
      errors: [{ ...trouble, evidence: 'ss -lntup: LISTEN 0 5 *:6443' }],
    })
  })
})

describe('a plan', () => {
  const hosts = [
    {
      name: 'w1',
      actions: [
        { step: 'sysctls', summary: 'set net.ipv4.ip_forward = 1', is: '0', want: '1' },
        { step: 'sysctls', summary: 'write /etc/x', diff: '@@ -0,0 +1 @@\n+a', want: '2 bytes' },
        { step: 'kubeadm-join', summary: 'kubeadm join', command: 'one\ntwo' },
      ],
    },
    { name: 'w2', actions: [] },
  ]
  it('is told per host and step, with commands and diffs', () => {
    expect(changesText(hosts, false)).toBe(`w1: 3 actions
  sysctls
    set net.ipv4.ip_forward = 1 (is 0)
    write /etc/x
        @@ -0,0 +1 @@
        +a
  kubeadm-join
    kubeadm join
        $ one
          two

w2: nothing to do
`)
  })

  it('ends with how much it is in all', () => {
    const [w1, w2] = hosts.map((host) => ({ ...host, actions: host.actions.map((it) => ({ kind: 'exec', ...it })) }))
    expect(totalText([w1!, w2!])).toBe('In all: 3 actions on 1 of 2 hosts: 3 exec.\n')
    expect(totalText([w2!])).toBe('In all: nothing to do.\n')
    const file = { step: 'x', kind: 'file', summary: 'write' }
    expect(totalText([{ ...w1!, actions: [file, ...w1!.actions] }])).toBe(
      'In all: 4 actions on 1 of 1 host: 3 exec, 1 file.\n',
    )
  })

  it('has colours only where they are wanted', () => {
    expect(changesText(hosts, false)).not.toContain('\u001b')
    expect(changesText(hosts, true)).toContain('\u001b[32m')
  })
})

describe('a report', () => {
  const report: RunReport = {
    ok: false,
    hosts: [
      { name: 'cp1', outcome: 'changed', actions: 47, ms: 61_000 },
      { name: 'w1', outcome: 'failed', actions: 3, ms: 900, error: trouble },
    ],
    stages: [{ name: 'prepare', ms: 20_000 }],
    ms: 62_000,
  }
  it('is a table of hosts, the stages, and what went wrong', () => {
    expect(reportText(report, false)).toBe(`HOST  OUTCOME  ACTIONS  TIME
cp1   changed  47       1 min 1 s
w1    failed   3        0.9 s
stages: prepare 20.0 s; in all 1 min 2 s
PORT_TAKEN: port 6443/tcp of cp1 is in use (cp1)
  ss -lntup: LISTEN 0 5 *:6443
  fix: stop what listens there
`)
  })
})

describe('a run that not every host came through', () => {
  const well = { outcome: 'changed' as const, actions: 1, ms: 1 }
  const of = (...hosts: RunReport['hosts']): RunReport => ({ ok: false, hosts, stages: [], ms: 1 })
  const bad = (name: string, error?: typeof trouble) => ({
    name,
    outcome: 'failed' as const,
    actions: 0,
    ms: 0,
    ...(error && { error }),
  })
  it.each([
    [
      'is told in the last line',
      of({ name: 'cp1', ...well }, bad('w7', trouble)),
      '1 of 2 hosts joined; w7: PORT_TAKEN port 6443/tcp of cp1 is in use\n',
    ],
    [
      'counts what was skipped',
      of({ name: 'cp1', ...well }, { ...bad('w1', trouble), outcome: 'skipped' }),
      '1 of 2 hosts joined; w1: PORT_TAKEN port 6443/tcp of cp1 is in use\n',
    ],
    [
      'is no such run when all came through',
      of({ name: 'cp1', ...well }, { name: 'w1', ...well, outcome: 'unchanged' }),
      '',
    ],
  ])('%s', (_, report, text) => expect(partialText(report, 'joined', false)).toBe(text))

  it('names a few of many, and counts the others', () => {
    const many = Array.from({ length: 12 }, (_, i) => bad(`w${i}`, trouble))
    const text = partialText(of({ name: 'cp1', ...well }, ...many), 'joined', false)
    expect(text).toMatch(/^1 of 13 hosts joined; w0: .*; w9: [^;]*; and 2 more\n$/)
  })

  it('says beforehand who is left out, and why', () => {
    expect(
      leftOut(
        [
          { ...trouble, where: 'w1: sudo' },
          { code: 'HOST_UNREACHABLE', message: 'no', where: 'w2' },
        ],
        false,
      ),
    ).toBe(`PORT_TAKEN: port 6443/tcp of cp1 is in use (w1: sudo)
  ss -lntup: LISTEN 0 5 *:6443
  fix: stop what listens there
HOST_UNREACHABLE: no (w2)
Left out: w1, w2
`)
  })
})

describe('a pipe', () => {
  it('gets plain lines, and none for what is unchanged', () => {
    let text = ''
    const view = lineView((line) => {
      text += line
    })
    view.emit({ type: 'stage', stage: 'prepare', title: 'Prepare', hosts: ['w1', 'w2'] })
    view.emit({ type: 'begin', stage: 'prepare', host: 'w1', actions: 3 })
    view.emit({ type: 'bytes', stage: 'prepare', host: 'w1', sent: 1, total: 2 })
    view.emit({ type: 'end', stage: 'prepare', host: 'w1', ms: 1500, outcome: 'changed' })
    view.emit({ type: 'end', stage: 'prepare', host: 'w2', ms: 0, outcome: 'unchanged' })
    expect(text).toBe('w1: prepare begins, 3 actions\nw1: prepare changed, 1.5 s\n')
  })

  it('gets with -v a line when an action begins, and one when it ends', () => {
    let text = ''
    const view = lineView(
      (line) => {
        text += line
      },
      { verbose: true },
    )
    const action = { stage: 'init', host: 'cp1', step: 'kubeadm-init', summary: 'kubeadm init' }
    view.emit({ type: 'action', ...action })
    view.emit({ type: 'done', ...action, ms: 13_500, outcome: 'failed' })
    expect(text).toBe('cp1: kubeadm-init: kubeadm init\ncp1: kubeadm-init: kubeadm init: failed, 13.5 s\n')
  })
})

describe('words', () => {
  it.each([
    [0, '0.0 s'],
    [1449, '1.4 s'],
    [59_949, '59.9 s'],
    [59_951, '1 min 0 s'],
    [125_000, '2 min 5 s'],
  ])('%d ms is %s', (ms, text) => expect(duration(ms)).toBe(text))

  it('stand in columns without blanks at the end', () => {
    expect(
      table([
        ['A', 'B'],
        ['long', ''],
      ]),
    ).toBe('A     B\nlong\n')
  })
})
