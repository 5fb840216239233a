import { describe, expect, it } from 'vitest'
import {
  addLine,
  addNft,
  dropLines,
  editCluster,
  inMangle,
  nodeOf,
  type OpenDump,
  partOf,
  replace,
} from '../dump/healthy.ts'
import { editChain, first, type Mode, policies } from '../dump/policies.ts'
import { foundIn } from './findings.ts'
import { type Case, eachIsNamed } from './in-modes.ts'
import { grown } from './pod-network-grown.ts'

const saved = 'iptables-save'
const conflist = 'cni-conf/10-flannel.conflist'

const named = (dump: OpenDump): string[] =>
  foundIn(dump).map(({ code, where, level }) => `${level ?? ''}${code} ${where}`)

const cases: Case[] = [
  {
    fault: 'the rules that lead to the chains of pods are flushed',
    mode: 'iptables',
    edit: (dump) => dropLines(dump, 'w1', saved, '-A CNI-HOSTPORT-DNAT'),
    code: 'HOSTPORT_RULES_MISSING',
    where: 'w1',
    says: 'w1 has a rule for the hostPort tcp 18080 of fixture/web-w6xnp, udp 18080 of fixture/web-w6xnp, and nothing leads there',
    shows: '--dport 18080 -j DNAT --to-destination 10.244.2.5:8080',
  },
  {
    fault: 'the whole table nat was flushed, and kube-proxy and flannel wrote theirs again',
    mode: 'iptables',
    edit: (dump) => dropLines(dump, 'w1', saved, 'CNI-'),
    code: 'HOSTPORT_RULES_MISSING',
    where: 'w1',
    says: 'tcp 18081 of fixture/web-w6xnp: what portmap made together with the pod is gone',
    shows: '(no rule for tcp 18080)',
  },
  {
    fault: 'one protocol has no rule',
    mode: 'iptables',
    edit: (dump) => dropLines(dump, 'w1', saved, /-A CNI-DN-\S+ -p udp .*-j DNAT/),
    code: 'HOSTPORT_RULES_MISSING',
    where: 'w1',
    says: 'w1 has no rule for the hostPort udp 18080 of fixture/web-w6xnp:',
    shows: '(no rule for udp 18080)',
  },
  {
    fault: 'the configuration does not call portmap',
    mode: 'iptables',
    edit: (dump) => {
      dropLines(dump, 'w1', saved, 'CNI-')
      withoutPortmap(dump, 'w1')
    },
    code: 'HOSTPORT_RULES_MISSING',
    where: 'w1',
    says: '10-flannel.conflist does not call portmap',
    shows: '"type": "flannel"',
  },
  {
    fault: 'the configuration hands portmap no ports',
    mode: 'iptables',
    edit: (dump) => {
      dropLines(dump, 'w1', saved, 'CNI-')
      replace(dump, 'w1', conflist, ', "capabilities": { "portMappings": true }', '')
    },
    code: 'HOSTPORT_RULES_MISSING',
    where: 'w1',
    says: 'without the capability portMappings',
    shows: '"type": "portmap"',
  },
  {
    fault: 'another configuration comes first, and its plugins make no rules',
    mode: 'iptables',
    edit: (dump) => {
      dropLines(dump, 'w1', saved, 'CNI-')
      addLine(
        dump,
        'w1',
        'cni-conf/05-other.conflist',
        '{"name":"other","plugins":[{"type":"bridge","ipam":{"type":"host-local"}}]}',
      )
    },
    code: 'CNI_CONF_SHADOW',
    where: 'w1',
    says: '05-other.conflist',
    shows: '05-other.conflist',
  },
  {
    fault: 'the chain of nftables is flushed',
    mode: 'nftables',
    edit: (dump) =>
      editChain(dump, 'w1', 'hostports', (rules) => rules.filter(({ rule }) => rule.chain !== 'hostports')),
    code: 'HOSTPORT_RULES_MISSING',
    where: 'w1',
    says: 'tcp 18081',
    shows: '(no rule for tcp 18080)',
  },
  {
    fault: 'nothing leads to the chain of nftables',
    mode: 'nftables',
    edit: (dump) => editChain(dump, 'w1', 'hostports_all', () => []),
    code: 'HOSTPORT_RULES_MISSING',
    where: 'w1',
    says: 'nothing leads there',
    shows: 'tcp dport 18080 dnat to 10.244.2.13:8080',
  },
  {
    fault: 'a rule redirects the port',
    mode: 'iptables',
    edit: (dump) => first(dump, 'w1', '-A PREROUTING -p tcp -m tcp --dport 18080 -j REDIRECT --to-ports 3128'),
    code: 'HOSTPORT_TAKEN',
    where: 'w1',
    says: 'packets for the hostPort tcp 18080 of fixture/web-w6xnp never come to its rule: a rule of ip nat PREROUTING decides before',
    shows: '-j REDIRECT --to-ports 3128',
  },
  {
    fault: 'a rule takes only what pods of the node send there',
    mode: 'iptables',
    edit: (dump) =>
      first(dump, 'w1', '-A PREROUTING -i cni0 -p udp -m udp --dport 18080 -j DNAT --to-destination 192.0.2.7:53'),
    code: 'HOSTPORT_TAKEN',
    where: 'w1',
    says: 'udp 18080',
    shows: '192.0.2.7:53',
  },
  {
    fault: 'a rule lets the packets pass by all others',
    mode: 'iptables',
    edit: (dump) => first(dump, 'w1', '-A PREROUTING -p tcp -m tcp --dport 18000:18999 -j ACCEPT'),
    code: 'HOSTPORT_TAKEN',
    where: 'w1',
    says: 'tcp 18080',
    shows: '--dport 18000:18999 -j ACCEPT',
  },
  {
    fault: 'portmap has left the rules of a pod that is gone, as it does when its backend changes',
    mode: 'nftables',
    edit: (dump) => {
      for (const line of [
        '[0:0] -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"cbr0\\" id: \\"5c0b386cd015\\"" -m multiport --dports 18080,18081 -j CNI-DN-98f6b8e38413a2a9baa59',
        '[0:0] -A CNI-DN-98f6b8e38413a2a9baa59 -p tcp -m tcp --dport 18080 -j DNAT --to-destination 10.244.2.5:8080',
      ])
        addLine(dump, 'w1', saved, line, '-A POSTROUTING -m comment --comment "CNI portfwd')
      addLine(dump, 'w1', saved, ':CNI-DN-98f6b8e38413a2a9baa59 - [0:0]', ':CNI-HOSTPORT-DNAT')
    },
    code: 'HOSTPORT_TAKEN',
    where: 'w1',
    says: 'CNI-DN-98f6b8e38413a2a9baa59 decides before',
    shows: '10.244.2.5:8080',
  },
  {
    fault: 'a NodePort has the same number',
    mode: 'iptables',
    edit: (dump) => {
      for (const { node } of dump.nodes) replace(dump, node, saved, '--dport 30082', '--dport 18080')
      editCluster(dump, ({ services }) => {
        services.find(({ name }) => name === 'one')!.ports[0]!.nodePort = 18080
      })
      // to pods of their own the other nodes do the same
      withoutHostPorts(dump, (node) => node !== 'w1')
    },
    code: 'HOSTPORT_TAKEN',
    where: 'w1',
    says: 'tcp 18080',
    shows: '--to-destination 10.244.2.4:8080',
  },
  {
    fault: 'a firewall drops what comes for the port',
    mode: 'iptables',
    edit: (dump) => inMangle(dump, 'w1', '-p tcp -m tcp --dport 18000:18999 -j DROP'),
    code: 'HOSTPORT_BLOCKED',
    where: 'w1',
    says: 'w1 drops what comes from outside for the hostPort tcp 18080 of fixture/web-w6xnp',
    shows: '--dport 18000:18999 -j DROP',
  },
  {
    fault: 'a firewall drops it on its way to the pod, whose port is another',
    mode: 'iptables',
    edit: (dump) =>
      addLine(
        dump,
        'w1',
        saved,
        '[0:0] -A FORWARD -d 10.244.2.5/32 -p udp -m udp --dport 8080 -m conntrack --ctstate DNAT -j DROP',
        '-A FORWARD',
      ),
    code: 'HOSTPORT_BLOCKED',
    where: 'w1',
    says: 'udp 18080',
    shows: '-p udp -m udp --dport 8080',
  },
  {
    fault: 'a firewall of nftables drops what comes for the port',
    mode: 'nftables',
    edit: (dump) => {
      const match = { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 18080 }
      addNft(dump, 'w1', 'prerouting', -300, 'accept', [{ match }, { drop: null }])
    },
    code: 'HOSTPORT_BLOCKED',
    where: 'w1',
    says: 'a rule of inet fw prerouting does',
    shows: 'tcp dport 18080 drop',
  },
]

function withoutHostPorts(dump: OpenDump, where: (node: string) => boolean): void {
  editCluster(dump, ({ pods }) => {
    for (const { ports } of pods.filter(({ node }) => where(node)).flatMap(({ containers }) => containers))
      for (const port of ports) delete port.hostPort
  })
}

function withoutPortmap(dump: OpenDump, node: string): void {
  replace(dump, node, conflist, /,\s*\{ "type": "portmap"[^\n]*\}/, '')
}

describe('what is wrong with hostPorts is named', () => {
  eachIsNamed(cases)
})

describe('a finding of hostPorts explains only checks of hostPorts, and of probe pods', () => {
  it.each([
    ['pods of others', 'fixture', { nodes: [] }],
    ['a probe pod', 'k8snet-verify-1', { scenarios: ['host-port'], nodes: ['w1'], protocols: ['udp'] }],
  ])('%s', (_, namespace, breaks) => {
    const dump = policies('iptables')
    dropLines(dump, 'w1', saved, /-A CNI-DN-\S+ -p udp .*-j DNAT/)
    editCluster(dump, (cluster) => {
      for (const pod of cluster.pods.filter(({ name }) => name.startsWith('web-'))) pod.namespace = namespace
      for (const slice of cluster.slices)
        slice.endpoints = slice.endpoints.filter(({ pod }) => !pod?.startsWith('web-'))
      cluster.services = cluster.services.filter(({ namespace }) => namespace !== 'fixture')
    })
    const one = foundIn(dump).find(({ code }) => code === 'HOSTPORT_RULES_MISSING')
    expect(one?.breaks).toEqual(breaks)
  })

  it('a program that gets the packets instead is shown', () => {
    const dump = policies('iptables')
    dropLines(dump, 'w1', saved, 'CNI-')
    addLine(dump, 'w1', 'listeners', 'tcp LISTEN 0 128 0.0.0.0:18080 0.0.0.0:* users:(("nginx",pid=7,fd=3))')
    expect(foundIn(dump)[0]?.evidence.at(-1)?.line).toBe('tcp 0.0.0.0:18080 nginx')
  })
})

const well: { name: string; mode: Mode; edit: (dump: OpenDump) => void }[] = [
  { name: 'it was recorded', mode: 'iptables', edit: () => {} },
  { name: 'it was recorded', mode: 'nftables', edit: () => {} },
  {
    name: 'a firewall drops the port of a hostPort that only the node itself reaches',
    mode: 'iptables',
    edit: (dump) => inMangle(dump, 'w1', '-p tcp -m tcp --dport 18081 -j DROP'),
  },
  {
    name: 'a firewall drops the port where one host sends to it',
    mode: 'iptables',
    edit: (dump) => inMangle(dump, 'w1', '-s 198.51.100.7/32 -p tcp -m tcp --dport 18080 -j DROP'),
  },
  {
    name: 'a program listens at a hostPort, which has its rules',
    mode: 'iptables',
    edit: (dump) =>
      addLine(dump, 'w1', 'listeners', 'tcp LISTEN 0 128 0.0.0.0:18080 0.0.0.0:* users:(("nginx",pid=7,fd=3))'),
  },
  {
    name: 'a configuration without portmap, and no pod with a hostPort there',
    mode: 'iptables',
    edit: (dump) => {
      dropLines(dump, 'w1', saved, 'CNI-')
      withoutPortmap(dump, 'w1')
      withoutHostPorts(dump, (node) => node === 'w1')
    },
  },
  {
    name: 'a pod with a hostPort that is leaving, its rules gone',
    mode: 'iptables',
    edit: (dump) => {
      dropLines(dump, 'w1', saved, 'CNI-')
      editCluster(dump, ({ pods }) => {
        for (const pod of pods) if (pod.node === 'w1' && pod.name.startsWith('web-')) pod.leaving = true
      })
    },
  },
  {
    name: 'a network provider that has hostPorts by other means',
    mode: 'iptables',
    edit: (dump) => {
      for (const { node } of dump.nodes) {
        dropLines(dump, node, saved, 'CNI-')
        withoutPortmap(dump, node)
      }
      editCluster(dump, ({ configs }) => {
        configs.provider = 'cilium'
      })
    },
  },
  {
    name: 'rules of which nft told nothing',
    mode: 'nftables',
    edit: (dump) => {
      delete nodeOf(dump, 'w1').parts.nft
      nodeOf(dump, 'w1').problems.nft = 'nft netlink: Error: cache initialization failed (status 1)'
    },
  },
  {
    name: 'a rule for a port of others, and one of which it cannot be said whether it holds',
    mode: 'iptables',
    edit: (dump) => {
      first(dump, 'w1', '-A PREROUTING -p tcp -m tcp --dport 18090 -j REDIRECT --to-ports 3128')
      first(
        dump,
        'w1',
        '-A PREROUTING -p tcp -m set --match-set some dst -m tcp --dport 18080 -j REDIRECT --to-ports 3128',
      )
    },
  },
]

describe('nothing is named where hostPorts are as they should be', () => {
  it.each(well)('$name ($mode)', ({ mode, edit }) => {
    const dump = policies(mode)
    edit(dump)
    expect(named(dump)).toEqual([])
  })

  it('in a cluster of 100 nodes, until one of them has lost its rules', () => {
    const dump = grown(100)
    const real = partOf(policies('iptables'), 'w1', saved).split('\n')
    const rules = real.filter((line) => /-A CNI-|-j CNI-HOSTPORT-(DNAT|MASQ)/.test(line))
    const chains = real.filter((line) => line.startsWith(':CNI-'))
    for (const pod of dump.cluster!.pods.filter(({ name }) => name.startsWith('web-'))) {
      const it = pod.containers[0]!
      it.ports = [{ port: 8080, protocol: 'tcp', hostPort: 18080 }]
      const own = rules.map((line) => line.replace('10.244.2.5', pod.ips[0]!)).join('\n')
      addLine(dump, pod.node, saved, own, '-A FLANNEL-POSTRTG')
      addLine(dump, pod.node, saved, chains.join('\n'), ':FLANNEL-POSTRTG')
    }
    expect(named(dump)).toEqual([])
    dropLines(dump, 'w50', saved, '-A CNI-HOSTPORT-DNAT')
    expect(named(dump)).toEqual(['HOSTPORT_RULES_MISSING w50'])
  })
})
