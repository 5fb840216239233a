import { describe, expect, it } from 'vitest'
import type { CauseReport, VerifyReport } from '../../src/model/report.ts'
import { verdict } from '../../src/view/html/verdict.ts'
import { verifyText } from '../../src/view/verify.ts'
import { broken, full, healthy, large } from './reports.ts'

const text = (report: VerifyReport): string => verifyText(report, { color: false })

describe('the report of verify on a terminal', () => {
  it('of the quick level on three nodes has a matrix for every scenario', () => {
    expect(text(healthy())).toContain(`pod to pod, without NAT  27 of 27
       cp1  w1  w2
  cp1  ok   ok  ok
  w1   ok   ok  ok
  w2   ok   ok  ok

`)
    expect(
      text(healthy())
        .split('\n')
        .filter((line) => /^\S.* {2}\d+ of \d+$/.test(line)),
    ).toHaveLength(8)
    expect(text(healthy())).toMatch(/\nnetwork ok: 114 passed, 0 failed, 0 skipped in 3\.0 s\n$/)
  })

  it('of the full level tells what passed in one line each, and draws only what did not', () => {
    const lines = text(full()).split('\n')
    expect(lines.filter((line) => / {2}ok {2}\d+ of \d+$/.test(line))).toHaveLength(20)
    expect(lines).toContain('pod to pod, without NAT                ok  27 of 27')
    expect(text(full())).not.toContain('outside to Ingress  0 of 1')
    expect(lines.length).toBeLessThan(36)
  })

  it('says which pairs were sampled, known deviations, and what was not made or looked for', () => {
    const said = text(full())
    expect(said).toContain('note  traffic was tried between 800 of 9900 ordered pairs of nodes')
    expect(said).toContain('note  NetworkPolicies are not enforced: flannel has no enforcement of its own. (cp1 -> w1)')
    expect(said).toMatch(/note {2}flannel translates the source .* \(6 checks, as cp1 -> w1\)/)
    expect(said).toContain('unknown  1 check not made: no Ingress is installed\n  outside to Ingress\n')
    expect(said).toContain("not looked for  KUBE_SPREAD_WRONG, HOST_GW_NOT_ADJACENT: flannel's backend is vxlan")
    expect(text({ ...full(), sampled: { pairs: 90, of: 90 } })).not.toContain('traffic was tried')
  })

  it('names each cause with its words, evidence, what it explains, and the fix, in the order of the report', () => {
    const said = text(broken())
    expect(said).toContain(`PEER_ROUTE_MISSING w1 -> cp1: w1 has no route to 10.244.0.0/24, the podCIDR of cp1
  flannel gives each node a route to the podCIDR of every other. Without it the packets follow the default route and leave the cluster.
  w1: ip route get 10.244.0.9: 10.244.0.9 via 192.168.56.1 dev eth0 src 192.168.56.12
  w1: ip route show dev flannel.1: 10.244.2.0/24 via 10.244.2.0 onlink
  explains 20 failed checks: cp1 -> w1, w1 -> cp1, cp1 -> probe, w1 -> probe and 7 more
  fix: Restart flannel on w1 (kubectl -n kube-flannel delete pod --field-selector spec.nodeName=w1).
  verify --fix can do it
`)
    const order = ['VTEP_MAC_DRIFT w2:', 'PEER_ROUTE_MISSING w1', 'warning CERT_EXPIRING cp1:', 'APISERVER_UNREACHABLE']
    const places = order.map((words) => said.indexOf(`\n${words}`))
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(places).not.toContain(-1)
  })

  it('reports what a cause explains once, and keeps what none explains in sight', () => {
    const said = text(broken())
    expect(said).not.toContain('POD_UNREACHABLE')
    expect(said).toContain(`APISERVER_UNREACHABLE  1 check failed, and no known cause explains it
  b-w2 -> cp1 tcp  (api)
  evidence: http 10.244.2.9 -> 192.168.56.11:6443: refused (3 ms)
`)
    expect(said).toMatch(
      /network NOT ok: 65 passed, 49 failed, 0 skipped in 6\.1 s; 2 causes, 1 failure unexplained, 1 warning\n$/,
    )
  })

  it('lists all failures by their own codes where nobody looked for causes', () => {
    const { causes: _, unexplained: __, ...report } = broken()
    expect(text(report)).toContain('POD_UNREACHABLE  18 checks failed\n')
    expect(text(report)).not.toContain('no known cause')
  })

  it('says where the packets of failed pairs end', () => {
    expect(text(broken())).toContain(
      'a-w1 -> k8snet-verify-1f0c2a9b/b-cp1:8080/tcp ends on w1 at route: no route to 10.244.0.0/24: default via 192.168.56.1 dev eth0, out of the cluster (PEER_ROUTE_MISSING)',
    )
  })

  it('of a saved dump does not say that the network is ok, for no packet was sent', () => {
    expect(text({ ...healthy(), checks: [] })).toMatch(
      /^nothing wrong by what the nodes say: no known cause of trouble; no packet was sent$/m,
    )
    expect(text({ ...broken(), checks: [], unexplained: [] })).toMatch(
      /^NOT ok by what the nodes say: 2 causes, 1 warning; no packet was sent$/m,
    )
  })

  it('names the nodes that could not be read', () => {
    const { topology, ...rest } = healthy()
    const nodes = (topology?.nodes ?? []).map((node) => ({ ...node, read: node.name === 'cp1' }))
    const of = (list: typeof nodes) => text({ ...rest, topology: { nodes: list, links: [] } })
    expect(of(nodes)).toContain('unknown  2 nodes could not be read: w1, w2\n')
    expect(of(nodes.map((node) => (node.name === 'w2' ? { ...node, why: 'no SSH' } : node)))).toContain(
      'unknown  1 node could not be read: w1\nunknown  1 node could not be read: w2 (no SSH)\n',
    )
  })

  it('whose only failure are the probes of a node calls the network not tested, and not broken', () => {
    const report = healthy()
    const lost = { id: 'addresses/w2/probes', scenario: 'addresses', from: 'w2', to: 'probes', ms: 0 } as const
    const checks = [
      ...report.checks,
      { ...lost, outcome: 'failed', code: 'PROBE_FAILED', evidence: 'no python3' } as const,
    ]
    const unproven = { ...report, ok: false, checks, unexplained: [lost.id] }
    expect(text(unproven)).toContain('\nnetwork NOT all tested: 114 passed, 1 failed, 0 skipped')
    expect(verdict(unproven)).toBe('A part of the network could not be tested')
    const { causes } = broken()
    expect(text({ ...unproven, causes: causes! })).toContain('\nnetwork NOT ok: 114 passed, 1 failed')
  })

  it('has colours only where they are wanted', () => {
    expect(text(broken())).not.toContain('\u001b')
    expect(verifyText(broken(), { color: true })).toContain('\u001b[31mVTEP_MAC_DRIFT\u001b[39m')
    expect(verifyText(broken(), { color: true })).toContain('\u001b[33mwarning CERT_EXPIRING\u001b[39m')
  })
})

describe('the report of a large cluster on a terminal', () => {
  it('of 100 nodes fits on a screen or two, and no line is as long as the cluster is wide', () => {
    const lines = text(large(100, 'w7')).split('\n')
    expect(lines.length).toBeLessThan(45)
    const drawn = lines.filter((line) => line.startsWith('  w7 '))
    expect(drawn).toEqual([expect.stringMatching(/^ {2}w7( +(FAIL|ok)){12}$/)])
    expect(lines).toContain('  not shown: 88 rows, 88 columns')
  })

  it('draws the rows and columns with the most failures', () => {
    const rows = text(large(100, 'w80')).split('\n')
    expect(rows.filter((line) => line.startsWith('  w80 '))).toHaveLength(1)
  })

  it('tells one cause on 300 nodes once, with some of its places', () => {
    const [drift] = broken().causes as [CauseReport]
    const causes = Array.from({ length: 300 }, (_, i): CauseReport => ({ ...drift, where: `w${i}`, explains: [] }))
    const said = text({ ...healthy(), ok: false, causes })
    expect(said.match(/^VTEP_MAC_DRIFT w\d+:/gm)).toHaveLength(3)
    expect(said).toContain(
      'VTEP_MAC_DRIFT also at 297 other places: w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14 and 285 more',
    )
    expect(said.match(/fix: /g)).toHaveLength(1)
    const own = causes.map((cause) => ({ ...cause, fix: `restart flannel on ${cause.where}` }))
    expect(text({ ...healthy(), ok: false, causes: own })).toContain('fix: restart flannel on w1\n')
  })
})
