import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { pictureOf } from '../../src/dump/picture.ts'
import type { Code } from '../../src/model/codes.ts'
import type { ClusterDump } from '../../src/model/dump.ts'
import {
  addLine,
  broken,
  dropLines,
  editCluster,
  editJson,
  healthy,
  nodeOf,
  type OpenDump,
  replace,
  setSysctl,
} from '../dump/healthy.ts'
import { codesOf, findings } from './findings.ts'
import { eachComesAlone, type Row } from './rows.ts'

const saved = 'iptables-save'

/** The same cluster with kube-proxy's nftables mode, its tables as nft printed them. */
function inNftables(dump: OpenDump, version: '1.33' | '1.37'): void {
  for (const { node, parts } of dump.nodes) {
    parts[saved] = parts[saved]!.split('\n')
      .filter((line) => !/KUBE-(S|NODEPORTS|EXT|MARK|POST|FORWARD|PROXY)/.test(line))
      .join('\n')
    parts.nft = readFileSync(new URL(`nft/kube-proxy-${version}-${node}.txt`, import.meta.url), 'utf8')
  }
  editCluster(dump, ({ configs }) => {
    configs.proxy!.mode = 'nftables'
  })
}

// biome-ignore lint/suspicious/noExplicitAny: it is whatever nft printed
type Nft = any[]

const editNft = (dump: OpenDump, node: string, edit: (all: Nft) => Nft): void =>
  editJson(dump, node, 'nft', (json) => {
    json.nftables = edit(json.nftables)
  })

/** Of the endpoint of the Service web on w1. */
const sep = 'KUBE-SEP-4VXMUMGWB6MSPKB2'

const cases: Row[] = [
  {
    fault: 'ports of cni0 are not in hairpin mode',
    edit: (dump) => replace(dump, 'w1', 'ports', '"hairpin":true', '"hairpin":false'),
    code: 'HAIRPIN_OFF',
    where: 'w1',
    shows: 'hairpin off',
  },
  {
    fault: 'the container of kube-proxy crashes',
    edit: (dump) =>
      editCluster(dump, ({ pods }) => {
        const pod = pods.find(({ name, node }) => name.startsWith('kube-proxy') && node === 'w1')!
        pod.ready = false
        pod.containers[0]!.waiting = 'CrashLoopBackOff'
      }),
    code: 'KUBE_PROXY_DOWN',
    where: 'w1',
    shows: 'CrashLoopBackOff',
  },
  {
    fault: 'kube-proxy has no pod on a node',
    edit: (dump) => {
      editCluster(dump, (cluster) => {
        cluster.pods = cluster.pods.filter(({ name, node }) => !(name.startsWith('kube-proxy') && node === 'w1'))
      })
      dropLines(dump, 'w1', 'listeners', '10256')
      // what it leaves behind becomes wrong, and is not told beside it
      dropLines(dump, 'w1', saved, sep)
    },
    code: 'KUBE_PROXY_DOWN',
    where: 'w1',
    shows: 'no pod',
  },
  {
    fault: 'a Service has no rule on one node',
    edit: (dump) => dropLines(dump, 'w1', saved, '-A KUBE-SERVICES -d 10.111.105.51/32'),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    shows: '(nothing)',
  },
  {
    fault: 'an endpoint has no rule on one node',
    edit: (dump) => dropLines(dump, 'w1', saved, '-j KUBE-SEP-4VXMUMGWB6MSPKB2'),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    shows: '(nothing)',
  },
  {
    fault: 'a NodePort has no rule on one node',
    edit: (dump) => dropLines(dump, 'w1', saved, '-A KUBE-NODEPORTS'),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    shows: '(nothing)',
  },
  {
    fault: 'all rules of kube-proxy are gone',
    edit: (dump) => dropLines(dump, 'w1', saved, 'KUBE-'),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    shows: 'no rule leads to KUBE-SERVICES',
  },
  {
    fault: 'nothing leads to KUBE-SERVICES',
    edit: (dump) =>
      dropLines(dump, 'w1', saved, /-A (PREROUTING|OUTPUT) .*"kubernetes service portals" -j KUBE-SERVICES/),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    shows: 'no rule leads to KUBE-SERVICES',
  },
  {
    fault: 'a rule of one node leads to an endpoint that is gone',
    edit: (dump) => replace(dump, 'w1', saved, '--to-destination 10.244.1.5:8080', '--to-destination 10.244.1.77:8080'),
    code: 'KUBE_RULES_STALE',
    where: 'w1',
    shows: '10.244.1.77:8080',
  },
  {
    fault: 'one endpoint gets three quarters',
    edit: (dump) =>
      replace(dump, 'w1', saved, /(KUBE-SVC-XEAMNPMKRRL5FMBS .*probability) 0.50000000000/, '$1 0.75000000000'),
    code: 'KUBE_SPREAD_WRONG',
    where: 'w1',
    shows: '--probability 0.75000000000',
  },
  {
    fault: 'the last rule is taken by chance, too',
    edit: (dump) =>
      replace(
        dump,
        'w1',
        saved,
        /(KUBE-SVC-XEAMNPMKRRL5FMBS .*10\.244\.1\.5:8080") -j/,
        '$1 -m statistic --mode random --probability 0.50000000000 -j',
      ),
    code: 'KUBE_SPREAD_WRONG',
    where: 'w1',
    shows: '10.244.1.5:8080',
  },
  {
    fault: 'an endpoint does not mark its own packets',
    edit: (dump) => dropLines(dump, 'w1', saved, `-A ${sep} -s 10.244.1.5/32`),
    code: 'KUBE_MASQ_MISSING',
    where: 'w1',
    shows: `-A ${sep}`,
  },
  {
    fault: 'marked packets keep their source',
    edit: (dump) => dropLines(dump, 'w1', saved, /-A KUBE-POSTROUTING .*MASQUERADE/),
    code: 'KUBE_MASQ_MISSING',
    where: 'w1',
    shows: '-A KUBE-POSTROUTING',
  },
  {
    fault: 'nothing is marked',
    edit: (dump) => dropLines(dump, 'w1', saved, '-A KUBE-MARK-MASQ'),
    code: 'KUBE_MASQ_MISSING',
    where: 'w1',
    shows: 'no such rule',
  },
  {
    fault: 'a UDP connection goes on to a pod that is gone',
    edit: (dump) =>
      addLine(
        dump,
        'w1',
        'flows',
        'ipv4     2 udp      17 25 src=10.244.1.5 dst=10.96.0.10 sport=40000 dport=53 [UNREPLIED] src=10.244.0.99 dst=10.244.1.5 sport=53 dport=40000 mark=0 zone=0 use=2',
      ),
    code: 'UDP_CONNTRACK_STALE',
    where: 'w1',
    shows: 'src=10.244.0.99',
  },
  {
    fault: 'the kubelet names another DNS server',
    edit: (dump) => replace(dump, 'w1', 'kubelet-config', '10.96.0.10', '10.100.0.10'),
    code: 'KUBELET_DNS_MISMATCH',
    where: 'w1',
    shows: '10.100.0.10',
  },
  {
    fault: 'the kubelet names another domain',
    edit: (dump) => replace(dump, 'w1', 'kubelet-config', 'cluster.local', 'corp.example'),
    code: 'KUBELET_DNS_MISMATCH',
    where: 'w1',
    shows: 'corp.example',
  },
  {
    fault: 'CoreDNS says that it asks itself',
    edit: (dump) =>
      coreDns(dump, {
        waiting: 'CrashLoopBackOff',
        ended: 'plugin/loop: Loop (127.0.0.1:36153 -> :53) detected for zone "."',
      }),
    code: 'COREDNS_LOOP',
    where: 'kube-system/coredns',
    shows: 'Loop (127.0.0.1',
  },
  {
    fault: 'CoreDNS crashes, and its resolv.conf names the node',
    edit: (dump) => coreDns(dump, { waiting: 'CrashLoopBackOff', ended: 'Error' }),
    code: 'COREDNS_LOOP',
    where: 'kube-system/coredns',
    shows: 'nameserver 127.0.0.11',
  },
  {
    fault: 'CoreDNS crashes, and its Corefile names itself',
    edit: (dump) => {
      coreDns(dump, { waiting: 'CrashLoopBackOff', ended: 'Error' })
      editCluster(dump, ({ configs }) => {
        configs.corefile = configs.corefile!.replace('forward . /etc/resolv.conf', 'forward . 127.0.0.1')
      })
    },
    code: 'COREDNS_LOOP',
    where: 'kube-system/coredns',
    shows: 'forward . 127.0.0.1',
  },
  {
    fault: 'no pod of CoreDNS is ready',
    edit: (dump) => coreDns(dump, {}),
    code: 'COREDNS_NOT_READY',
    where: 'kube-system/coredns',
    shows: 'not ready',
  },
  {
    fault: 'CoreDNS has no pod',
    edit: (dump) => {
      editCluster(dump, (cluster) => {
        cluster.pods = cluster.pods.filter(({ name }) => !name.startsWith('coredns'))
        cluster.slices.find(({ service }) => service === 'kube-dns')!.endpoints = []
      })
      for (const node of ['cp1', 'w1']) dropLines(dump, node, saved, /kube-dns/)
      dropLines(dump, 'cp1', 'cni-leases', /10\.244\.0\.[23]$/)
    },
    code: 'DNS_NO_ENDPOINTS',
    where: 'kube-system/kube-dns',
    shows: 'no ready endpoint',
  },
  {
    fault: 'packets could not be entered into the table of connections',
    edit: (dump) => replace(dump, 'w1', 'conntrack', /\n((?:\S+ +){9})00000000/, '\n$100000fff'),
    code: 'DNS_CONNTRACK_RACE',
    where: 'w1',
    shows: 'insert_failed',
    level: 'warning',
  },
  {
    fault: 'a node is not ready',
    edit: (dump) =>
      editCluster(dump, ({ nodes }) => {
        nodes.find(({ name }) => name === 'w1')!.ready = false
        nodes.find(({ name }) => name === 'w1')!.reason = 'Kubelet stopped posting node status.'
      }),
    code: 'NODE_NOT_READY',
    where: 'w1',
    shows: 'Kubelet stopped posting node status.',
  },
  {
    fault: 'the kubelet does not run',
    edit: (dump) => {
      dropLines(dump, 'w1', 'kubelet', /^pid /)
      dropLines(dump, 'w1', 'listeners', ':10250')
    },
    code: 'NODE_NOT_READY',
    where: 'w1',
    shows: '(nothing)',
  },
  {
    fault: 'pods that fit and are ready are no endpoints',
    edit: (dump) => {
      editCluster(dump, ({ slices }) => {
        for (const slice of slices) if (slice.service === 'web') slice.endpoints = []
      })
      for (const node of ['cp1', 'w1']) dropLines(dump, node, saved, 'fixture/web')
    },
    code: 'SERVICE_NO_ENDPOINTS',
    where: 'fixture/web',
    shows: 'ready',
  },
  {
    fault: 'a NetworkPolicy and nobody who enforces it',
    edit: (dump) =>
      editCluster(dump, ({ policies }) => {
        policies.push({ namespace: 'fixture', name: 'deny-all' })
      }),
    code: 'NETPOL_NOT_ENFORCED',
    where: 'fixture/deny-all',
    shows: 'deny-all',
    level: 'warning',
  },
]

function coreDns(dump: OpenDump, state: { waiting?: string; ended?: string }): void {
  editCluster(dump, ({ pods, slices }) => {
    for (const pod of pods.filter(({ name }) => name.startsWith('coredns'))) {
      pod.ready = false
      Object.assign(pod.containers[0]!, state)
    }
    for (const endpoint of slices.find(({ service }) => service === 'kube-dns')!.endpoints)
      Object.assign(endpoint, { ready: false, serving: false })
  })
  for (const node of ['cp1', 'w1']) dropLines(dump, node, saved, /kube-dns/)
}

describe('what is wrong between Services and pods is named', () => {
  eachComesAlone(cases)
})

describe('what a verification leaves for some seconds is no cause', () => {
  it.each([
    ['its Service', 'k8snet-verify-1', []],
    ['a Service of others', 'fixture', ['UDP_CONNTRACK_STALE w1']],
  ])('UDP connections of %s without endpoints', (_, namespace, wanted) => {
    const dump = broken((dump) => {
      editCluster(dump, ({ services }) => {
        const web = services.find(({ name }) => name === 'web')!
        const port = { name: 'udp', protocol: 'udp', port: 9, targetPort: '9' }
        const { selector: _, ...rest } = web
        services.push({
          ...rest,
          namespace,
          name: 'probe',
          type: 'ClusterIP',
          clusterIPs: ['10.96.0.99'],
          ports: [port],
        })
      })
      addLine(
        dump,
        'w1',
        'flows',
        'ipv4     2 udp      17 25 src=10.244.1.5 dst=10.96.0.99 sport=40000 dport=9 src=10.244.0.99 dst=10.244.1.5 sport=9 dport=40000 mark=0 zone=0 use=2',
      )
    })
    expect(codesOf(dump)).toEqual(wanted)
  })
})

const nftCases: { fault: string; version: '1.33' | '1.37'; edit: (dump: OpenDump) => void; code: Code }[] = [
  {
    fault: 'a Service has no rule',
    version: '1.37',
    edit: (dump) =>
      editServiceIps(dump, 'w1', (elem) => elem.filter(([key]) => !JSON.stringify(key).includes('10.111.105.51'))),
    code: 'KUBE_RULES_MISSING',
  },
  {
    fault: 'one endpoint is named twice, another not at all',
    version: '1.37',
    edit: (dump) => replace(dump, 'w1', 'nft', '"10.244.1.5",8080', '"10.244.0.6",8080'),
    code: 'KUBE_RULES_MISSING',
  },
  {
    fault: 'an endpoint is gone',
    version: '1.37',
    edit: (dump) => replace(dump, 'w1', 'nft', '"10.244.1.5",8080', '"10.244.1.99",8080'),
    code: 'KUBE_RULES_STALE',
  },
  {
    fault: 'one number leads nowhere',
    version: '1.37',
    edit: (dump) => replace(dump, 'w1', 'nft', '"mod":2', '"mod":3'),
    code: 'KUBE_SPREAD_WRONG',
  },
  {
    fault: 'a hairpin connection is not known',
    version: '1.37',
    edit: (dump) => replace(dump, 'w1', 'nft', '["10.244.1.5","10.244.1.5"', '["10.244.1.9","10.244.1.9"'),
    code: 'KUBE_MASQ_MISSING',
  },
  {
    fault: 'the chain that masquerades is empty',
    version: '1.37',
    edit: (dump) => editNft(dump, 'w1', (all) => all.filter(({ rule }) => rule?.chain !== 'masquerading')),
    code: 'KUBE_MASQ_MISSING',
  },
  {
    fault: 'the table is gone',
    version: '1.37',
    edit: (dump) => editNft(dump, 'w1', (all) => all.slice(0, 1)),
    code: 'KUBE_RULES_MISSING',
  },
  {
    fault: 'an endpoint is gone',
    version: '1.33',
    edit: (dump) => replace(dump, 'w1', 'nft', '"dnat":{"addr":"10.244.1.5"', '"dnat":{"addr":"10.244.1.99"'),
    code: 'KUBE_RULES_STALE',
  },
  {
    fault: 'an endpoint does not mark its own packets',
    version: '1.33',
    edit: (dump) =>
      editNft(dump, 'w1', (all) =>
        all.filter(({ rule }) => !(rule?.chain.includes('__10.244.1.5') && JSON.stringify(rule).includes('jump'))),
      ),
    code: 'KUBE_MASQ_MISSING',
  },
  {
    fault: 'one number leads nowhere',
    version: '1.33',
    edit: (dump) => replace(dump, 'w1', 'nft', '"mod":2', '"mod":3'),
    code: 'KUBE_SPREAD_WRONG',
  },
]

// biome-ignore lint/suspicious/noExplicitAny: it is whatever nft printed
function editServiceIps(dump: OpenDump, node: string, edit: (elem: any[]) => any[]): void {
  editNft(dump, node, (all) => {
    const map = all.find((one) => one.map?.name === 'service-ips').map
    map.elem = edit(map.elem)
    return all
  })
}

describe("what is wrong with the rules of kube-proxy's nftables mode is named", () => {
  it.each(nftCases)('$code, as in $version: $fault', ({ version, edit, code }) => {
    const dump = healthy()
    inNftables(dump, version)
    edit(dump)
    expect(codesOf(pictureOf(dump as ClusterDump))).toEqual([`${code} w1`])
  })

  it.each(['1.33', '1.37'] as const)('finds nothing where all is well, as in %s', (version) => {
    const dump = healthy()
    inNftables(dump, version)
    expect(codesOf(pictureOf(dump as ClusterDump))).toEqual([])
  })
})

const well: { name: string; edit: (dump: OpenDump) => void }[] = [
  {
    name: 'an endpoint came just now, and no node has a rule for it yet',
    edit: (dump) =>
      editCluster(dump, ({ slices, pods }) => {
        const slice = slices.find(({ service }) => service === 'web')!
        slice.endpoints.push({
          ip: '10.244.1.6',
          node: 'w1',
          pod: 'web-new',
          ready: true,
          serving: true,
          terminating: false,
        })
        const pod = pods.find(({ name, node }) => name.startsWith('web-') && node === 'w1')!
        pods.push({ ...pod, name: 'web-new', uid: 'new', ips: ['10.244.1.6'] })
      }),
  },
  {
    name: 'an endpoint is about to leave, and one node has taken out its rule already',
    edit: (dump) => {
      editCluster(dump, ({ slices, pods }) => {
        const pod = pods.find(({ name, node }) => name.startsWith('web-') && node === 'w1')!
        pod.leaving = true
        for (const { endpoints } of slices)
          for (const endpoint of endpoints)
            if (endpoint.pod === pod.name) Object.assign(endpoint, { ready: false, serving: true, terminating: true })
      })
      replace(
        dump,
        'w1',
        saved,
        /(fixture\/\S+ -> 10\.244\.0\.6:8080") -m statistic --mode random --probability 0.50000000000/,
        '$1',
      )
      dropLines(dump, 'w1', saved, /-> 10\.244\.1\.5:8080/)
    },
  },
  {
    name: 'an endpoint has left, and all nodes still have its rule',
    edit: (dump) =>
      editCluster(dump, ({ slices }) => {
        for (const slice of slices)
          if (slice.service === 'web') slice.endpoints = slice.endpoints.filter(({ node }) => node !== 'w1')
      }),
  },
  {
    name: 'a headless Service, an ExternalName and one without selector',
    edit: (dump) =>
      editCluster(dump, ({ services, slices }) => {
        slices.push({ ...slices.find(({ service }) => service === 'web')!, name: 'headless-1', service: 'headless' })
        const like = services.find(({ name }) => name === 'web')!
        const { selector: _, ...bare } = like
        services.push({ ...like, name: 'headless', clusterIPs: ['None'], selector: { app: 'web' } })
        services.push({ ...bare, name: 'elsewhere', type: 'ExternalName', clusterIPs: [], externalName: 'example.org' })
        services.push({ ...bare, name: 'by-hand', clusterIPs: ['10.99.1.1'] })
      }),
  },
  {
    name: 'internalTrafficPolicy Local: each node has the rule of its own endpoint only',
    edit: (dump) => {
      editCluster(dump, ({ services }) => {
        services.find(({ name }) => name === 'web')!.internalTrafficPolicy = 'Local'
      })
      for (const [node, other] of [
        ['cp1', '10.244.1.5'],
        ['w1', '10.244.0.6'],
      ] as const) {
        dropLines(dump, node, saved, `"fixture/web:http -> ${other}:8080"`)
        replace(dump, node, saved, 'KUBE-SVC-XEAMNPMKRRL5FMBS', 'KUBE-SVL-XEAMNPMKRRL5FMBS')
      }
      replace(dump, 'cp1', saved, /("fixture\/web:http -> \S+) -m statistic --mode random --probability \S+/, '$1')
    },
  },
  {
    name: 'session affinity',
    edit: (dump) => {
      for (const node of ['cp1', 'w1'])
        addLine(
          dump,
          node,
          saved,
          `[0:0] -A KUBE-SVC-XEAMNPMKRRL5FMBS -m comment --comment "fixture/web:http -> 10.244.1.5:8080" -m recent --rcheck --seconds 10800 --reap --name ${sep} --mask 255.255.255.255 --rsource -j ${sep}`,
          '-A KUBE-SVC-XEAMNPMKRRL5FMBS -m comment',
        )
    },
  },
  {
    name: 'a Service without endpoints, which kube-proxy rejects, is no error',
    edit: (dump) => {
      for (const node of ['cp1', 'w1'])
        addLine(
          dump,
          node,
          saved,
          '[0:0] -A KUBE-SERVICES -d 10.100.7.7/32 -p tcp -m comment --comment "fixture/none has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
          '-A OUTPUT -m conntrack',
        )
    },
  },
  {
    name: 'NodeLocal DNSCache',
    edit: (dump) => {
      for (const node of ['cp1', 'w1']) replace(dump, node, 'kubelet-config', '10.96.0.10', '169.254.20.10')
    },
  },
  {
    name: 'a NetworkPolicy and something that enforces it',
    edit: (dump) =>
      editCluster(dump, ({ policies, daemonSets }) => {
        policies.push({ namespace: 'fixture', name: 'deny-all' })
        daemonSets.push({ namespace: 'kube-system', name: 'kube-network-policies', desired: 2, ready: 2 })
      }),
  },
  {
    name: 'a node whose rules could not be read',
    edit: (dump) => {
      for (const part of [saved, 'nft']) {
        delete nodeOf(dump, 'w1').parts[part]
        nodeOf(dump, 'w1').problems[part] = 'there is no iptables-save on the host'
      }
    },
  },
  {
    name: 'a node that could not be read at all',
    edit: (dump) => {
      dump.nodes = dump.nodes.filter(({ node }) => node !== 'w1')
      dump.unread.push({ node: 'w1', why: 'no connection' })
    },
  },
  {
    name: 'the API server does not answer',
    edit: (dump) => {
      delete dump.cluster
      dump.apiTrouble = 'connection refused'
    },
  },
  {
    name: 'kube-proxy is being replaced',
    edit: (dump) =>
      editCluster(dump, ({ pods }) => {
        const pod = pods.find(({ name, node }) => name.startsWith('kube-proxy') && node === 'w1')!
        Object.assign(pod, { leaving: true, ready: false })
      }),
  },
  {
    name: 'a bridge that takes everything instead of hairpin ports',
    edit: (dump) => {
      replace(dump, 'w1', 'ports', '"hairpin":true', '"hairpin":false')
      // biome-ignore lint/suspicious/noExplicitAny: it is whatever ip printed
      editJson(dump, 'w1', 'links', (links: any[]) =>
        links.find(({ ifname }) => ifname === 'cni0').flags.push('PROMISC'),
      )
    },
  },
  {
    name: 'a table of connections that is a little used',
    edit: (dump) => setSysctl(dump, 'w1', 'net.netfilter.nf_conntrack_count', '100000'),
  },
]

describe('nothing is named where nothing is wrong', () => {
  it.each(well)('$name', ({ edit }) => {
    const real = findings(broken(edit)).filter(({ level }) => level !== 'warning')
    expect(real.map((one) => `${one.code} ${one.where}`)).toEqual([])
  })

  it('a Service that nobody serves is a warning', () => {
    const found = findings(
      broken((dump) =>
        editCluster(dump, ({ services }) => {
          const like = services.find(({ name }) => name === 'web')!
          services.push({ ...like, name: 'empty', clusterIPs: ['10.99.1.2'], selector: { app: 'nobody' } })
        }),
      ),
    )
    expect(found.map(({ code, where, level }) => `${level} ${code} ${where}`)).toEqual([
      'warning SERVICE_NO_ENDPOINTS fixture/empty',
    ])
  })
})
