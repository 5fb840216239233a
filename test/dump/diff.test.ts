import { describe, expect, it } from 'vitest'
import { diffDumps } from '../../src/dump/diff.ts'
import type { ClusterDump } from '../../src/model/dump.ts'
import {
  addLine,
  dropLines,
  editCluster,
  editLink,
  healthy,
  nodeOf,
  type OpenDump,
  partOf,
  replace,
  setSysctl,
} from './healthy.ts'

function rows(edit: (dump: OpenDump) => void) {
  const now = healthy()
  edit(now)
  return diffDumps(healthy() as ClusterDump, now as ClusterDump)
}

it('finds nothing between a dump and itself', () => {
  expect(diffDumps(healthy() as ClusterDump, healthy() as ClusterDump)).toEqual([])
})

it('passes over what a healthy cluster changes by itself', () => {
  expect(
    rows((dump) => {
      dump.made = '2027-01-01T00:00:00.000Z'
      replace(dump, 'w1', 'now', /\d/, '1')
      replace(dump, 'w1', 'counters', /^(Udp: )\d+/m, '$1999')
      replace(dump, 'w1', 'iptables-save', /\[\d+:\d+\]/, '[7:7]')
      setSysctl(dump, 'w1', 'net.netfilter.nf_conntrack_count', '9')
      replace(dump, 'w1', 'neighbours', 'REACHABLE', 'STALE')
      nodeOf(dump, 'cp1').parts.flows = ''
      for (const name of ['flannel.1', 'eth1'])
        editLink(dump, 'w1', name, (link) => {
          link.stats64.rx.packets += 5
        })
    }),
  ).toEqual([])
})

describe('says in words what changed', () => {
  it.each<[string, (dump: OpenDump) => void, { node: string; what: RegExp; was: RegExp; is: RegExp }]>([
    [
      'a MAC',
      (d) =>
        editLink(d, 'w1', 'flannel.1', (l) => {
          l.address = '02:00:00:00:00:01'
        }),
      { node: 'w1', what: /^link flannel\.1 mac$/, was: /^fa:/, is: /^02:00:00:00:00:01$/ },
    ],
    [
      'an MTU',
      (d) =>
        editLink(d, 'w1', 'cni0', (l) => {
          l.mtu = 1400
        }),
      { node: 'w1', what: /^link cni0 mtu$/, was: /^1450$/, is: /^1400$/ },
    ],
    [
      'a device that is down',
      (d) =>
        editLink(d, 'w1', 'eth1', (l) => {
          l.flags = []
          l.operstate = 'DOWN'
        }),
      { node: 'w1', what: /^link eth1 state$/, was: /^up, UP$/, is: /^down, DOWN$/ },
    ],
    [
      'a route that is gone',
      (d) => dropLines(d, 'w1', 'routes', '10.244.0.0/24 via'),
      { node: 'w1', what: /^route 10\.244\.0\.0\/24/, was: /via 10\.244\.0\.0 dev flannel\.1/, is: /^$/ },
    ],
    [
      'a rule of routing',
      (d) => addLine(d, 'w1', 'rules', '99: from 10.244.0.0/16 lookup 7'),
      { node: 'w1', what: /^rule 99$/, was: /^$/, is: /lookup 7/ },
    ],
    [
      'a neighbour of the tunnel',
      (d) => replace(d, 'w1', 'neighbours', /(10\.244\.0\.0 dev flannel\.1 lladdr )\S+/, '$102:00:00:00:00:09'),
      { node: 'w1', what: /^neighbour 10\.244\.0\.0 dev flannel\.1$/, was: /^\w\w:/, is: /^02:00:00:00:00:09$/ },
    ],
    [
      'an FDB entry',
      (d) => replace(d, 'w1', 'fdb', 'dst 192.168.56.11', 'dst 192.168.56.99'),
      { node: 'w1', what: /^fdb .* dev flannel\.1$/, was: /\.11$/, is: /\.99$/ },
    ],
    [
      'a sysctl',
      (d) => setSysctl(d, 'cp1', 'net.ipv4.ip_forward', '0'),
      { node: 'cp1', what: /^sysctl net\.ipv4\.ip_forward$/, was: /^1$/, is: /^0$/ },
    ],
    [
      'a packet filter rule',
      (d) => addLine(d, 'w1', 'iptables-save', '[0:0] -A FORWARD -i flannel.1 -j DROP', '-A FORWARD'),
      {
        node: 'w1',
        what: /^rule in iptables-nft ip filter FORWARD: -A FORWARD -i flannel\.1 -j DROP$/,
        was: /^$/,
        is: /^there$/,
      },
    ],
    [
      'a policy',
      (d) => replace(d, 'w1', 'iptables-save', /(\*filter\n(?:.*\n)*?:FORWARD )ACCEPT/, '$1DROP'),
      { node: 'w1', what: /^policy of iptables-nft ip filter FORWARD$/, was: /^accept$/, is: /^drop$/ },
    ],
    [
      'a pod that is gone',
      (d) =>
        editCluster(d, (c) => {
          c.pods = c.pods.filter(({ name }) => !name.startsWith('etcd'))
        }),
      { node: '', what: /^pod kube-system\/etcd-cp1$/, was: /Running, ready, on cp1/, is: /^$/ },
    ],
    [
      'an endpoint',
      (d) =>
        editCluster(d, (c) => {
          c.slices.find(({ service }) => service === 'web')!.endpoints.pop()
        }),
      { node: '', what: /^endpoints of fixture\/web/, was: /10\.244\.0\.6, 10\.244\.1\.5/, is: /^10\.244\.\d\.\d$/ },
    ],
    [
      'a Service',
      (d) =>
        editCluster(d, (c) => {
          c.services.find(({ name }) => name === 'door')!.ports[0]!.nodePort = 30081
        }),
      { node: '', what: /^service fixture\/door$/, was: /30080/, is: /30081/ },
    ],
    [
      'a configuration',
      (d) =>
        editCluster(d, (c) => {
          c.configs.proxy!.mode = 'nftables'
        }),
      { node: '', what: /^proxy mode$/, was: /^iptables$/, is: /^nftables$/ },
    ],
    [
      'a node that is not ready',
      (d) =>
        editCluster(d, (c) => {
          c.nodes[1]!.ready = false
          c.nodes[1]!.reason = 'PLEG'
        }),
      { node: '', what: /^node w1 ready$/, was: /^yes$/, is: /^no: PLEG$/ },
    ],
    [
      'a node that is silent',
      (d) => {
        d.nodes.pop()
        d.unread.push({ node: 'w1', why: 'no answer' })
      },
      { node: 'w1', what: /^the node$/, was: /^read$/, is: /^not read: no answer$/ },
    ],
    [
      'an API server that is silent',
      (d) => {
        delete d.cluster
        d.apiTrouble = 'refused'
      },
      { node: '', what: /^the API server$/, was: /^answered$/, is: /^did not answer: refused$/ },
    ],
    [
      'the kubelet',
      (d) => dropLines(d, 'w1', 'kubelet', /^pid/),
      { node: 'w1', what: /^kubelet$/, was: /^running$/, is: /^not running$/ },
    ],
  ])('%s', (_, edit, { node, what, was, is }) => {
    const found = rows(edit)
    expect(found).toHaveLength(1)
    const [row] = found
    expect(row!.node).toBe(node)
    expect(row!.what).toMatch(what)
    expect(row!.was).toMatch(was)
    expect(row!.is).toMatch(is)
  })

  it('a pod whose network changed, by its uid', () => {
    const part = Object.keys(nodeOf(healthy(), 'w1').parts).find((name) => /^pod\/\d+\/links$/.test(name))!
    expect(partOf(healthy(), 'w1', part)).toContain('eth0')
    const found = rows((dump) =>
      editLink(
        dump,
        'w1',
        'eth0',
        (link) => {
          link.mtu = 1500
        },
        part,
      ),
    )
    expect(found).toMatchObject([{ node: 'w1', was: '1450', is: '1500' }])
    expect(found[0]!.what).toMatch(/^pod [0-9a-f-]{36} link eth0 mtu$/)
  })
})
