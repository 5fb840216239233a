import { describe, expect, it } from 'vitest'
import { judge } from '../../src/verify/judge.ts'
import { planCases } from '../../src/verify/plan.ts'
import { parseResult } from '../../src/verify/probe.ts'
import { sceneOf } from './scene.ts'

const cases = planCases(sceneOf(3))

/** The verdict on a check when its first probe brought `text` and its others what they should. */
function verdict(id: string, text: string | null, others = 'ok 5 NOERROR 10.99.1.2') {
  const item = cases.find((it) => it.id === id)
  if (!item) throw new Error(`no case ${id}`)
  const results = item.probes.flatMap((probe, i) => {
    const result = parseResult(`r ${probe.id} ${i === 0 ? (text ?? '') : others}`)
    return result ? [[probe.id, result] as const] : []
  })
  const { outcome, code, evidence } = judge(item, new Map(results))
  return [outcome, code, evidence].filter(Boolean).join(' | ')
}

describe('the verdict on a result line', () => {
  it.each([
    ['containers/w1/localhost/tcp', 'ok 1 a-w1 127.0.0.1', 'passed'],
    [
      'containers/w1/localhost/udp',
      'fail 0 refused',
      'failed | CONTAINERS_APART | udp 127.0.0.1 -> 127.0.0.1:18420: refused (0 ms)',
    ],
    ['pod-to-pod/w1/cp1/tcp', 'ok 3 b-cp1 10.244.1.2', 'passed'],
    ['pod-to-pod/w1/cp1/icmp', 'ok 3 10.244.0.3', 'passed'],
    [
      'pod-to-pod/w1/cp1/tcp',
      'ok 3 b-cp1 10.244.1.0',
      'failed | POD_SNAT_VIOLATION | tcp 10.244.1.2 -> 10.244.0.3:18420: server on cp1 saw 10.244.1.0, expected 10.244.1.2',
    ],
    [
      'pod-to-pod/w1/cp1/udp',
      'ok 3 b-w2 10.244.1.2',
      'failed | POD_IP_DUPLICATE | udp 10.244.1.2 -> 10.244.0.3:18420: b-w2 10.244.1.2 (3 ms): b-w2 answers at the IP of b-cp1',
    ],
    [
      'pod-to-pod/w1/cp1/icmp',
      'fail 2001 timeout',
      'failed | POD_UNREACHABLE | icmp 10.244.1.2 -> 10.244.0.3: timeout (2001 ms)',
    ],
    ['pod-to-service/w1/probe/tcp', 'ok 9 b-cp1,b-w1,b-w2', 'passed'],
    [
      'pod-to-service/w1/probe/tcp',
      'fail 2000 missed b-cp1,b-w1 80',
      'failed | SERVICE_ENDPOINT_MISSED | svctcp 10.244.1.2 -> 10.99.1.2:18420: 80 connections reached b-cp1,b-w1, none reached b-w2',
    ],
    [
      'pod-to-service/w1/probe/udp',
      'fail 2000 timeout - 0',
      'failed | SERVICE_UNREACHABLE | svcudp 10.244.1.2 -> 10.99.1.2:18420: timeout (2000 ms)',
    ],
    [
      'outside-to-service/w1/cp1/tcp',
      'fail 2000 refused - 0',
      'failed | NODEPORT_UNREACHABLE | svctcp 192.168.56.12 -> 192.168.56.11:30001: refused (2000 ms)',
    ],
    ['dns/w1/kube-dns/udp', 'ok 2 NOERROR 10.96.0.1', 'passed'],
    [
      'dns/w1/kube-dns/udp',
      'ok 2 NXDOMAIN -',
      'failed | DNS_FAILED | dnsudp 10.244.1.2 -> 10.96.0.10:53 kubernetes.default.svc.cluster.local: NXDOMAIN - (2 ms), expected 10.96.0.1',
    ],
    [
      'dns/w1/kube-dns/tcp',
      'ok 2 NOERROR 10.96.0.7',
      'failed | DNS_FAILED | dnstcp 10.244.1.2 -> 10.96.0.10:53 kubernetes.default.svc.cluster.local: NOERROR 10.96.0.7 (2 ms), expected 10.96.0.1',
    ],
    [
      'node-to-pod/w1/a-w2/tcp',
      'fail 1 unreachable',
      'failed | NODE_TO_POD_FAILED | tcp 192.168.56.12 -> 10.244.2.2:18420: unreachable (1 ms)',
    ],
    ['api/a-w1/kubernetes/tcp', 'ok 8 HTTP/1.0 400 Bad Request', 'passed'],
    [
      'api/a-w1/cp1/tcp',
      'fail 2000 timeout',
      'failed | APISERVER_UNREACHABLE | http 10.244.1.2 -> 192.168.56.11:6443: timeout (2000 ms)',
    ],
    [
      'api/a-w1/cp1/tcp',
      null,
      'failed | PROBE_FAILED | http 10.244.1.2 -> 192.168.56.11:6443: the probe program on w1 gave no result',
    ],
  ])('%s with `%s`', (id, text, expected) => {
    expect(verdict(id, text)).toBe(expected)
  })

  it('is failed when only the second name of a DNS server is wrong', () => {
    expect(verdict('dns/w1/coredns-x/udp', 'ok 2 NOERROR 10.96.0.1', 'ok 2 SERVFAIL -')).toContain(
      'failed | DNS_FAILED | dnsudp 10.244.1.2 -> 10.244.0.10:53 probe.k8snet-verify-0badcafe.svc.cluster.local: SERVFAIL',
    )
  })

  it('says the fix and the slowest of its probes', () => {
    const item = cases.find((it) => it.id === 'dns/w1/coredns-x/udp')!
    const results = item.probes.map((probe, i) => parseResult(`r ${probe.id} fail ${100 * (i + 1)} timeout`)!)
    const check = judge(item, new Map(results.map((result) => [result.id, result])))
    expect(check.ms).toBe(200)
    expect(check.fix).toContain('kubectl -n kube-system logs')
  })

  it.each(['', 'alive', 'ready b-w1', 'end 12', 'r x ok 1 y', 'r 1 maybe 1 y', 'error a: b'])(
    'passes over a line that is no result: %j',
    (line) => {
      expect(parseResult(line)).toBeNull()
    },
  )
})
