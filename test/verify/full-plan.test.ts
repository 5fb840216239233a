import { describe, expect, it } from 'vitest'
import { planCases } from '../../src/verify/plan.ts'
import { encodeProbe } from '../../src/verify/probe.ts'
import { fullSceneOf, fullStateOf, inventoryOf, namespace, pod, sceneOf } from './scene.ts'

const line = (id: string, scene = fullSceneOf(3)) => {
  const item = planCases(scene).find((it) => it.id === id)
  if (!item) throw new Error(`no case ${id}`)
  return item.skip ?? item.probes.map((probe) => encodeProbe({ ...probe, id: 0 })).join('; ')
}
const count = (n: number) => {
  const found: Record<string, number> = {}
  for (const { scenario } of planCases(fullSceneOf(n))) found[scenario] = (found[scenario] ?? 0) + 1
  return found
}

describe('the probes of the full level', () => {
  it.each([2, 3, 7])('cover every node and ordered pair of %i nodes, and all of the quick level', (n) => {
    expect(count(n)).toEqual({
      containers: 2 * n,
      'pod-to-pod': 3 * n * n,
      'pod-to-service': 2 * n,
      dns: 6 * n + n,
      'outside-to-service': 2 * n,
      'node-to-pod': 2 * n * n,
      api: 4 * n,
      spread: 2 * n,
      affinity: 2 * n,
      'node-to-service': 2 * n + 2 * n * n,
      hairpin: 2 * n,
      'traffic-policy': 2 * n * (n - 1),
      'host-port': 2 * n * n,
      'pod-to-node': 3 * n * n,
      'large-packets': 2 * n * n,
      'udp-endpoint-gone': n,
      'network-policy': 1,
    })
  })

  it('have names of their own', () => {
    const ids = planCases(fullSceneOf(4, { egress: '192.0.2.7' })).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each([
    ['spread/w1/probe/tcp', '0/8 spreadtcp 10.99.1.2 18420 300,16'],
    ['affinity/w1/affinity/udp', '0/8 spreadudp 10.99.2.2 18420 20,1'],
    ['node-to-service/w1/probe/udp', '0 svcudp 10.99.1.2 18420 3'],
    ['node-to-service/w1/w1/tcp', '0 trytcp 192.168.56.12 30021'],
    ['node-to-service/w1/cp1/udp', '0 tryudp 192.168.56.11 30022'],
    ['hairpin/b-w2/b-w2/tcp', '0 trytcp 10.99.2.1 18420'],
    ['traffic-policy/w1/cp1/tcp', '0 trytcp 192.168.56.11 30011'],
    ['traffic-policy/w1/w2/udp', '0/0.8 udp 192.168.56.13 30012'],
    ['host-port/w1/cp1/tcp', '0 trytcp 192.168.56.11 19966'],
    ['pod-to-node/w1/cp1/tcp', '0 http 192.168.56.11 10250; 0 tcp 192.168.56.11 21466'],
    ['pod-to-node/w1/cp1/icmp', '0 icmp 192.168.56.11'],
    [
      'large-packets/w1/cp1/udp',
      '0 frag 10.244.0.3 18420; 0 bigudp 10.244.0.3 18420 0; 0 bigudp 10.244.0.3 18420 8000',
    ],
    ['large-packets/w1/w1/udp', '0 bigudp 10.244.1.3 18420 0; 0 bigudp 10.244.1.3 18420 8000'],
    ['large-packets/w1/cp1/tcp', '0 bigtcp 10.244.0.3 18500'],
    ['udp-endpoint-gone/w2/gone/udp', '0/25 move 10.99.2.7 18420 24,u-cp1'],
    ['network-policy/cp1/p-w2/tcp', '0/1 tcp 10.244.2.22 18420'],
    [
      'dns/w1/coredns-x/tcp',
      [
        'kubernetes.default.svc.cluster.local',
        'probe.k8snet-verify-0badcafe.svc.cluster.local',
        'headless.k8snet-verify-0badcafe.svc.cluster.local',
        'first.headless.k8snet-verify-0badcafe.svc.cluster.local',
        'elsewhere.k8snet-verify-0badcafe.svc.cluster.local',
        '10-244-0-3.k8snet-verify-0badcafe.pod.cluster.local',
      ]
        .map((name) => `0 dnstcp 10.244.0.10 53 ${name}`)
        .join('; '),
    ],
    [
      'dns/w1/resolver/udp',
      [
        'kubernetes.default.k8snet-verify-0badcafe.svc.cluster.local,kubernetes.default.svc.cluster.local,kubernetes.default.cluster.local,kubernetes.default',
        'probe.k8snet-verify-0badcafe.svc.cluster.local,probe.svc.cluster.local,probe.cluster.local,probe',
      ]
        .map((names) => `0/7 search 10.96.0.10 53 ${names}`)
        .join('; '),
    ],
  ])('%s', (id, expected) => {
    expect(line(id)).toBe(expected)
  })

  it.each([
    ['192.0.2.7', '0 connect 192.0.2.7 443 10.96.0.10'],
    ['192.0.2.7:80', '0 connect 192.0.2.7 80 10.96.0.10'],
    ['example.org:8443', '0 connect example.org 8443 10.96.0.10'],
  ])('egress to %s', (egress, expected) => {
    expect(line(`egress/w1/${egress}/tcp`, fullSceneOf(2, { egress }))).toBe(expected)
  })

  it('a name with as many dots as ndots wants is asked for as it is, at first', () => {
    const resolv = new Map([['w1', ['nameserver 10.96.0.10', 'search a.test', 'search b.test', 'options ndots:1']]])
    expect(line('dns/w1/resolver/udp', fullSceneOf(2, { resolv }))).toBe(
      '0/7 search 10.96.0.10 53 kubernetes.default,kubernetes.default.b.test; 0/7 search 10.96.0.10 53 probe.b.test,probe',
    )
  })

  it('ask no Service for shares while nobody answers at one of its endpoints', () => {
    const scene = fullSceneOf(3)
    const mute = { ...scene, running: new Set(['cp1', 'w1']) }
    const why = 'no server answers at the endpoint on w2'
    expect([line('spread/w1/probe/tcp', mute), line('affinity/cp1/affinity/udp', mute)]).toEqual([why, why])
    const pods = scene.state.pods.filter(({ node }) => node !== 'w2')
    const gone = { ...mute, state: { ...scene.state, pods } }
    expect(line('spread/w1/probe/tcp', gone)).toContain('spreadtcp')
  })

  it.each<[string, string, Parameters<typeof fullSceneOf>, string]>([
    ['one node', 'affinity/cp1/affinity/tcp', [1], 'it takes two endpoints to tell'],
    ['one node', 'traffic-policy/outside/cp1/tcp', [1], 'there is no other node to try it from'],
    [
      'no server for the endpoint that goes',
      'udp-endpoint-gone/w1/gone/udp',
      [2, { extras: new Set(['v-w1']) }],
      'the Service or its two servers are not there',
    ],
    [
      'no server behind the policy',
      'network-policy/cp1/p-w1/tcp',
      [2, { extras: new Set() }],
      'p-w1 does not answer anybody',
    ],
    [
      'the port of a node taken',
      'pod-to-node/cp1/w1/udp',
      [2, { hosts: new Set() }],
      'w1: the port of the probe server is taken',
    ],
    [
      'only an IPv6 name server',
      'dns/w1/resolver/udp',
      [2, { resolv: new Map([['w1', ['nameserver fd00::a']]]) }],
      'resolv.conf of the probe pod names no IPv4 server',
    ],
  ])('with %s: %s is skipped', (_, id, scene, why) => {
    expect(line(id, fullSceneOf(...scene))).toBe(why)
  })

  it('the port of a node taken does not keep its kubelet from being tried', () => {
    expect(line('pod-to-node/cp1/w1/tcp', fullSceneOf(2, { hosts: new Set() }))).toBe('0 http 192.168.56.12 10250')
  })

  it('more headless addresses than a datagram holds are asked for over TCP only', () => {
    const name = / headless\.k8snet/
    expect(line('dns/w1/kube-dns/udp', fullSceneOf(30))).not.toMatch(name)
    expect(line('dns/w1/kube-dns/tcp', fullSceneOf(30))).toMatch(name)
  })

  it('of pods with two families the IPv4 address is taken, of pods without one it is said', () => {
    const both = fullStateOf(inventoryOf(2))
    const twisted = (ips: { ip: string; otherIps?: string[] }) => ({
      ...both,
      pods: both.pods.map((it) => (it.name === 'b-w1' ? pod({ ...it, ...ips }) : it)),
    })
    const dual = { ip: 'fd00::3', otherIps: ['10.244.1.3'] }
    expect(line('pod-to-pod/cp1/w1/tcp', fullSceneOf(2, {}, { state: twisted(dual) }))).toBe('0 tcp 10.244.1.3 18420')
    expect(line('large-packets/cp1/w1/tcp', fullSceneOf(2, {}, { state: twisted({ ip: 'fd00::3' }) }))).toBe(
      'b-w1 has no IPv4 address',
    )
  })

  it.each([
    ['default', 'kubernetes', 'api/a-w1/kubernetes/tcp', 'kubernetes has no IPv4 address'],
    ['kube-system', 'kube-dns', 'dns/w1/kube-dns/udp', 'kube-dns has no IPv4 address'],
    [namespace, 'probe', 'pod-to-service/w1/probe/tcp', 'the probe Service has no IPv4 address'],
    [namespace, 'probe', 'spread/w1/probe/tcp', 'the probe Service has no IPv4 address or no server'],
  ])('of a Service %s/%s that has IPv6 only nothing is asked', (space, name, id, why) => {
    const both = fullStateOf(inventoryOf(2))
    const services = both.services.map((it) =>
      it.namespace === space && it.name === name ? { ...it, clusterIP: 'fd00:96::7' } : it,
    )
    const scene = fullSceneOf(2, {}, { state: { ...both, services } })
    expect(line(id, scene)).toBe(why)
    const asked = planCases(scene).flatMap(({ probes }) => probes.map((probe) => encodeProbe({ ...probe, id: 0 })))
    expect(asked.filter((probe) => probe.includes('fd00'))).toEqual([])
  })

  it('is not there in the quick level', () => {
    expect(planCases(sceneOf(3)).some(({ scenario }) => scenario === 'spread' || scenario === 'large-packets')).toBe(
      false,
    )
    expect(planCases(sceneOf(3)).some(({ id }) => id.includes('resolver'))).toBe(false)
  })
})
