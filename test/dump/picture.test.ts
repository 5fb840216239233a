import { describe, expect, it } from 'vitest'
import { pictureOf } from '../../src/dump/picture.ts'
import { fdbOf, neighbourOf, routeOf, ruleOf } from '../../src/dump/tables.ts'
import type { ClusterDump, NodeView } from '../../src/model/dump.ts'
import { broken, healthy, nodeOf, replace } from './healthy.ts'

const picture = pictureOf(healthy() as ClusterDump)
const [cp1, w1] = [picture.nodes.get('cp1')!, picture.nodes.get('w1')!]
const link = (node: NodeView, name: string) => node.links.find((one) => one.name === name)!

describe('the picture of a real cluster', () => {
  it('has the tunnel of each node as the other one knows it', () => {
    for (const [node, peer] of [
      [cp1, w1],
      [w1, cp1],
    ] as const) {
      const tunnel = link(peer, 'flannel.1')
      const { ip } = tunnel.addresses[0]!
      const entry = node.neighbours.find((one) => one.ip === ip)!
      expect(entry).toMatchObject({ dev: 'flannel.1', mac: tunnel.mac, state: 'PERMANENT' })
      expect(node.fdb.find(({ mac, dev }) => mac === tunnel.mac && dev === 'flannel.1')?.dst).toBe(tunnel.vxlan?.local)
      expect(node.routes.find(({ to }) => to === `${ip}/24`)).toMatchObject({
        via: ip,
        dev: 'flannel.1',
        flags: ['onlink'],
      })
      expect(tunnel).toMatchObject({
        kind: 'vxlan',
        mtu: 1450,
        vxlan: { id: 1, port: 8472, device: 'eth1', learning: false },
      })
    }
  })

  it('leads from each pod of the API server by its uid, its veth and the bridge to its address', () => {
    const own = picture.cluster!.pods.filter(({ hostNetwork }) => !hostNetwork)
    expect(own.length).toBeGreaterThan(2)
    for (const pod of own) {
      const node = picture.nodes.get(pod.node)!
      const net = node.pods.find(({ uid }) => uid === pod.uid)!
      const eth0 = net.links.find(({ name }) => name === 'eth0')!
      expect(eth0.addresses.map(({ ip }) => ip)).toEqual(expect.arrayContaining([...pod.ips]))
      const veth = node.links.find(({ index }) => index === eth0.peerIndex)!
      expect(veth).toMatchObject({
        kind: 'veth',
        master: 'cni0',
        peerIndex: eth0.index,
        port: { hairpin: true, state: 'forwarding' },
      })
      expect(net.routes.find(({ to }) => to === '0.0.0.0/0')?.via).toBe(link(node, 'cni0').addresses[0]!.ip)
      expect(net.ipForward).toBe('1')
      expect(node.cni.leases.get('cbr0')).toEqual(expect.arrayContaining([...pod.ips]))
    }
  })

  it('has what else the causes ask for', () => {
    expect(w1.sysctls.get('net.ipv4.conf.flannel.1.rp_filter')).toBe('0')
    expect(w1.sysctls.get('net.bridge.bridge-nf-call-iptables')).toBe('1')
    expect(Number(w1.sysctls.get('net.netfilter.nf_conntrack_max'))).toBeGreaterThan(9999)
    expect(w1.counters.get('Ip.ForwDatagrams')).toBeGreaterThan(0)
    expect(w1.counters.get('TcpExt.IPReversePathFilter')).toBe(0)
    expect([...w1.conntrack.keys()]).toEqual(
      expect.arrayContaining(['insert_failed', 'drop', 'early_drop', 'count', 'max']),
    )
    expect(w1.flannelEnv?.get('FLANNEL_SUBNET')).toBe('10.244.1.1/24')
    expect(w1.cni.configs.map(({ name }) => name)).toEqual(['10-flannel.conflist'])
    expect(w1.cni.plugins).toEqual(expect.arrayContaining(['bridge', 'flannel', 'host-local', 'loopback', 'portmap']))
    expect(w1.kubelet).toEqual({
      running: true,
      nodeIP: '192.168.56.12',
      clusterDNS: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
    })
    expect(w1.listeners).toContainEqual({ protocol: 'tcp', address: '*', port: 10250, process: 'kubelet' })
    expect(w1.listeners).toContainEqual({ protocol: 'udp', address: '0.0.0.0', port: 8472, process: '' })
    expect(w1.offload?.get('tx-checksum-ip-generic')).toBe('on')
    expect(w1.resolvers).toEqual({ host: ['127.0.0.11'], kubelet: ['127.0.0.11'], kubeletFile: '/etc/resolv.conf' })
    expect(w1.identity).toMatchObject({ hostname: 'w1', container: true, productUuid: '' })
    expect(w1.identity.machineId).not.toBe(cp1.identity.machineId)
    expect(w1.identity.macs).toHaveLength(2)
    expect(Date.parse(w1.now)).toBeGreaterThan(0)
    const api = cp1.certificates.find(({ path }) => path === '/etc/kubernetes/pki/apiserver.crt')
    expect(Date.parse(api!.until)).toBeGreaterThan(Date.parse(cp1.now))
    expect(
      w1.netfilter.chains.find(({ name, table }) => name === 'KUBE-SERVICES' && table === 'nat')?.rules.length,
    ).toBeGreaterThan(3)
    expect(cp1.flows[0]).toMatchObject({ protocol: 'udp', port: 53 })
  })

  it('reads a part once and only when it is asked for', () => {
    const once = broken((dump) => {
      nodeOf(dump, 'w1').parts.links = 'no JSON'
    })
    expect(once.nodes.get('cp1')!.links).toBe(once.nodes.get('cp1')!.links)
    expect(once.nodes.get('w1')!.links).toEqual([])
    expect(once.nodes.get('w1')!.routes.length).toBeGreaterThan(3)
  })

  it('has empty lists where a part could not be read', () => {
    const view = broken((dump) => {
      nodeOf(dump, 'w1').parts = {}
    }).nodes.get('w1')!
    expect([view.links, view.routes, view.rules, view.fdb, view.flows, view.pods, view.listeners].flat()).toEqual([])
    expect([view.flannelEnv, view.offload]).toEqual([null, null])
    expect(view.kubelet.running).toBe(false)
    expect(view.netfilter.chains).toEqual([])
    expect(Date.parse(view.now)).toBeGreaterThan(0)
  })

  it('takes the resolv.conf that the kubelet names', () => {
    const view = broken((dump) => {
      nodeOf(dump, 'w1').parts['kubelet-config'] += 'resolvConf: /run/systemd/resolve/resolv.conf\n'
      nodeOf(dump, 'w1').parts['resolv.conf/run/systemd/resolve/resolv.conf'] = 'search x\nnameserver 192.0.2.53\n'
    }).nodes.get('w1')!
    expect(view.resolvers).toEqual({
      host: ['127.0.0.11'],
      kubelet: ['192.0.2.53'],
      kubeletFile: '/run/systemd/resolve/resolv.conf',
    })
  })
})

describe('a line of a table', () => {
  it.each([
    [
      'default via 172.17.0.1 dev eth0',
      { to: '0.0.0.0/0', via: '172.17.0.1', dev: 'eth0', table: 'main', type: 'unicast', metric: 0 },
    ],
    ['10.0.0.7 dev tun0 scope link metric 50', { to: '10.0.0.7/32', scope: 'link', metric: 50 }],
    ['blackhole 10.9.0.0/16 proto static', { type: 'blackhole', to: '10.9.0.0/16' }],
    [
      'local 10.244.1.1 dev cni0 table local proto kernel scope host src 10.244.1.1',
      { type: 'local', table: 'local', src: '10.244.1.1' },
    ],
    ['10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1 linkdown', { flags: ['linkdown'] }],
    [
      'default proto static metric 100 nexthop via 10.0.0.1 dev eth0 weight 1 nexthop via 10.0.0.2 dev eth1 weight 1',
      { via: '10.0.0.1', dev: 'eth0' },
    ],
    ['default via fe80::1 dev eth0 proto ra metric 1024 pref medium', { to: '::/0', via: 'fe80::1', metric: 1024 }],
    [
      'unreachable default dev lo table unspec proto kernel metric 4294967295 error -101 pref medium',
      { to: '::/0', type: 'unreachable' },
    ],
    ['10.1.0.0/16 via inet6 fe80::2 dev eth0', { to: '10.1.0.0/16', via: 'fe80::2' }],
    ['fd00::7 dev eth0 table 100 metric 1024 pref medium', { to: 'fd00::7/128', table: '100' }],
  ])('%s', (line, wanted) => {
    expect(routeOf(line)).toMatchObject({ ...wanted, line })
  })

  it.each([
    ['10.244.1.0 dev flannel.1 lladdr fa:9e:60:53:42:bc PERMANENT', { mac: 'fa:9e:60:53:42:bc', state: 'PERMANENT' }],
    ['10.244.0.9 dev cni0 FAILED', { state: 'FAILED' }],
    ['fe80::1 dev eth0 lladdr 02:42:00:00:00:01 router STALE', { ip: 'fe80::1', state: 'STALE' }],
    ['10.0.0.3 dev eth0 lladdr 02:42:00:00:00:01 extern_learn REACHABLE proto zebra', { state: 'REACHABLE' }],
  ])('%s', (line, wanted) => {
    const it = neighbourOf(line)
    expect(it).toMatchObject({ ...wanted, line })
    if (!('mac' in wanted) && !line.includes('lladdr')) expect(it.mac).toBeUndefined()
  })

  it.each([
    [
      'fa:9e:60:53:42:bc dev flannel.1 dst 192.168.56.12 self permanent',
      { mac: 'fa:9e:60:53:42:bc', dev: 'flannel.1', dst: '192.168.56.12' },
    ],
    ['4a:bf:8e:73:0d:10 dev veth1 master cni0', { dev: 'veth1' }],
  ])('%s', (line, wanted) => {
    expect(fdbOf(line)).toEqual({ ...wanted, mac: line.slice(0, 17), line })
  })

  it.each([
    ['32766:\tfrom all lookup main', { priority: 32766, from: 'all', to: 'all', table: 'main' }],
    [
      '100: from 10.0.0.0/8 to 192.0.2.0/24 fwmark 0x1 lookup 7',
      { priority: 100, from: '10.0.0.0/8', to: '192.0.2.0/24', table: '7' },
    ],
  ])('%s', (line, wanted) => {
    expect(ruleOf(line)).toEqual({ ...wanted, line })
  })
})

it('gives each route its own line, also where tables are large and alike', () => {
  const other = Array.from({ length: 400 }, (_, i) => `10.9.${i >> 8}.${i & 255} via 10.244.1.0 dev flannel.1`)
  const text = (skip: number, extra: string) => `${[...other.filter((_, i) => i !== skip), extra].join('\n')}\n`
  const dump = healthy()
  const texts = [
    text(3, 'default via 10.0.0.1 dev a'),
    text(399, 'default via 10.0.0.2 dev b'),
    text(0, '10.9.0.0 dev c'),
    other.slice(200).join('\n'),
  ]
  dump.nodes = texts.map((routes, i) => ({ node: `n${i}`, parts: { routes }, problems: {} }))
  const views = [...pictureOf(dump as ClusterDump).nodes.values()]
  expect(views.map(({ routes }) => routes.map(({ line }) => line))).toEqual(texts.map((it) => it.trim().split('\n')))
  expect(views[0]!.routes[10]).toBe(views[1]!.routes[11])
})

it('refuses an edit of the fixture that changes nothing', () => {
  expect(() => broken(() => undefined)).toThrow('changed nothing')
  expect(() => broken((dump) => replace(dump, 'w1', 'routes', 'no such text', ''))).toThrow('changed nothing')
})
