import { describe, expect, it } from 'vitest'
import { addLine, dropLines, editCluster, type OpenDump, partOf, replace } from '../dump/healthy.ts'
import { editChain, first, policies } from '../dump/policies.ts'
import { foundIn } from './findings.ts'
import { type Case, eachIsNamed } from './in-modes.ts'

const saved = 'iptables-save'
/** kube-proxy's chains of the Service edge end so. */
const edge = 'OWPJTJE6RQEV2U6V'

/** The name of a chain of kube-proxy's nftables mode: `local` of `fixture/edge`. */
const chainOf = (dump: OpenDump, node: string, kind: string, service: string): string =>
  new RegExp(`"(${kind}-[A-Z0-9]+-${service}/tcp/)"`).exec(partOf(dump, node, 'nft'))![1]!

const cases: Case[] = [
  {
    fault: 'a NodePort leads to no endpoint of the node',
    mode: 'iptables',
    edit: (dump) => dropLines(dump, 'w1', saved, `-A KUBE-EXT-${edge} -j KUBE-SVL-${edge}`),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    says: 'the endpoint 10.244.2.5:8080 of the NodePort 30081 of fixture/edge',
    shows: '(nothing)',
  },
  {
    fault: 'the chain of the own endpoints is empty',
    mode: 'iptables',
    edit: (dump) => dropLines(dump, 'w1', saved, `-A KUBE-SVL-${edge}`),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    says: 'the NodePort 30081 of fixture/edge',
    shows: '(nothing)',
  },
  {
    fault: 'nothing leads from the NodePort',
    mode: 'iptables',
    edit: (dump) => dropLines(dump, 'w1', saved, /-A KUBE-NODEPORTS .*30081/),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    says: 'w1 has no rule for the NodePort 30081 of fixture/edge',
    shows: '(nothing)',
  },
  {
    fault: 'the chain of the own endpoints is empty, of a Service that other nodes do not lead to at all',
    mode: 'iptables',
    edit: (dump) => dropLines(dump, 'w1', saved, '-A KUBE-SVL-UDY4FBO2W2QLH6PD -m comment'),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    says: 'the endpoint 10.244.2.5:8080 of fixture/inner',
    shows: '(nothing)',
  },
  {
    fault: 'the chain of the own endpoints names one that is gone',
    mode: 'iptables',
    edit: (dump) => {
      const gone = 'KUBE-SEP-AAAAAAAAAAAAAAAA'
      addLine(
        dump,
        'w1',
        saved,
        `[0:0] -A ${gone} -p tcp -m tcp -j DNAT --to-destination 10.244.2.77:8080`,
        '-A KUBE-SEP-',
      )
      addLine(dump, 'w1', saved, `:${gone} - [0:0]`, ':KUBE-SEP-')
      replace(dump, 'w1', saved, /(-A KUBE-SVL-OWPJTJE6RQEV2U6V .* -j) KUBE-SEP-\w+/, `$1 ${gone}`)
    },
    code: 'KUBE_RULES_STALE',
    where: 'w1',
    says: '10.244.2.77:8080, which is no endpoint any more',
    shows: '10.244.2.77:8080',
  },
  {
    fault: 'a NodePort leads to the endpoints of all nodes',
    mode: 'iptables',
    edit: (dump) => replace(dump, 'w1', saved, `-A KUBE-EXT-${edge} -j KUBE-SVL-`, `-A KUBE-EXT-${edge} -j KUBE-SVC-`),
    code: 'TRAFFIC_POLICY_BROKEN',
    where: 'w1',
    says: 'w1 leads the NodePort 30081 of fixture/edge to 10.244.0.6:8080 of cp1, although the traffic policy is Local',
    shows: 'KUBE-SVC-OWPJTJE6RQEV2U6V',
  },
  {
    fault: 'a node without an endpoint leads to that of another',
    mode: 'iptables',
    edit: (dump) =>
      addLine(
        dump,
        'cp1',
        saved,
        '[0:0] -A KUBE-EXT-4DPMKAXD6ENCUUCI -j KUBE-SVC-4DPMKAXD6ENCUUCI',
        '-A KUBE-EXT-OWPJ',
      ),
    code: 'TRAFFIC_POLICY_BROKEN',
    where: 'cp1',
    says: 'cp1 leads the NodePort 30082 of fixture/one to 10.244.2.4:8080 of w1',
    shows: 'KUBE-SEP-PWCSL6ETS4P7FPMQ',
  },
  {
    fault: 'a ClusterIP leads to the endpoints of all nodes',
    mode: 'iptables',
    edit: (dump) =>
      editCluster(dump, ({ services }) => {
        services.find(({ name }) => name === 'edge')!.internalTrafficPolicy = 'Local'
        for (const node of ['cp1', 'w2'])
          replace(
            dump,
            node,
            saved,
            /(-A KUBE-SERVICES .*) -j KUBE-SVC-OWPJTJE6RQEV2U6V/,
            '$1 -j KUBE-SVL-OWPJTJE6RQEV2U6V',
          )
      }),
    code: 'TRAFFIC_POLICY_BROKEN',
    where: 'w1',
    says: 'w1 leads fixture/edge to 10.244.0.6:8080 of cp1',
    shows: 'KUBE-SEP-TLVFOS7LWORX7OMY',
  },
  {
    fault: 'every client is marked',
    mode: 'iptables',
    edit: (dump) => first(dump, 'w1', `-A KUBE-EXT-${edge} -j KUBE-MARK-MASQ`),
    code: 'TRAFFIC_POLICY_BROKEN',
    where: 'w1',
    says: 'w1 hides the client of the NodePort 30081 of fixture/edge from its endpoints: a rule of ip nat KUBE-EXT-',
    shows: '-j KUBE-MARK-MASQ',
  },
  {
    fault: 'another program masquerades what comes from outside',
    mode: 'iptables',
    edit: (dump) => first(dump, 'w1', '-A POSTROUTING -s 192.168.58.0/24 -o cni0 -j MASQUERADE'),
    code: 'TRAFFIC_POLICY_BROKEN',
    where: 'w1',
    says: 'the NodePort 30081 of fixture/edge, the NodePort 30082 of fixture/one from its endpoints: a rule of ip nat POSTROUTING does',
    shows: '-s 192.168.58.0/24 -o cni0 -j MASQUERADE',
  },
  {
    fault: 'flannel masquerades what comes from outside to its own pods',
    mode: 'iptables',
    edit: (dump) => dropLines(dump, 'w1', saved, '-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.2.0/24'),
    code: 'TRAFFIC_POLICY_BROKEN',
    where: 'w1',
    says: 'a rule of ip nat FLANNEL-POSTRTG does',
    shows: '-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16',
  },
  {
    fault: 'a NodePort leads to no endpoint of the node',
    mode: 'nftables',
    edit: (dump) =>
      editChain(dump, 'w1', chainOf(dump, 'w1', 'external', 'fixture/edge'), (rules) =>
        rules.filter(({ rule }) => !JSON.stringify(rule.expr).includes('"local-')),
      ),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    says: 'the endpoint 10.244.2.13:8080 of the NodePort 30081 of fixture/edge',
    shows: '(nothing)',
  },
  {
    fault: 'the chain of the own endpoints is empty',
    mode: 'nftables',
    edit: (dump) => editChain(dump, 'w1', chainOf(dump, 'w1', 'local', 'fixture/inner'), () => []),
    code: 'KUBE_RULES_MISSING',
    where: 'w1',
    says: 'the endpoint 10.244.2.13:8080 of fixture/inner',
    shows: '(nothing)',
  },
  {
    fault: 'a NodePort leads to the endpoints of all nodes',
    mode: 'nftables',
    edit: (dump) => {
      const chain = chainOf(dump, 'w1', 'local', 'fixture/edge')
      replace(
        dump,
        'w1',
        'nft',
        `{"goto":{"target":"${chain}"}}`,
        `{"goto":{"target":"${chain.replace('local', 'service')}"}}`,
      )
    },
    code: 'TRAFFIC_POLICY_BROKEN',
    where: 'w1',
    says: 'w1 leads the NodePort 30081 of fixture/edge to 10.244.0.14:8080 of cp1',
    shows: 'numgen random mod 3',
  },
  {
    fault: 'every client is marked',
    mode: 'nftables',
    edit: (dump) =>
      editChain(dump, 'w1', chainOf(dump, 'w1', 'external', 'fixture/edge'), (rules) =>
        rules.map((one) => {
          const expr = one.rule.expr.filter(
            (it: object) => !JSON.stringify(it).includes('fib') || !JSON.stringify(one.rule).includes('mangle'),
          )
          return { rule: { ...one.rule, expr } }
        }),
      ),
    code: 'TRAFFIC_POLICY_BROKEN',
    where: 'w1',
    says: 'w1 hides the client of the NodePort 30081 of fixture/edge from its endpoints: a rule of ip kube-proxy external-',
    shows: 'meta mark set',
  },
]

describe('what is wrong with the traffic policies of Services is named', () => {
  eachIsNamed(cases)

  it('a NodePort with the policy Cluster that marks nobody', () => {
    const dump = policies('iptables')
    editCluster(dump, ({ services }) => {
      services.find(({ name }) => name === 'edge')!.externalTrafficPolicy = 'Cluster'
    })
    for (const { node } of dump.nodes) {
      dropLines(dump, node, saved, new RegExp(`-A KUBE-EXT-${edge} .*(10.244|LOCAL)`))
      replace(dump, node, saved, `-A KUBE-EXT-${edge} -j KUBE-SVL-`, `-A KUBE-EXT-${edge} -j KUBE-SVC-`)
      if (node !== 'w1') first(dump, node, `-A KUBE-EXT-${edge} -j KUBE-MARK-MASQ`)
    }
    expect(foundIn(dump).map(({ code, where, message }) => `${code} ${where}: ${message}`)).toEqual([
      'KUBE_MASQ_MISSING w1: On w1 the rules of the NodePort 30081 of fixture/edge do not mark what comes from outside',
    ])
  })
})

describe('nothing is named where traffic policies are as they should be', () => {
  it.each(['iptables', 'nftables'] as const)('as recorded, with the mode %s', (mode) => {
    expect(foundIn(policies(mode))).toEqual([])
  })

  it('a node whose only local endpoint has left: it stays silent by design', () => {
    const dump = policies('iptables')
    editCluster(dump, ({ slices, pods }) => {
      for (const slice of slices.filter(({ service }) => service === 'edge' || service === 'inner'))
        slice.endpoints = slice.endpoints.filter(({ node }) => node !== 'w1')
      for (const pod of pods) if (pod.node === 'w1' && pod.name.startsWith('web-')) pod.labels.app = 'other'
    })
    for (const { node } of dump.nodes) {
      dropLines(dump, node, saved, /fixture\/edge -> 10\.244\.2\.5/)
      replace(dump, node, saved, /("fixture\/edge -> 10.244.0.6:8080" .*probability) 0\.333\d+/, '$1 0.50000000000')
      replace(
        dump,
        node,
        saved,
        /("fixture\/edge -> 10.244.1.4:8080") -m statistic --mode random --probability \S+/,
        '$1',
      )
    }
    dropLines(dump, 'w1', saved, /-j KUBE-SVL-(OWPJ|UDY4)|-A KUBE-SVL-(OWPJ|UDY4)/)
    expect(foundIn(dump)).toEqual([])
  })
})
