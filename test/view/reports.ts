import type { CauseReport, Check, Scenario, Topology, VerifyReport } from '../../src/model/report.ts'
import type { Hop, Trace } from '../../src/model/trace.ts'

/** Reports as a cluster of three nodes gives them, and larger ones made in the same way; for the tests of all views. */

export const meta = { cluster: 'lab', made: '2026-11-21T06:40:00Z', version: '0.1.0' }

type Ends = Pick<Check, 'scenario' | 'from' | 'to' | 'protocol'>

const three = ['cp1', 'w1', 'w2']
const coredns = ['coredns-7d764666f9-8xkqp', 'coredns-7d764666f9-rz2lm']
const octet = (nodes: readonly string[], name: string): number => nodes.indexOf(name)

function check(ends: Ends, rest: Partial<Check> = {}): Check {
  const id = [ends.scenario, ends.from, ends.to, ends.protocol].filter(Boolean).join('/')
  return { id, ...ends, outcome: 'passed', ms: 1 + (id.length % 7), ...rest }
}

/** The checks of the quick level, all passed: 114 for three nodes. */
export function quickChecks(nodes: readonly string[]): Check[] {
  const each = <T>(make: (node: string) => T[]): T[] => nodes.flatMap(make)
  const over = (protocols: readonly ('tcp' | 'udp' | 'icmp')[], scenario: Scenario, from: string, to: string) =>
    protocols.map((protocol) => check({ scenario, from, to, protocol }))
  const both = ['tcp', 'udp'] as const
  return [
    ...each((node) => [
      check({ scenario: 'containers', from: node, to: 'network-namespace' }),
      ...over(both, 'containers', node, 'localhost'),
    ]),
    ...each((node) => nodes.flatMap((to) => over([...both, 'icmp'], 'pod-to-pod', node, to))),
    ...each((node) => over(both, 'pod-to-service', node, 'probe')),
    ...each((node) => ['kube-dns', ...coredns].flatMap((to) => over(both, 'dns', node, to))),
    ...each((node) => over(['tcp'], 'outside-to-service', 'controller', node)),
    ...nodes.map((node, i) =>
      check({
        scenario: 'outside-to-service',
        from: nodes[(i + 1) % nodes.length] ?? node,
        to: node,
        protocol: 'udp',
      }),
    ),
    ...each((node) =>
      nodes.flatMap((to) => [`a-${to}`, `b-${to}`].flatMap((p) => over(['tcp'], 'node-to-pod', node, p))),
    ),
    ...each((node) =>
      [`a-${node}`, `b-${node}`].flatMap((pod) => ['kubernetes', 'cp1'].flatMap((to) => over(['tcp'], 'api', pod, to))),
    ),
    ...each((node) =>
      ['ready', 'podcidr-in-subnet', 'podcidr-disjoint', 'pod-ip-in-podcidr', 'pod-ip-unique', 'ip-forward'].map((to) =>
        check({ scenario: 'addresses', from: node, to }),
      ),
    ),
  ]
}

/** What the full level adds, for the same nodes. */
export function fullChecks(nodes: readonly string[]): Check[] {
  const single: Scenario[] = ['hairpin', 'spread', 'affinity', 'udp-endpoint-gone', 'kubelet', 'egress']
  const paired: Scenario[] = ['pod-to-node', 'large-packets', 'node-to-service', 'host-port', 'traffic-policy']
  return [
    ...quickChecks(nodes),
    ...single.flatMap((scenario) => nodes.map((from) => check({ scenario, from, to: 'probe', protocol: 'tcp' }))),
    ...paired.flatMap((scenario) =>
      nodes.flatMap((from) => nodes.map((to) => check({ scenario, from, to, protocol: 'tcp' }))),
    ),
    check(
      { scenario: 'network-policy', from: 'cp1', to: 'w1' },
      { note: 'NetworkPolicies are not enforced: flannel has no enforcement of its own.' },
    ),
    check(
      { scenario: 'ingress', from: 'controller', to: 'w1' },
      { outcome: 'skipped', evidence: 'no Ingress is installed' },
    ),
  ].map((it) =>
    it.scenario === 'pod-to-node' && it.from !== it.to
      ? {
          ...it,
          note: 'flannel translates the source of pods that speak to another node: the node sees the address of the sending node.',
        }
      : it,
  )
}

export function topologyOf(nodes: readonly string[], checks: readonly Check[]): Topology {
  const pairs = nodes.flatMap((from, i) => nodes.slice(i + 1).map((to) => ({ from, to })))
  const between = checks.filter(({ scenario }) => scenario === 'pod-to-pod')
  const counts = new Map<string, { failed: number; checks: number }>()
  for (const { from, to, outcome } of between) {
    const key = [from, to].sort().join(' ')
    const count = counts.get(key) ?? { failed: 0, checks: 0 }
    counts.set(key, { failed: count.failed + (outcome === 'failed' ? 1 : 0), checks: count.checks + 1 })
  }
  return {
    nodes: nodes.map((name) => {
      const i = octet(nodes, name)
      return {
        name,
        ip: `192.168.56.${11 + i}`,
        podCIDR: `10.244.${i}.0/24`,
        controlPlane: name === 'cp1',
        read: true,
        bridge: { name: 'cni0', ip: `10.244.${i}.1/24`, mtu: 1450, up: true },
        tunnel: {
          name: 'flannel.1',
          kind: 'vxlan',
          mac: `8a:3c:5f:00:1e:${(16 + i).toString(16)}`,
          mtu: 1450,
          up: true,
          vni: 1,
        },
        uplink: { name: 'eth0', mtu: 1500 },
        pods: [
          ...(i === 0 ? coredns.map((pod, n) => ({ name: `kube-system/${pod}`, ip: `10.244.0.${n + 2}` })) : []),
          { name: `k8snet-verify-1f0c2a9b/a-${name}`, ip: `10.244.${i}.8` },
          { name: `k8snet-verify-1f0c2a9b/b-${name}`, ip: `10.244.${i}.9` },
        ],
      }
    }),
    links: pairs.map(({ from, to }) => ({
      from,
      to,
      ...(counts.get([from, to].sort().join(' ')) ?? { failed: 0, checks: 3 }),
    })),
  }
}

export function healthy(nodes: readonly string[] = three): VerifyReport {
  const checks = quickChecks(nodes)
  const skipped = ['KUBE_SPREAD_WRONG', 'HOST_GW_NOT_ADJACENT'] as const
  return {
    ok: true,
    ms: 2984,
    level: 'quick',
    checks,
    causes: [],
    unexplained: [],
    skippedCauses: skipped.map((code) => ({ code, why: "flannel's backend is vxlan" })),
    topology: topologyOf(nodes, checks),
  }
}

/** w2 shows another MAC address than flannel announced, w1 has lost its route to cp1, and one failure has no known cause. */
export function broken(): VerifyReport {
  const lost = (from: string, to: string): boolean => {
    const ends = [from, to].map((name) => name.replace(/^[ab]-/, ''))
    return ends[0] !== ends[1] && (ends.includes('w2') || (ends.includes('w1') && ends.includes('cp1')))
  }
  const checks = quickChecks(three).map((it): Check => {
    const { scenario, from, to, protocol } = it
    const ip = `10.244.${octet(three, to.replace(/^[ab]-/, ''))}.9`
    const fail = (code: Check['code'], evidence: string): Check => ({
      ...it,
      outcome: 'failed',
      ms: 1502,
      ...(code && { code }),
      evidence,
      fix: 'Mend what the causes name; else see the firewalls of both nodes.',
    })
    if (scenario === 'pod-to-pod' && lost(from, to))
      return fail('POD_UNREACHABLE', `${protocol} 10.244.${octet(three, from)}.8 -> ${ip}:8080: timeout (1502 ms)`)
    if (scenario === 'node-to-pod' && lost(from, to))
      return fail('NODE_TO_POD_FAILED', `tcp 192.168.56.${11 + octet(three, from)} -> ${ip}:8080: timeout (1502 ms)`)
    if (scenario === 'pod-to-service') {
      const others = three.filter((name) => name !== from).map((name) => `b-${name}`)
      return fail('SERVICE_ENDPOINT_MISSED', `${protocol} -> 10.103.7.21:8080: none of 64 reached ${others.join(',')}`)
    }
    if (scenario === 'dns' && from !== 'cp1')
      return fail(
        'DNS_FAILED',
        `dns${protocol} -> 10.96.0.10:53 kubernetes.default.svc.cluster.local: timeout (1502 ms)`,
      )
    if (scenario === 'api' && from === 'b-w2' && to === 'cp1')
      return fail('APISERVER_UNREACHABLE', 'http 10.244.2.9 -> 192.168.56.11:6443: refused (3 ms)')
    return it
  })
  const failed = checks.filter(({ outcome }) => outcome === 'failed')
  const ends = (it: Check) => [it.from, it.to].map((name) => name.replace(/^[ab]-/, ''))
  const ids = (keep: (it: Check) => boolean): string[] =>
    failed.filter((it) => it.scenario !== 'api' && keep(it)).map(({ id }) => id)
  const checksOf = { w2: ids((it) => ends(it).includes('w2')), w1: ids((it) => !ends(it).includes('w2')) }
  const causes: CauseReport[] = [
    {
      code: 'VTEP_MAC_DRIFT',
      level: 'error',
      where: 'w2',
      message: 'flannel.1 of w2 has the MAC address 5e:61:aa:02:9f:d4, flannel announced 8a:3c:5f:00:1e:12',
      because:
        'The other nodes address the tunnel packets for w2 to the MAC address that flannel announced. The device has another one, so w2 drops them as meant for somebody else.',
      evidence: [
        {
          source: 'w2: ip -d link show flannel.1',
          line: 'link/ether 5e:61:aa:02:9f:d4 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 68',
        },
        {
          source: "kubectl get node w2 -o jsonpath='{.metadata.annotations}'",
          line: 'flannel.alpha.coreos.com/backend-data: {"VNI":1,"VtepMAC":"8a:3c:5f:00:1e:12"}',
        },
        { source: 'cp1: bridge fdb show dev flannel.1', line: '8a:3c:5f:00:1e:12 dst 192.168.56.13 self permanent' },
      ],
      fix: 'Restart flannel on w2 (kubectl -n kube-flannel delete pod --field-selector spec.nodeName=w2), and give systemd-udevd a .link file with MACAddressPolicy=none for flannel.*.',
      explains: checksOf.w2,
      safe: true,
    },
    {
      code: 'PEER_ROUTE_MISSING',
      level: 'error',
      where: 'w1 -> cp1',
      message: 'w1 has no route to 10.244.0.0/24, the podCIDR of cp1',
      because:
        'flannel gives each node a route to the podCIDR of every other. Without it the packets follow the default route and leave the cluster.',
      evidence: [
        { source: 'w1: ip route get 10.244.0.9', line: '10.244.0.9 via 192.168.56.1 dev eth0 src 192.168.56.12' },
        { source: 'w1: ip route show dev flannel.1', line: '10.244.2.0/24 via 10.244.2.0 onlink' },
      ],
      fix: 'Restart flannel on w1 (kubectl -n kube-flannel delete pod --field-selector spec.nodeName=w1).',
      explains: checksOf.w1,
      safe: true,
    },
    {
      code: 'CERT_EXPIRING',
      level: 'warning',
      where: 'cp1',
      message: '/etc/kubernetes/pki/apiserver.crt ends on 2026-12-05, in 14 days',
      because: 'The certificates of kubeadm last for a year. When they end, nothing reaches the API server any more.',
      evidence: [
        {
          source: 'cp1: openssl x509 -enddate -noout -in /etc/kubernetes/pki/apiserver.crt',
          line: 'notAfter=Dec  5 06:31:10 2026 GMT',
        },
      ],
      fix: 'kubeadm certs renew all, then restart the control plane.',
      explains: [],
      safe: false,
    },
  ]
  return {
    ...healthy(),
    ok: false,
    ms: 6120,
    checks,
    causes,
    unexplained: failed.filter(({ scenario }) => scenario === 'api').map(({ id }) => id),
    topology: withDrift(topologyOf(three, checks)),
    traces: [lostRoute, lostTunnel],
  }
}

function withDrift(topology: Topology): Topology {
  const nodes = topology.nodes.map((node) =>
    node.name === 'w2' && node.tunnel ? { ...node, tunnel: { ...node.tunnel, mac: '5e:61:aa:02:9f:d4' } } : node,
  )
  return { ...topology, nodes }
}

/** The full level on three nodes, with known deviations and a check that could not be made. */
export function full(): VerifyReport {
  return { ...healthy(), level: 'full', ms: 11_420, checks: fullChecks(three), sampled: { pairs: 800, of: 9900 } }
}

/** What a host may say to whoever reads the report: markup, control characters, half characters, very long words. */
export const evil =
  '</style><script>alert(1)</script><img src=http://192.0.2.1/x onerror=alert(1)><b class="evil">\'"&amp;]]>\u0000\u001b[31m\ud800'

/** A broken cluster whose every text is hostile. */
export function hostile(): VerifyReport {
  const report = broken()
  const long = 'x'.repeat(300)
  const [first] = report.traces ?? []
  return {
    ...report,
    checks: report.checks.map((it) => ({
      ...it,
      ...(it.evidence && { evidence: evil + long }),
      ...(it.scenario === 'addresses' && { note: evil }),
    })),
    causes: (report.causes ?? []).map((it) => ({
      ...it,
      where: evil,
      message: evil + long,
      because: evil,
      fix: evil,
      evidence: [{ source: evil, line: evil + long }],
    })),
    skippedCauses: [{ code: 'HOST_GW_NOT_ADJACENT', why: evil }],
    traces: first ? [{ ...first, network: evil, from: { ...first.from, name: evil }, unknown: evil + long }] : [],
    topology: {
      links: report.topology?.links ?? [],
      nodes: (report.topology?.nodes ?? []).map((node, i) => ({
        ...node,
        ip: evil,
        podCIDR: evil,
        read: i > 0,
        pods: [{ name: evil, ip: evil }, ...Array.from({ length: 40 }, () => ({ name: long, ip: '10.244.0.1' }))],
      })),
    },
  }
}

/** A cluster of many nodes, one of which lost its tunnel. */
export function large(count: number, badNode?: string): VerifyReport {
  const nodes = ['cp1', ...Array.from({ length: count - 1 }, (_, i) => `w${i + 1}`)]
  const base = quickChecks(nodes)
  const isLost = ({ scenario, from, to }: Check): boolean =>
    scenario === 'pod-to-pod' && from !== to && (from === badNode || to === badNode)
  const checks = base.map(
    (it): Check =>
      isLost(it)
        ? { ...it, outcome: 'failed', code: 'POD_UNREACHABLE', evidence: `${it.from} -> ${it.to}: timeout` }
        : it,
  )
  const failed = checks.filter(({ outcome }) => outcome === 'failed')
  const [cause] = broken().causes ?? []
  return {
    ...healthy(nodes),
    ok: failed.length === 0,
    checks,
    causes:
      failed.length > 0 && cause && badNode ? [{ ...cause, where: badNode, explains: failed.map(({ id }) => id) }] : [],
    topology: topologyOf(nodes, checks),
  }
}

type Draft = Omit<Hop, 'number'>
const hops = (...drafts: Draft[]): Hop[] => drafts.map((draft, i) => ({ number: i + 1, ...draft }))
const ok = (node: string, place: string, text: string, command: string): Draft => ({
  node,
  place,
  outcome: 'ok',
  text,
  command,
})

const lostRoute: Trace = {
  packet: { protocol: 'tcp', source: '10.244.1.8', sourcePort: 40000, destination: '10.244.0.9', port: 8080 },
  from: { kind: 'pod', name: 'k8snet-verify-1f0c2a9b/a-w1', ip: '10.244.1.8', node: 'w1' },
  to: { kind: 'pod', name: 'k8snet-verify-1f0c2a9b/b-cp1', ip: '10.244.0.9', node: 'cp1' },
  network: 'flannel vxlan (vni 1, udp 8472)',
  branches: [
    {
      share: 1,
      to: 'k8snet-verify-1f0c2a9b/b-cp1',
      ip: '10.244.0.9',
      port: 8080,
      ok: false,
      diesAt: 5,
      there: hops(
        ok('w1', 'pod eth0', 'default via 10.244.1.1 dev eth0', 'nsenter -t 4711 -n ip route get 10.244.0.9'),
        ok('w1', 'veth3f2a81c0', 'port of cni0, forwarding', 'bridge -d link show dev veth3f2a81c0'),
        ok('w1', 'cni0', 'addressed to the bridge itself: up to IP', 'ip -d link show cni0'),
        ok('w1', 'nat PREROUTING', 'KUBE-SERVICES: no rule matches', 'iptables -t nat -S PREROUTING'),
        {
          node: 'w1',
          place: 'route',
          outcome: 'dies',
          text: 'no route to 10.244.0.0/24: default via 192.168.56.1 dev eth0, out of the cluster',
          command: 'ip route get 10.244.0.9 from 10.244.1.8 iif cni0',
          code: 'PEER_ROUTE_MISSING',
        },
      ),
      back: [],
    },
  ],
}

const lostTunnel: Trace = {
  packet: { protocol: 'tcp', source: '10.244.0.8', sourcePort: 40000, destination: '10.103.7.21', port: 8080 },
  from: { kind: 'pod', name: 'k8snet-verify-1f0c2a9b/a-cp1', ip: '10.244.0.8', node: 'cp1' },
  to: { kind: 'service', name: 'k8snet-verify-1f0c2a9b/probe', ip: '10.103.7.21' },
  network: 'flannel vxlan (vni 1, udp 8472)',
  branches: [
    {
      share: 1 / 3,
      to: 'k8snet-verify-1f0c2a9b/b-cp1',
      ip: '10.244.0.9',
      port: 8080,
      ok: true,
      there: hops(ok('cp1', 'cni0', '10.244.0.0/24 dev cni0 scope link', 'ip route get 10.244.0.9')),
      back: hops(
        ok('cp1', 'conntrack', 'the answer gets the address of the Service back', 'conntrack -L -d 10.103.7.21'),
      ),
    },
    {
      share: 1 / 3,
      to: 'k8snet-verify-1f0c2a9b/b-w2',
      ip: '10.244.2.9',
      port: 8080,
      ok: false,
      diesAt: 7,
      there: hops(
        ok('cp1', 'pod eth0', 'default via 10.244.0.1 dev eth0', 'nsenter -t 5120 -n ip route get 10.103.7.21'),
        {
          ...ok('cp1', 'nat PREROUTING', 'KUBE-SVC-3XK7 -> KUBE-SEP-QJ2V: 1 of 3', 'iptables -t nat -S KUBE-SVC-3XK7'),
          outcome: 'changed',
          packet: '10.244.0.8:40000 -> 10.244.2.9:8080',
        },
        ok('cp1', 'route', '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink', 'ip route get 10.244.2.9'),
        ok('cp1', 'FORWARD', 'FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT', 'iptables -S FORWARD'),
        ok('cp1', 'flannel.1', 'neighbour 10.244.2.0 is 8a:3c:5f:00:1e:12, permanent', 'ip neigh show dev flannel.1'),
        ok('cp1', 'fdb', '8a:3c:5f:00:1e:12 dst 192.168.56.13', 'bridge fdb show dev flannel.1'),
        {
          node: 'w2',
          place: 'flannel.1',
          outcome: 'dies',
          text: 'the frame is for 8a:3c:5f:00:1e:12, the device is 5e:61:aa:02:9f:d4: dropped',
          command: 'ip -s -d link show flannel.1',
          code: 'VTEP_MAC_DRIFT',
          live: { seen: true, text: 'rx otherhost +2' },
        },
      ),
      back: [],
    },
  ],
}
