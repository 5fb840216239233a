import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { VerifyReport } from '../../src/model/report.ts'
import { k8snet } from '../helpers/cli.ts'
import { inventory, json, notRestored, planned, states } from '../helpers/lab.ts'

/** A cluster of its control plane alone: nothing leads across nodes, and nothing may stumble over that. */
const only = ['cp1']
let before: ReadonlyMap<string, string>

beforeAll(async () => {
  await k8snet(['lab', 'down'])
  const lab = await k8snet(['lab', 'up', '--hosts', '1'])
  expect(lab.code, lab.err).toBe(0)
  before = await states(only)
})

afterAll(async () => {
  await k8snet(['lab', 'down'])
})

describe('one node alone', () => {
  it('becomes a cluster that is as it should be', async () => {
    const up = await k8snet(['up', inventory, '--yes', '--no-verify'])
    expect(up.code, up.err).toBe(0)
    expect(await planned()).toEqual([])
  })

  it('is proven on all levels: what takes another node is unknown, with the reason, and nothing fails', async () => {
    const { code, json: report, err } = await json('verify', inventory, '--level', 'full')
    expect(code, err).toBe(0)
    const { checks, causes } = report as VerifyReport
    expect(causes).toEqual([])
    expect(checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    const unknown = checks.flatMap(({ id, outcome, evidence }) => (outcome === 'skipped' ? [`${id}: ${evidence}`] : []))
    expect(unknown).toEqual([
      'outside-to-service/outside/cp1/udp: there is no other node to try it from',
      'affinity/cp1/affinity/tcp: it takes two endpoints to tell',
      'affinity/cp1/affinity/udp: it takes two endpoints to tell',
      'traffic-policy/outside/cp1/tcp: there is no other node to try it from',
    ])
    const text = await k8snet(['verify', inventory])
    expect(text.code).toBe(0)
    expect(text.err).toContain('probe pods on 1 node\n')
    expect(text.out).toContain('pod to pod, without NAT  3 of 3\n       cp1\n  cp1  ok\n')
    expect(text.out).toMatch(/network ok: \d+ passed, 0 failed, 1 skipped/)
  })

  it('shows the way of a packet to a Service on itself', async () => {
    const { code, json: trace } = await json('trace', inventory, 'cp1', 'svc/kube-system/kube-dns:53/udp')
    expect(code).toBe(0)
    expect(trace.branches.map(({ ok }: { ok: boolean }) => ok)).toEqual([true, true])
  })

  it('is given back', async () => {
    const down = await k8snet(['down', inventory, '--yes'])
    expect(down.code, down.err).toBe(0)
    expect(notRestored(before, await states(only))).toEqual([])
  })
})
