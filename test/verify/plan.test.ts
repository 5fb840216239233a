import { describe, expect, it } from 'vitest'
import type { Scenario } from '../../src/model/report.ts'
import { planCases } from '../../src/verify/plan.ts'
import { encodeProbe } from '../../src/verify/probe.ts'
import { sceneOf } from './scene.ts'

const count = (cases: readonly { scenario: Scenario }[]) =>
  Object.fromEntries(
    [...new Set(cases.map((item) => item.scenario))].map((scenario) => [
      scenario,
      cases.filter((item) => item.scenario === scenario).length,
    ]),
  )
const line = (id: string, scene = sceneOf(3)) => {
  const item = planCases(scene).find((it) => it.id === id)
  if (!item) throw new Error(`no case ${id}`)
  return item.skip ?? item.verdict?.evidence ?? item.probes.map((probe) => encodeProbe({ ...probe, id: 0 })).join('; ')
}

describe('the plan of probes', () => {
  it.each([1, 2, 3, 7])('covers every node and ordered pair of %i nodes', (n) => {
    expect(count(planCases(sceneOf(n)))).toEqual({
      containers: 2 * n,
      'pod-to-pod': 3 * n * n,
      'pod-to-service': 2 * n,
      dns: n * 3 * 2,
      'outside-to-service': 2 * n,
      'node-to-pod': n * 2 * n,
      api: n * 2 * 2,
    })
  })

  it('gives every check an id and every probe a number of its own', () => {
    const cases = planCases(sceneOf(5))
    expect(new Set(cases.map((item) => item.id)).size).toBe(cases.length)
    const numbers = cases.flatMap((item) => item.probes.map((probe) => probe.id))
    expect(new Set(numbers).size).toBe(numbers.length)
  })

  it.each([
    ['containers/w1/localhost/tcp', '0 tcp 127.0.0.1 18420'],
    ['pod-to-pod/w1/cp1/tcp', '0 tcp 10.244.0.3 18420'],
    ['pod-to-pod/w1/w1/udp', '0 udp 10.244.1.3 18420'],
    ['pod-to-pod/cp1/w2/icmp', '0 icmp 10.244.2.3'],
    ['pod-to-service/w2/probe/udp', '0 svcudp 10.99.1.2 18420 3'],
    [
      'dns/w1/kube-dns/udp',
      '0 dnsudp 10.96.0.10 53 kubernetes.default.svc.cluster.local; 0 dnsudp 10.96.0.10 53 probe.k8snet-verify-0badcafe.svc.cluster.local',
    ],
    [
      'dns/w1/coredns-y/tcp',
      '0 dnstcp 10.244.0.11 53 kubernetes.default.svc.cluster.local; 0 dnstcp 10.244.0.11 53 probe.k8snet-verify-0badcafe.svc.cluster.local',
    ],
    ['outside-to-service/w1/cp1/tcp', '0 svctcp 192.168.56.11 30001 3'],
    ['outside-to-service/cp1/w2/udp', '0 svcudp 192.168.56.13 30002 3'],
    ['node-to-pod/w1/a-w2/tcp', '0 tcp 10.244.2.2 18420'],
    ['api/b-w1/kubernetes/tcp', '0 http 10.96.0.1 443'],
    ['api/a-w1/cp1/tcp', '0 http 192.168.56.11 6443'],
  ])('%s asks %s', (id, expected) => {
    expect(line(id)).toBe(expected)
  })

  it('leaves to the controller the TCP NodePorts that it can reach, and only those', () => {
    const ids = planCases(sceneOf(3, { fromController: new Set(['w1']) }))
      .filter((item) => item.scenario === 'outside-to-service')
      .map((item) => item.id)
    expect(ids).toEqual([
      'outside-to-service/w1/cp1/tcp',
      'outside-to-service/w1/cp1/udp',
      'outside-to-service/w2/w1/udp',
      'outside-to-service/cp1/w2/tcp',
      'outside-to-service/cp1/w2/udp',
    ])
  })

  it('tries a NodePort from a node whose servers run, and expects only endpoints that run', () => {
    const scene = sceneOf(3, { running: new Set(['cp1', 'w2']) })
    expect(line('outside-to-service/w2/cp1/tcp', scene)).toBe('0 svctcp 192.168.56.11 30001 2')
  })

  it('skips the NodePort of a single node that the controller does not reach', () => {
    expect(line('outside-to-service/outside/cp1/tcp', sceneOf(1))).toBe('there is no other node to try it from')
  })

  it('knows without a packet that nobody answers DNS, and names the pods', () => {
    const scene = sceneOf(3)
    const without = (ready: boolean) => ({
      ...scene,
      state: {
        ...scene.state,
        pods: scene.state.pods.flatMap((pod) =>
          pod.app !== 'kube-dns' ? [pod] : ready ? [] : [{ ...pod, ready: false }],
        ),
      },
    })
    const none = planCases(without(true)).filter((item) => item.scenario === 'dns')
    expect(none.map((item) => [item.id, item.verdict?.code, item.probes.length])).toEqual(
      ['cp1', 'w1', 'w2'].flatMap((node) =>
        ['tcp', 'udp'].map((protocol) => [`dns/${node}/kube-dns/${protocol}`, 'DNS_NO_ENDPOINTS', 0]),
      ),
    )
    expect(line('dns/w1/kube-dns/udp', without(true))).toContain('k8s-app=kube-dns: none')
    expect(line('dns/w1/kube-dns/udp', without(false))).toContain('coredns-x Running, not ready; coredns-y Running')
  })

  it('skips the way to a pod that has no IP', () => {
    const scene = sceneOf(2)
    const pods = scene.state.pods.map(({ ip, ...pod }) => (pod.name === 'b-w1' || !ip ? pod : { ...pod, ip }))
    expect(line('pod-to-pod/cp1/w1/icmp', { ...scene, state: { ...scene.state, pods } })).toBe('b-w1 has no IP')
  })
})
