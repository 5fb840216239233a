import { describe, expect, it } from 'vitest'
import type { Cause, Finding } from '../../src/model/cause.ts'
import type { NodeView, Picture } from '../../src/model/dump.ts'
import type { Check, VerifyReport } from '../../src/model/report.ts'
import { explained, findAll, lasting } from '../../src/verify/explain.ts'

const nodes = ['cp1', 'w1', 'w2']
const picture = (
  configs: object = { provider: 'flannel', flannel: { backend: 'vxlan' }, proxy: { mode: 'iptables' } },
) =>
  ({
    nodes: new Map(nodes.map((name) => [name, { flannelEnv: null } as unknown as NodeView])),
    unread: new Map(),
    cluster: {
      nodes: nodes.map((name) => ({ name })),
      pods: [{ namespace: 'kube-system', name: 'coredns-1', node: 'w2' }],
      configs,
    },
  }) as unknown as Picture

const cause = (code: Cause['code'], ...found: Partial<Finding>[]): Cause => ({
  code,
  because: 'Because.',
  shows: 'ip link',
  fix: 'mend it',
  find: () => found.map((it) => ({ where: 'w1', message: 'it is so', evidence: [], breaks: { nodes: ['w1'] }, ...it })),
})

const check = (scenario: Check['scenario'], from: string, to: string, protocol: 'tcp' | 'icmp' = 'tcp'): Check => ({
  id: `${scenario}/${from}/${to}/${protocol}`,
  scenario,
  from,
  to,
  protocol,
  outcome: 'failed',
  ms: 0,
})
const pair = (from: string, to: string) => check('pod-to-pod', from, to)
const report = (...checks: Check[]): VerifyReport => ({ ok: checks.length === 0, ms: 1, checks })

/** Which of the checks a finding with these `breaks` explains. */
function explains(breaks: Finding['breaks'], ...checks: Check[]): string[] {
  const of = findAll([cause('VTEP_MAC_DRIFT', { breaks })], picture())
  return explained(report(...checks), of, picture()).causes![0]!.explains
}

describe('a finding explains', () => {
  const all = [pair('cp1', 'w1'), pair('w1', 'cp1'), pair('cp1', 'w2'), pair('w1', 'w1'), pair('w2', 'w2')]
  const ids = (...checks: Check[]) => checks.map(({ id }) => id)

  it.each<[string, Finding['breaks'], Check[]]>([
    ['whatever begins or ends on its nodes', { nodes: ['w1'] }, [all[0]!, all[1]!, all[3]!]],
    ['only what crosses nodes', { nodes: ['w1'], acrossOnly: true }, [all[0]!, all[1]!]],
    ['only what stays on a node', { nodes: ['w1'], withinOnly: true }, [all[3]!]],
    ['a pair in either direction', { pairs: [['w1', 'cp1']] }, [all[0]!, all[1]!]],
    ['nothing, where its nodes are none', { nodes: [] }, []],
    ['everything, where it names no place', {}, all],
    ['only its scenarios', { scenarios: ['dns'] }, []],
    ['only its protocols', { protocols: ['udp'] }, []],
  ])('%s', (_, breaks, wanted) => {
    expect(explains(breaks, ...all)).toEqual(ids(...wanted))
  })

  it('a check of a Service by any node that the Service may lead to', () => {
    expect(explains({ nodes: ['w2'] }, check('pod-to-service', 'cp1', 'probe'))).toHaveLength(1)
  })

  it('a check of a NodePort from the node that it is asked of, whoever asks', () => {
    const asked = check('outside-to-service', 'w2', 'w1')
    expect(explains({ pairs: [['w1', 'cp1']] }, asked)).toHaveLength(1)
    expect(explains({ pairs: [['w2', 'cp1']] }, asked)).toHaveLength(0)
  })

  it('a check of a pod by the node that the pod is on', () => {
    expect(explains({ nodes: ['w2'] }, check('dns', 'cp1', 'coredns-1'), check('node-to-pod', 'cp1', 'b-w1'))).toEqual([
      'dns/cp1/coredns-1/tcp',
    ])
  })
})

describe('a report with causes', () => {
  const said = (causes: Cause[], ...checks: Check[]) =>
    explained(report(...checks), findAll(causes, picture()), picture())

  it('puts first what explains something, and warnings last', () => {
    const codes = said(
      [
        cause('NETPOL_NOT_ENFORCED', { level: 'warning' }),
        cause('HAIRPIN_OFF', { breaks: { scenarios: ['hairpin'] } }),
        cause('VTEP_MAC_DRIFT', {}),
      ],
      pair('w1', 'w2'),
    ).causes!.map(({ code }) => code)
    expect(codes).toEqual(['VTEP_MAC_DRIFT', 'HAIRPIN_OFF', 'NETPOL_NOT_ENFORCED'])
  })

  it('gives each of two causes its own pairs, and names what neither explains', () => {
    const two = said(
      [
        cause('VTEP_MAC_DRIFT', { breaks: { nodes: ['w2'], acrossOnly: true } }),
        cause('PEER_ROUTE_MISSING', { breaks: { pairs: [['cp1', 'w1']] } }),
      ],
      pair('cp1', 'w1'),
      pair('cp1', 'w2'),
      pair('w1', 'w1'),
    )
    expect(two.causes!.map(({ code, explains }) => [code, explains])).toEqual([
      ['VTEP_MAC_DRIFT', ['pod-to-pod/cp1/w2/tcp']],
      ['PEER_ROUTE_MISSING', ['pod-to-pod/cp1/w1/tcp']],
    ])
    expect(two.unexplained).toEqual(['pod-to-pod/w1/w1/tcp'])
  })

  it('is not ok with an error that breaks nothing yet, and stays ok with a warning', () => {
    expect(said([cause('PEER_FDB_STALE', {})]).ok).toBe(false)
    expect(said([cause('CERT_EXPIRING', { level: 'warning' })]).ok).toBe(true)
  })
})

describe('a cause', () => {
  it.each([
    ['flannel', { provider: 'calico' }, 'the pod network is calico'],
    ['vxlan', { provider: 'flannel', flannel: { backend: 'host-gw' } }, undefined],
    ['iptables', { provider: 'flannel', proxy: { mode: 'nftables' } }, undefined],
  ] as const)(
    'that needs %s is skipped elsewhere; another pod network is a reason to say so',
    (needs, configs, why) => {
      const { found, skipped } = findAll([{ ...cause('VTEP_MAC_DRIFT', {}), needs }], picture(configs))
      expect(found).toEqual([])
      expect(skipped.map((it) => it.why.split(';')[0])).toEqual(why ? [why] : [])
    },
  )

  it('that stumbles is skipped and said to be so, and the others go on', () => {
    const bad: Cause = {
      ...cause('HAIRPIN_OFF'),
      find: () => {
        throw new Error('no such part')
      },
    }
    const { found, skipped } = findAll([bad, cause('VTEP_MAC_DRIFT', {})], picture())
    expect(found.map((it) => it.cause.code)).toEqual(['VTEP_MAC_DRIFT'])
    expect(skipped).toEqual([{ code: 'HAIRPIN_OFF', why: 'the dump could not be understood: no such part' }])
  })

  it('that holds only in the first of two pictures was no fault', () => {
    const first = findAll([cause('PEER_ROUTE_MISSING', {}), cause('KUBE_RULES_MISSING', {})], picture())
    const second = findAll([cause('PEER_ROUTE_MISSING', {})], picture())
    expect(lasting(first, second).found.map((it) => it.cause.code)).toEqual(['PEER_ROUTE_MISSING'])
  })
})
