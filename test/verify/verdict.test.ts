import { describe, expect, it } from 'vitest'
import { atMost, uneven } from '../../src/verify/chance.ts'
import { judge, withoutFollowers } from '../../src/verify/judge.ts'
import { planCases } from '../../src/verify/plan.ts'
import { parseResult } from '../../src/verify/probe.ts'
import { fullSceneOf, pod } from './scene.ts'

const scene = fullSceneOf(3)
const cases = planCases(scene)

/** The verdict on a check of one probe that brought `text`, or of several that did one after another. */
function verdict(id: string, texts: string | string[], from = cases) {
  const item = from.find((it) => it.id === id)
  if (!item) throw new Error(`no case ${id}`)
  const results = item.probes.flatMap((probe, i) => {
    const result = parseResult(`r ${probe.id} ${[texts].flat()[i] ?? [texts].flat().at(-1)}`)
    return result ? [[probe.id, result] as const] : []
  })
  const { outcome, code, evidence, note } = judge(item, new Map(results))
  return [outcome, code, evidence, note].filter(Boolean).join(' | ')
}

describe('the verdict of the full level', () => {
  it.each<[string, string | string[], string]>([
    [
      'spread/w1/probe/tcp',
      'ok 9 b-cp1=96,b-w1=104,b-w2=100 10.244.1.2 0 -',
      'passed | spreadtcp 10.244.1.2 -> 10.99.1.2:18420 300,16: of 300 connections b-cp1 96, b-w1 104, b-w2 100',
    ],
    [
      'spread/w1/probe/tcp',
      'ok 9 b-cp1=150,b-w1=75,b-w2=75 10.244.1.2 0 -',
      'failed | SERVICE_SPREAD_UNEVEN | spreadtcp 10.244.1.2 -> 10.99.1.2:18420 300,16: of 300 connections b-cp1 150, b-w1 75, b-w2 75; by chance b-cp1 would get as few or many in less than one of a million runs',
    ],
    ['spread/w1/probe/udp', 'ok 9 b-cp1=200,b-w1=100 10.244.1.2 0 -', 'failed | SERVICE_SPREAD_UNEVEN | '],
    [
      'spread/w1/probe/tcp',
      'ok 9 b-cp1=96,b-w1=104,b-w2=100 10.244.1.0,10.244.1.2 0 -',
      'failed | POD_SNAT_VIOLATION | spreadtcp 10.244.1.2 -> 10.99.1.2:18420 300,16: servers of probe saw 10.244.1.0,10.244.1.2, expected 10.244.1.2',
    ],
    [
      'spread/w1/probe/tcp',
      'ok 9 b-cp1=96,b-w1=102,b-w2=100 10.244.1.2 2 refused',
      'failed | SERVICE_UNREACHABLE | spreadtcp 10.244.1.2 -> 10.99.1.2:18420 300,16: 2 of 300 connections failed: refused',
    ],
    ['affinity/w1/affinity/tcp', 'ok 9 b-w2=20 10.244.1.2 0 -', 'passed'],
    [
      'affinity/w1/affinity/tcp',
      'ok 9 b-cp1=1,b-w2=19 10.244.1.2 0 -',
      'failed | AFFINITY_BROKEN | spreadtcp 10.244.1.2 -> 10.99.2.2:18420 20,1: one client was led to b-cp1=1,b-w2=19',
    ],
    [
      'hairpin/b-w1/b-w1/tcp',
      'ok 1 b-w1 10.244.1.1',
      'passed | trytcp 10.244.1.3 -> 10.99.2.1:18420: server on b-w1 saw 10.244.1.1 in place of 10.244.1.3 | kube-proxy translates the source, or the answer would not come back by the Service',
    ],
    ['hairpin/b-w1/b-w1/udp', 'fail 2000 timeout', 'failed | HAIRPIN_FAILED | '],
    ['node-to-service/w1/probe/tcp', 'fail 2 unreachable - 0', 'failed | NODE_TO_SERVICE_FAILED | '],
    ['node-to-service/w1/w2/tcp', 'ok 2 b-cp1 192.168.56.13', 'passed | '],
    ['node-to-service/w1/w2/tcp', 'ok 2 b-cp1 192.168.56.12', 'passed'],
    ['traffic-policy/w1/cp1/tcp', 'ok 2 b-cp1 192.168.56.12', 'passed'],
    [
      'traffic-policy/w1/cp1/tcp',
      'ok 2 b-cp1 10.244.0.1',
      'failed | TRAFFIC_POLICY_BROKEN | trytcp 192.168.56.12 -> 192.168.56.11:30011: server on cp1 saw 10.244.0.1, expected 192.168.56.12',
    ],
    ['traffic-policy/w1/cp1/udp', 'fail 2000 timeout', 'failed | TRAFFIC_POLICY_BROKEN | '],
    [
      'traffic-policy/w1/w2/tcp',
      'fail 800 timeout',
      'passed | with externalTrafficPolicy Local a node that has no endpoint does not answer, by design',
    ],
    [
      'traffic-policy/w1/w2/tcp',
      'fail 0 refused',
      'passed | with externalTrafficPolicy Local a node that has no endpoint does not answer, by design',
    ],
    ['traffic-policy/w1/w2/tcp', 'ok 1 b-cp1 192.168.56.12', 'failed | TRAFFIC_POLICY_BROKEN | '],
    ['host-port/w1/cp1/udp', 'fail 2000 refused', 'failed | HOSTPORT_UNREACHABLE | '],
    ['pod-to-node/w1/cp1/tcp', ['ok 1 HTTP/1.0 400 Bad Request', 'ok 1 h-cp1 10.244.1.2'], 'passed'],
    [
      'pod-to-node/w1/cp1/tcp',
      ['ok 1 HTTP/1.0 400 Bad Request', 'ok 1 h-cp1 192.168.56.12'],
      'passed | tcp 10.244.1.2 -> 192.168.56.11:21466: server on cp1 saw 192.168.56.12 in place of 10.244.1.2 | the pod network translates the source of packets from pods to other nodes, as flannel does',
    ],
    [
      'pod-to-node/w1/cp1/tcp',
      ['ok 1 HTTP/1.0 400 Bad Request', 'fail 2000 timeout'],
      'passed | tcp 10.244.1.2 -> 192.168.56.11:21466: timeout (2000 ms): a firewall of cp1 may refuse ports that it does not know',
    ],
    ['pod-to-node/w1/cp1/tcp', ['fail 2000 timeout', 'ok 1 h-cp1 192.168.56.12'], 'failed | POD_TO_NODE_FAILED | '],
    ['pod-to-node/w1/cp1/udp', 'fail 2000 timeout', 'skipped | '],
    ['pod-to-node/w1/w1/udp', 'fail 2000 timeout', 'failed | POD_TO_NODE_FAILED | '],
    ['large-packets/w1/cp1/udp', ['ok 1 1450 8 0 0', 'ok 1 b-cp1 10.244.1.2'], 'passed'],
    [
      'large-packets/w1/cp1/udp',
      ['ok 1 1450 8 16 8', 'ok 1 b-cp1 10.244.1.2'],
      'failed | OUTER_FRAGMENTED | frag 10.244.1.2 -> 10.244.0.3:18420: 8 packets of 1450 bytes: Ip.FragCreates on w1 +16, Ip.ReasmOKs on cp1 +8',
    ],
    ['large-packets/w1/cp1/udp', ['ok 1 1450 8 0 8', 'ok 1 b-cp1 10.244.1.2'], 'failed | OUTER_FRAGMENTED | '],
    ['large-packets/w1/cp1/udp', ['ok 1 1450 8 6 3', 'ok 1 b-cp1 10.244.1.2'], 'passed'],
    ['large-packets/w1/cp1/udp', ['fail 1 unreadable', 'ok 1 b-cp1 10.244.1.2'], 'passed | frag '],
    ['large-packets/w1/cp1/udp', ['ok 1 1450 8 0 0', 'fail 2000 timeout'], 'failed | LARGE_PACKETS_LOST | bigudp '],
    ['large-packets/w1/cp1/tcp', 'fail 2000 timeout', 'failed | LARGE_PACKETS_LOST | bigtcp '],
    ['udp-endpoint-gone/w1/gone/udp', 'ok 900 11', 'passed'],
    [
      'udp-endpoint-gone/w1/gone/udp',
      'fail 15000 kept 3 11',
      'failed | UDP_ENDPOINT_KEPT | move 10.244.1.2 -> 10.99.2.7:18420 24,u-cp1: 3 of 11 sockets that u-cp1 answered got no other answer in 15000 ms',
    ],
    ['udp-endpoint-gone/w1/gone/udp', 'fail 15000 never', 'skipped | no socket was led to u-cp1'],
    ['udp-endpoint-gone/w1/gone/udp', 'fail 15000 timeout', 'failed | SERVICE_UNREACHABLE | '],
    [
      'network-policy/cp1/p-w2/tcp',
      'ok 1 p-w2 10.244.0.2',
      'passed | NETPOL_NOT_ENFORCED: NetworkPolicies have no effect here, for nothing enforces them: deny-all does not keep p-w2 from answering cp1',
    ],
    [
      'network-policy/cp1/p-w2/tcp',
      'fail 1000 timeout',
      'passed | NetworkPolicies are enforced: deny-all keeps p-w2 silent',
    ],
    ['dns/w1/resolver/udp', ['ok 5003 NOERROR 10.96.0.1', 'ok 2 NOERROR 10.99.1.2'], 'failed | DNS_SLOW | search '],
    ['dns/w1/resolver/udp', ['ok 3 NXDOMAIN -', 'ok 2 NOERROR 10.99.1.2'], 'failed | DNS_FAILED | search '],
  ])('%s with `%s`', (id, text, expected) => {
    const said = verdict(id, text)
    if (expected.endsWith(' ')) expect(said.slice(0, expected.length)).toBe(expected)
    else expect(said).toBe(expected)
  })

  it('names of pods by their IP may be switched off, other names may not', () => {
    const item = cases.find(({ id }) => id === 'dns/w1/coredns-x/udp')!
    const good = item.probes.map(({ expect }) => `ok 2 NOERROR ${'ip' in expect ? expect.ip : ''}`)
    expect(verdict(item.id, good)).toBe('passed')
    expect(verdict(item.id, [...good.slice(0, -1), 'ok 2 NXDOMAIN -'])).toContain('the Corefile has no `pods`')
    expect(verdict(item.id, [...good.slice(0, 4), 'ok 2 NXDOMAIN -', ...good.slice(5)])).toContain(
      'failed | DNS_FAILED',
    )
  })

  it.each(['calico-node-x7', 'cilium-abc', 'kube-router-1', 'kube-network-policies-z'])(
    'a policy without effect is a fault where %s runs',
    (name) => {
      const enforcer = pod({ namespace: 'kube-system', name, node: 'cp1' })
      const state = { ...scene.state, pods: [...scene.state.pods, enforcer] }
      const said = verdict('network-policy/cp1/p-w2/tcp', 'ok 1 p-w2 10.244.0.2', planCases({ ...scene, state }))
      expect(said).toBe(
        `failed | NETPOL_NOT_ENFORCED | deny-all does not keep p-w2 from answering cp1, though ${name} runs`,
      )
    },
  )

  it('a check that says nothing without another one is unknown when that one failed, and only then', () => {
    const two = ['pod-to-pod/w1/cp1/udp', 'large-packets/w1/cp1/udp'].map((id) => cases.find((it) => it.id === id)!)
    const checks = (first: string) =>
      two.map((item, i) =>
        judge(
          item,
          new Map(item.probes.map(({ id }) => [id, parseResult(`r ${id} ${i === 0 ? first : 'fail 2000 timeout'}`)!])),
        ),
      )
    const outcomes = (first: string) => withoutFollowers(two, checks(first)).map(({ outcome, code }) => code ?? outcome)
    expect(outcomes('fail 2000 timeout')).toEqual(['POD_UNREACHABLE', 'skipped'])
    expect(withoutFollowers(two, checks('fail 2000 timeout'))[1]?.evidence).toBe(
      'pod-to-pod failed on this way, and without it this says nothing',
    )
    expect(outcomes('ok 1 b-cp1 10.244.1.2')).toEqual(['passed', 'LARGE_PACKETS_LOST'])
  })
})

describe('a NetworkPolicy', () => {
  it.each([
    ['ok 1 b-w2 10.244.0.2', 'passed', expect.stringContaining('NetworkPolicies are enforced')],
    ['fail 2000 timeout', 'skipped', undefined],
  ])('is not called enforced because its pod is silent where pod-to-pod says: %s', (said, outcome, note) => {
    const two = ['pod-to-pod/cp1/w2/tcp', 'network-policy/cp1/p-w2/tcp'].map((id) => cases.find((it) => it.id === id)!)
    const checks = two.map((item, i) =>
      judge(
        item,
        new Map(item.probes.map(({ id }) => [id, parseResult(`r ${id} ${i === 0 ? said : 'fail 1000 timeout'}`)!])),
      ),
    )
    const [, policy] = withoutFollowers(two, checks)
    expect(policy).toMatchObject({ outcome, ...(note && { note }) })
    expect('note' in policy!).toBe(note !== undefined)
  })
})

describe('equal shares', () => {
  it.each([
    [0, 10, 0.5, 1 / 1024],
    [5, 10, 0.5, 638 / 1024],
    [10, 10, 0.5, 1],
    [0, 3, 1 / 3, 8 / 27],
    [1, 3, 1 / 3, 20 / 27],
  ])('P(X <= %i) of %i draws with p = %f', (x, n, p, expected) => {
    expect(atMost(x, n, p)).toBeCloseTo(expected, 12)
  })

  it.each<[number[], number | null]>([
    [[100, 100, 100], null],
    [[120, 90, 90], null],
    [[150, 75, 75], 0],
    [[300, 0, 0], 0],
    [[0, 150, 150], 0],
    [[240, 60], 0],
    [[5, 0], null],
    [[300], null],
    [[0, 0], null],
  ])('%j: the odd one is %j', (counts, odd) => {
    expect(uneven(counts, 1e-6 / 6)).toBe(odd)
  })

  it.each([2, 3, 5, 10])('of %i endpoints are called uneven by chance less often than promised', (k) => {
    const n = Math.min(100 * k, 600)
    // The exact probability that one endpoint gets a count that is called odd, for all endpoints.
    const bounds = (count: number) => uneven([count, ...Array(k - 1).fill((n - count) / (k - 1))], 1e-6) === 0
    let chance = 0
    for (let count = 0; count <= n; count += 1)
      if (bounds(count)) chance += atMost(count, n, 1 / k) - (count > 0 ? atMost(count - 1, n, 1 / k) : 0)
    expect(k * chance).toBeLessThan(1e-6)
    expect(k * chance).toBeGreaterThan(1e-9)
  })
})
