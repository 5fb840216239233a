import { describe, expect, it } from 'vitest'
import { pictureOf } from '../../src/dump/picture.ts'
import type { Trace } from '../../src/model/trace.ts'
import { Failure } from '../../src/model/trouble.ts'
import { trace } from '../../src/trace/trace.ts'
import { traceText } from '../../src/view/trace.ts'
import { broken, healthy, inMangle, type OpenDump } from '../dump/healthy.ts'
import { policies } from '../dump/policies.ts'

const whole = () => broken((dump) => void dump.nodes.reverse())
const near = 'fixture/web-585f6d8c44-4ssvn'
const far = 'fixture/web-585f6d8c44-xplrt'
const partsOf = (dump: OpenDump, name: string) =>
  dump.nodes.find(({ node }) => node === name)!.parts as Record<string, string>
const edit = (name: string, part: string, change: (text: string) => string) => (dump: OpenDump) => {
  const parts = partsOf(dump, name)
  parts[part] = change(parts[part] ?? '')
}
const replaced = (name: string, part: string, from: string | RegExp, to: string) =>
  edit(name, part, (text) => text.replaceAll(from as string, to))

function end({ branches }: Trace): string {
  const [branch] = branches
  const hop = [...branch!.there, ...branch!.back].find(({ number }) => number === branch!.diesAt)
  return hop ? `${hop.node} ${hop.place} ${hop.code ?? ''}`.trim() : branch!.ok ? 'ok' : 'unknown'
}

const places = ({ branches }: Trace, way: 'there' | 'back' = 'there') =>
  branches[0]![way].map(({ node, place }) => `${node} ${place}`)

describe('the ends of a trace', () => {
  it.each([
    [near, far, 'pod', 'fixture/web-585f6d8c44-xplrt', 8080],
    [near, `${far}:9090/udp`, 'pod', 'fixture/web-585f6d8c44-xplrt', 9090],
    [near, 'svc/fixture/web', 'service', 'fixture/web', 80],
    [near, 'fixture/web:http', 'service', 'fixture/web', 80],
    [near, 'kube-system/kube-dns:dns', 'service', 'kube-system/kube-dns', 53],
    [near, 'node/w1:30080', 'nodeport', 'w1', 30080],
    [near, 'w1', 'node', 'w1', 10250],
    [near, '10.244.1.5', 'pod', 'fixture/web-585f6d8c44-xplrt', 8080],
    [near, '10.111.105.51:80', 'service', 'fixture/web', 80],
    [near, '203.0.113.9:443', 'ip', '203.0.113.9', 443],
  ])('%s to %s means the %s %s', (from, to, kind, name, port) => {
    const { to: target, packet } = trace(whole(), from, to)
    expect({ kind: target.kind, name: target.name, port: packet.port }).toEqual({ kind, name, port })
  })

  it('a Service that has IPv6 only is refused, and said to', () => {
    const six = broken((dump) => {
      for (const service of dump.cluster?.services ?? [])
        if (service.name === 'web') Object.assign(service, { clusterIPs: ['fd00:96::7'] })
    })
    expect(() => trace(six, near, 'svc/fixture/web')).toThrow('has only the address fd00:96::7: only IPv4 is followed')
  })

  it.each([
    ['web', near, 'the cluster has nothing called web', 'fixture/web-585f6d8c44-4ssvn'],
    [near, 'fixture/nope', 'the cluster has nothing called fixture/nope', 'one of'],
    [near, 'svc/kube-system/kubedns', 'nothing called svc/kube-system/kubedns', 'one of svc/kube-system/kube-dns,'],
    ['kube-system/cordns', far, 'nothing called kube-system/cordns', 'one of kube-system/coredns-'],
    [near, 'svc/kube-system/kube-dns', 'which port?', 'svc/kube-system/kube-dns:53/udp (dns)'],
    [near, 'svc/fixture/web:https', 'the Service has no port https', 'svc/fixture/web:80/tcp (http)'],
    [near, 'fd00::1', 'only IPv4 is followed', 'IPv4'],
    ['203.0.113.9', far, 'is outside of the cluster', 'node/NAME:PORT'],
  ])('%s to %s is refused: %s', (from, to, message, fix) => {
    const failure = (() => {
      try {
        return trace(whole(), from, to)
      } catch (error) {
        return error
      }
    })() as Failure
    expect(failure).toBeInstanceOf(Failure)
    expect(failure.exit).toBe(2)
    expect(failure.troubles[0]).toMatchObject({ code: 'END_UNKNOWN' })
    expect(failure.message).toContain(message)
    expect(failure.troubles[0]?.fix).toContain(fix)
  })

  it('lists what a name could mean that is both a pod and a node', () => {
    const picture = broken((dump) => {
      Object.assign(dump.cluster!.pods[0]!, { namespace: 'default', name: 'w1' })
    })
    expect(() => trace(picture, 'w1', far)).toThrow(/several things/)
  })
})

describe('the way through a healthy cluster', () => {
  it('goes from pod to pod of another node by the tunnel, and back', () => {
    const found = trace(whole(), near, far)
    expect(end(found)).toBe('ok')
    expect(places(found)).toEqual([
      ...[
        'pod eth0',
        'veth17834e47',
        'cni0',
        'PREROUTING',
        'route',
        'FORWARD',
        'POSTROUTING',
        'flannel.1',
        'fdb',
        'outer',
      ].map((it) => `cp1 ${it}`),
      ...[
        'INPUT',
        'flannel.1',
        'PREROUTING',
        'route',
        'FORWARD',
        'POSTROUTING',
        'cni0',
        'vethc1a10c77',
        'pod eth0',
      ].map((it) => `w1 ${it}`),
    ])
    expect(places(found, 'back')).toHaveLength(19)
    expect(found.branches[0]!.there.every(({ command }) => command !== '')).toBe(true)
  })

  it('begins at OUTPUT for a node, and names the source that the pod sees', () => {
    const found = trace(whole(), 'node/w1', near)
    expect(places(found).slice(0, 3)).toEqual(['w1 route', 'w1 OUTPUT', 'w1 POSTROUTING'])
    expect(found.branches[0]!.there[0]).toMatchObject({
      outcome: 'changed',
      text: expect.stringContaining('the source is 10.244.1.0'),
    })
  })

  it('says that the host of another node sees the node and not the pod', () => {
    const [branch] = trace(whole(), far, 'node/cp1:6443').branches
    expect(branch!.there.find(({ outcome }) => outcome === 'changed')?.text).toContain('the host sees 192.168.56.12')
    expect(branch!.there.at(-1)?.text).toContain('kube-apiserver listens')
  })

  it('says that nothing listens on a port of a host', () => {
    expect(end(trace(whole(), far, 'node/cp1:4444'))).toBe('cp1 socket')
  })
})

describe('the way through a broken cluster', () => {
  const cases: readonly (readonly [string, (dump: OpenDump) => void, string, string, string])[] = [
    [
      'no route in the pod',
      (dump) => {
        for (const [name, text] of Object.entries(partsOf(dump, 'cp1')))
          if (/^pod\/.*routes$/.test(name))
            partsOf(dump, 'cp1')[name] = text.replace(/^default.*$/m, '').replace(/^10\.244\.0\.0\/16.*$/m, '')
      },
      near,
      far,
      'cp1 pod route POD_ROUTE_MISSING',
    ],
    [
      'a gateway that the bridge does not have',
      (dump) => {
        replaced('cp1', 'links', '"10.244.0.1"', '"10.244.9.1"')(dump)
        edit('cp1', 'routes', (text) => text.replace(/^local 10\.244\.0\.1 .*$/m, ''))(dump)
      },
      near,
      far,
      'cp1 cni0 CNI0_ADDRESS_WRONG',
    ],
    [
      'a stale neighbour entry',
      (dump) => {
        replaced('cp1', 'neighbours', 'fa:9e:60:53:42:bc', '0e:00:00:00:00:01')(dump)
        replaced('cp1', 'fdb', 'fa:9e:60:53:42:bc', '0e:00:00:00:00:01')(dump)
      },
      near,
      far,
      'w1 flannel.1 PEER_NEIGH_STALE',
    ],
    [
      'an FDB entry for a host that is none',
      replaced('cp1', 'fdb', 'dst 192.168.56.12', 'dst 192.168.56.99'),
      near,
      far,
      'cp1 wire PEER_FDB_STALE',
    ],
    [
      'another VNI',
      edit('w1', 'links', (text) => text.replace(/("info_kind": ?"vxlan","info_data": ?\{[^}]*"id": ?)1\b/, '$142')),
      near,
      far,
      'w1 flannel.1 VNI_MISMATCH',
    ],
    [
      'another port',
      edit('w1', 'links', (text) => text.replace(/"port": ?8472/, '"port":4789')),
      near,
      far,
      'w1 flannel.1 VXLAN_PORT_MISMATCH',
    ],
    [
      'strict rp_filter and another way back',
      (dump) => {
        edit('w1', 'sysctls', (text) => text.replace(/^(net\/ipv4\/conf\/all\/rp_filter.).*$/m, '$11'))(dump)
        replaced(
          'w1',
          'routes',
          '10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink',
          '10.244.0.0/24 via 192.168.56.11 dev eth1',
        )(dump)
      },
      near,
      far,
      'w1 rp_filter RP_FILTER',
    ],
    [
      'a blackhole in front of the route',
      edit('cp1', 'routes', (text) => `${text}\nblackhole 10.244.1.0/28`),
      near,
      far,
      'cp1 route ROUTE_SHADOWED',
    ],
    [
      'a Service without endpoints',
      (dump) =>
        edit('cp1', 'iptables-save', (text) =>
          text
            .replace(/^.*-A KUBE-SERVICES -d 10\.111\.105\.51.*$/m, '')
            .replace(/^(\[.*\] )?-A KUBE-PROXY-FIREWALL.*$/m, '')
            .replace(
              /^:KUBE-SERVICES - .*$/m,
              '$&\n[0:0] -A KUBE-SERVICES -d 10.111.105.51/32 -p tcp -m comment --comment "fixture/web:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
            ),
        )(dump),
      near,
      'svc/fixture/web',
      'cp1 FORWARD SERVICE_NO_ENDPOINTS',
    ],
  ]
  it.each(cases)('%s', (_, change, from, to, expected) => {
    expect(end(trace(broken(change), from, to))).toBe(expected)
  })

  it.each([
    ['a NodePort', 30081, 'NODEPORT_BLOCKED'],
    ['a hostPort', 18080, 'HOSTPORT_BLOCKED'],
  ])('a firewall before the rules of %s', (_, port, code) => {
    const dump = policies('iptables')
    inMangle(dump, 'w1', `-p tcp -m tcp --dport ${port} -j DROP`)
    expect(end(trace(pictureOf(dump), 'cp1', `node/w1:${port}`))).toBe(`w1 PREROUTING ${code}`)
  })

  it('goes on after a tunnel that is too large for its wire, and says so', () => {
    const found = trace(
      broken(edit('cp1', 'links', (text) => text.replace(/("ifname": ?"eth1".*?"mtu": ?)1500/s, '$11450'))),
      near,
      far,
    )
    expect(found.branches[0]!.there.find(({ place }) => place === 'outer')).toMatchObject({
      outcome: 'changed',
      code: 'MTU_UNDERLAY',
    })
    expect(found.branches[0]!.ok).toBe(true)
  })

  it('stops where a node could not be read, and says which and why', () => {
    const picture = broken((dump) => {
      dump.nodes = dump.nodes.filter(({ node }) => node !== 'w1')
      dump.unread.push({ node: 'w1', why: 'no route to host' })
    })
    const found = trace(picture, near, far)
    expect(found.branches[0]).toMatchObject({ ok: false })
    expect(found.branches[0]?.diesAt).toBeUndefined()
    expect(found.unknown).toContain('w1 could not be read: no route to host')
    expect(traceText(found, { color: false })).toContain('not known: w1 could not be read')
  })
})

describe('networks without vxlan', () => {
  const plain = (dump: OpenDump) => {
    replaced(
      'cp1',
      'routes',
      '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink',
      '10.244.1.0/24 via 192.168.56.12 dev eth1',
    )(dump)
    replaced(
      'w1',
      'routes',
      '10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink',
      '10.244.0.0/24 via 192.168.56.11 dev eth1',
    )(dump)
  }

  it('follows host-gw and static routes over the wire', () => {
    const found = trace(broken(plain), near, far)
    expect(end(found)).toBe('ok')
    expect(found.branches[0]!.there.find(({ place }) => place === 'eth1')?.text).toBe('to 192.168.56.12 = w1 eth1')
  })

  it('names a next hop that is not on the wire', () => {
    const picture = broken((dump) => {
      plain(dump)
      edit('cp1', 'links', (text) => text.replace(/("local": ?"192\.168\.56\.11","prefixlen": ?)24/, '$132'))(dump)
    })
    expect(end(trace(picture, near, far))).toBe('cp1 eth1 HOST_GW_NOT_ADJACENT')
  })

  it("follows flannel's udp backend by the podCIDR of the target", () => {
    const picture = broken((dump) => {
      for (const name of ['cp1', 'w1']) {
        edit(name, 'links', (text) => text.replace('"info_kind":"vxlan"', '"info_kind":"tun"'))(dump)
        edit(name, 'routes', (text) =>
          text.replace(/^(10\.244\.[01]\.0\/24) via 10\.244\.[01]\.0 dev flannel\.1 onlink/m, '$1 dev flannel.1'),
        )(dump)
      }
      Object.assign(dump.cluster!.configs.flannel!, { backend: 'udp', port: 8285 })
    })
    const found = trace(picture, near, far)
    expect(end(found)).toBe('ok')
    expect(found.branches[0]!.there.find(({ place }) => place === 'outer')?.text).toContain('-> 192.168.56.12:8285 udp')
  })
})

it('the fixture is what these tests take it for', () => {
  expect(healthy().nodes.map(({ node }) => node)).toEqual(['cp1', 'w1'])
})
