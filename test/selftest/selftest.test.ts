import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Code, codes } from '../../src/model/codes.ts'
import type { ClusterDump } from '../../src/model/dump.ts'
import type { CauseReport, Check, VerifyReport } from '../../src/model/report.ts'
import { Failure } from '../../src/model/trouble.ts'
import type { Fault, Role } from '../../src/selftest/fault.ts'
import { edited } from '../../src/selftest/faults/edited.ts'
import { faults } from '../../src/selftest/faults/index.ts'
import { type Bench, rounds, selftest } from '../../src/selftest/selftest.ts'
import { trials } from '../../src/selftest/trials.ts'

/** A cluster that is broken by `break CODE` until `mend CODE`; verify names what it is told to name. */
function scene({ names = {}, stays = [] as string[] } = {}) {
  const broken = new Set<string>()
  const scripts: [Role, string][] = []
  const stop = new AbortController()
  const report = (): VerifyReport => {
    const found = [...broken].flatMap((code) => (names as Record<string, VerifyReport>)[code] ?? [])
    return found[0] ?? { ok: true, ms: 1, checks: [], causes: [], unexplained: [] }
  }
  const bench: Bench = {
    async run(role, script) {
      scripts.push([role, script])
      const making = /^break (\w+)$/m.exec(script)?.[1]
      const mending = /^\( mend (\w+)$/m.exec(script)?.[1]
      if (making) broken.add(making)
      if (mending && !stays.includes(mending)) broken.delete(mending)
      return { out: '', err: making === 'REFUSED' ? 'no such device' : '', code: making === 'REFUSED' ? 1 : 0 }
    },
    verify: async () => {
      if (stop.signal.aborted) throw new Failure(130, { code: 'INTERRUPTED', message: 'stopped' })
      return report()
    },
    look: async () => report(),
    dump: async () => ({ nodes: [] }) as unknown as ClusterDump,
    judge: () => report(),
    emit: () => {},
    signal: stop.signal,
  }
  return { bench, scripts, broken, stop }
}

const fault = (code: string, over: Partial<Fault> = {}): Fault => ({
  code: code as Code,
  title: 'broken',
  level: 'quick',
  on: 'worker',
  make: `break ${code}`,
  undo: `mend ${code}`,
  ...over,
})

const cause = (code: string, explains: string[] = []): CauseReport =>
  ({
    code,
    level: 'error',
    where: 'w1',
    message: 'm',
    because: 'b',
    evidence: [],
    fix: 'f',
    explains,
    safe: false,
  }) as CauseReport
const failed = (id: string): Check => ({ id, scenario: 'pod-to-pod', from: 'a', to: 'b', outcome: 'failed', ms: 1 })
const seen = (causes: CauseReport[], unexplained: string[] = []): VerifyReport => ({
  ok: false,
  ms: 1,
  checks: [...causes.flatMap(({ explains }) => explains), ...unexplained].map(failed),
  causes,
  unexplained,
})

describe('a selftest', () => {
  it('is content where the right cause comes first, explains every failed check, and all is clean again', async () => {
    const { bench, broken } = scene({
      names: { MTU_MISMATCH: seen([cause('MTU_MISMATCH', ['x', 'y']), cause('IPAM_LEAK')]) },
    })
    const [row] = await selftest(bench, [[fault('MTU_MISMATCH')]], [])
    expect(row).toMatchObject({ problems: [], explained: 2, seen: ['MTU_MISMATCH', 'IPAM_LEAK'], level: 'quick' })
    expect([...broken]).toEqual([])
  })

  it.each([
    [
      'another cause comes first',
      seen([cause('IPAM_LEAK', ['x']), cause('MTU_MISMATCH', ['x'])]),
      /did not come first, but IPAM_LEAK/,
    ],
    ['nothing is named', seen([], ['x']), /did not come first, but nothing/],
    ['a failed check stays unexplained', seen([cause('MTU_MISMATCH', ['x'])], ['z']), /unexplained: z/],
    ['it explains no failed check', seen([cause('MTU_MISMATCH')]), /explains no failed check/],
  ])('complains where %s', async (_, report, problem) => {
    const { bench } = scene({ names: { MTU_MISMATCH: report } })
    const [row] = await selftest(bench, [[fault('MTU_MISMATCH')]], [])
    expect(row?.problems.join()).toMatch(problem)
  })

  it('asks no probe of a fault that none would feel', async () => {
    const { bench } = scene({ names: { MTU_MISMATCH: seen([cause('MTU_MISMATCH')]) } })
    const verify = bench.verify
    let asked = 0
    const counting: Bench = {
      ...bench,
      verify: (level) => {
        asked++
        return verify(level)
      },
    }
    const [row] = await selftest(counting, [[fault('MTU_MISMATCH', { level: 'static' })]], [])
    expect(row?.problems).toEqual([])
    expect(asked).toBe(1)
  })

  it('wants both causes of two faults, and each to explain what the other does not', async () => {
    const two: [Fault, Fault] = [fault('MTU_MISMATCH'), fault('CNI0_DOWN', { on: 'other' })]
    const good = seen([cause('CNI0_DOWN', ['x', 'z']), cause('MTU_MISMATCH', ['y', 'z'])])
    const same = seen([cause('CNI0_DOWN', ['x']), cause('MTU_MISMATCH', ['x', 'y'])])
    const one = seen([cause('CNI0_DOWN', ['x', 'y'])])
    const problems = async (report: VerifyReport) =>
      (await selftest(scene({ names: { MTU_MISMATCH: report } }).bench, [two], []))[0]?.problems
    expect(await problems(good)).toEqual([])
    expect(await problems(same)).toEqual(['CNI0_DOWN explains nothing that MTU_MISMATCH does not'])
    expect(await problems(one)).toEqual(['MTU_MISMATCH did not come first, but CNI0_DOWN'])
  })

  it('takes a fault back that could be made only in part, and says what the host said', async () => {
    const { bench, broken, scripts } = scene()
    const [row] = await selftest(bench, [[fault('REFUSED')]], [])
    expect(row?.problems).toEqual(['could not be made: no such device'])
    expect([...broken]).toEqual([])
    expect(scripts.map(([, script]) => script).join('\n')).toContain('( mend REFUSED')
  })

  it('writes the way back down before it breaks anything, and takes up what a killed run has left', async () => {
    const { bench, scripts } = scene({ names: { MTU_MISMATCH: seen([cause('MTU_MISMATCH', ['x'])]) } })
    await selftest(bench, [[fault('MTU_MISMATCH')]], [])
    const made = scripts.find(([, script]) => script.includes('break MTU_MISMATCH'))![1]
    expect(made.indexOf('mend MTU_MISMATCH')).toBeLessThan(made.indexOf('break MTU_MISMATCH'))
    expect(made).toContain('>"$S/undo.MTU_MISMATCH"')
    expect(scripts.slice(0, 3).map(([role, script]) => [role, script.includes('"$S"/undo.*')])).toEqual([
      ['leader', true],
      ['worker', true],
      ['other', true],
    ])
  })

  it('takes the fault back and removes its pods when it is stopped', async () => {
    const { bench, broken, scripts, stop } = scene({ names: { MTU_MISMATCH: seen([cause('MTU_MISMATCH', ['x'])]) } })
    let first = true
    const stopped: Bench = {
      ...bench,
      verify: async (level) => {
        if (!first) stop.abort()
        first = false
        return bench.verify(level)
      },
    }
    await expect(selftest(stopped, [[fault('MTU_MISMATCH')]], [])).rejects.toThrow('INTERRUPTED')
    expect([...broken]).toEqual([])
    expect(scripts.at(-1)?.[1]).toContain('delete namespace selftest')
  })

  it('breaks nothing on a cluster that is not clean to begin with', async () => {
    const { bench, broken, scripts } = scene({ names: { OLD: seen([cause('IPAM_LEAK')]) } })
    broken.add('OLD')
    await expect(selftest(bench, [[fault('MTU_MISMATCH')]], [])).rejects.toThrow(
      /not clean before any fault.*IPAM_LEAK/,
    )
    expect(scripts.map(([, script]) => script).join('\n')).not.toContain('break')
  })
})

describe('clean runs', () => {
  it('count every cause and every failed check as a false alarm', async () => {
    const { bench, broken } = scene({ names: { OLD: seen([cause('IPAM_LEAK')]), LOST: seen([], ['x']) } })
    expect((await rounds(bench, 3)).map(({ problems }) => problems)).toEqual([[], [], []])
    broken.add('OLD')
    expect((await rounds(bench, 1))[0]?.problems.join()).toContain('IPAM_LEAK')
    broken.clear()
    broken.add('LOST')
    expect((await rounds(bench, 1))[0]?.problems.join()).toContain('x')
  })
})

describe('the catalogue', () => {
  const all = [...faults, ...edited]

  it('has at least 40 faults for at least 40 causes', () => {
    expect(faults.length).toBeGreaterThanOrEqual(40)
    expect(new Set(all.map(({ code }) => code)).size).toBeGreaterThanOrEqual(40)
  })

  it('names each fault once, with a known code', () => {
    expect(new Set(all.map(({ title }) => title)).size).toBe(all.length)
    expect(all.filter(({ code }) => !(code in codes))).toEqual([])
  })

  it('has two trials with two faults, for different hosts', () => {
    expect(trials.filter((trial) => trial.length === 2)).toHaveLength(2)
    for (const trial of trials) expect(trial.every(Boolean)).toBe(true)
  })

  it('is shell that shellcheck finds nothing in', () => {
    const prelude = readFileSync('templates/selftest.sh', 'utf8')
    const parts = faults.flatMap(({ make, undo, settle }) => [make, undo, ...(settle ? [settle] : [])])
    const variables = ['LEADER', 'LEADER_IP', 'WORKER', 'WORKER_IP', 'OTHER', 'OTHER_IP', 'NODE', 'NODE_IP', 'PEER_IP']
    const script = [
      '#!/bin/sh',
      ...variables.map((name) => `${name}=x; export ${name}`),
      prelude,
      ...parts.map((part, i) => `fault_${i}() {\n${part}\n}`),
    ].join('\n')
    const { status, stdout } = spawnSync('shellcheck', ['-s', 'sh', '-e', 'SC2329,SC2317,SC2016,SC2154,SC2034', '-'], {
      input: script,
      encoding: 'utf8',
    })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })
})
