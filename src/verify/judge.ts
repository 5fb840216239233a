import type { Code } from '../model/codes.ts'
import type { Check, Scenario } from '../model/report.ts'
import type { Case } from './case.ts'
import { fixes } from './fixes.ts'
import type { Probe, ProbeResult } from './probe.ts'
import type { Fault } from './trouble.ts'
import { verdictOf } from './verdict.ts'

type Results = ReadonlyMap<number, ProbeResult>

/** What a case says when its packets do not come back. */
const codeOf = {
  containers: 'CONTAINERS_APART',
  'pod-to-pod': 'POD_UNREACHABLE',
  'pod-to-service': 'SERVICE_UNREACHABLE',
  'outside-to-service': 'NODEPORT_UNREACHABLE',
  dns: 'DNS_FAILED',
  'node-to-pod': 'NODE_TO_POD_FAILED',
  api: 'APISERVER_UNREACHABLE',
  addresses: 'PROBE_FAILED',
  'node-to-service': 'NODE_TO_SERVICE_FAILED',
  hairpin: 'HAIRPIN_FAILED',
  spread: 'SERVICE_SPREAD_UNEVEN',
  affinity: 'AFFINITY_BROKEN',
  'traffic-policy': 'TRAFFIC_POLICY_BROKEN',
  'host-port': 'HOSTPORT_UNREACHABLE',
  'pod-to-node': 'POD_TO_NODE_FAILED',
  'large-packets': 'LARGE_PACKETS_LOST',
  'udp-endpoint-gone': 'UDP_ENDPOINT_KEPT',
  kubelet: 'KUBELET_UNREACHABLE',
  egress: 'EGRESS_FAILED',
  'network-policy': 'NETPOL_NOT_ENFORCED',
  ingress: 'INGRESS_FAILED',
} as const satisfies Record<Scenario, Code>

/** The check that a case became, by what the programs said of its probes. */
export function judge(item: Case, results: Results): Check {
  const check = { id: item.id, scenario: item.scenario, from: item.from, to: item.to }
  const of = item.protocol ? { ...check, protocol: item.protocol } : check
  const ms = Math.max(0, ...item.probes.map((probe) => results.get(probe.id)?.ms ?? 0))
  if (item.skip !== undefined) return { ...of, outcome: 'skipped', ms, evidence: item.skip }
  if (item.verdict?.code) return failed(of, { code: item.verdict.code, evidence: item.verdict.evidence ?? '' }, ms)
  const verdicts = item.probes.map((probe) => verdictOn(item, probe, results.get(probe.id)))
  const fault = verdicts.find((it) => it.fault)?.fault
  if (fault) return failed(of, fault, ms)
  const unknown = verdicts.find((it) => it.unknown)?.unknown
  if (unknown && verdicts.length === 1) return { ...of, outcome: 'skipped', ms, evidence: unknown }
  const note = verdicts.find((it) => it.note)?.note ?? unknown
  const evidence = verdicts.find((it) => it.evidence)?.evidence
  return { ...of, outcome: 'passed', ms, ...(evidence && { evidence }), ...(note && { note }) }
}

/**
 * What a check says when another one without which it says nothing failed too: that one is the failure, and this one unknown.
 * `checks` are those of `cases`, in their order.
 */
export function withoutFollowers(cases: readonly Case[], checks: readonly Check[]): Check[] {
  const failedIds = new Set(checks.filter(({ outcome }) => outcome === 'failed').map(({ id }) => id))
  return checks.map((check, i) => {
    const { needs, probes = [] } = cases[i] ?? {}
    // silence is what a policy asks for, and what a broken way gives
    const says = check.outcome === 'failed' || probes.some(({ expect }) => expect.what === 'policy')
    if (!says || needs === undefined || !failedIds.has(needs)) return check
    const { code: _, fix: __, note: ___, ...rest } = check
    return {
      ...rest,
      outcome: 'skipped',
      evidence: `${needs.split('/')[0]} failed on this way, and without it this says nothing`,
    }
  })
}

/** A failed check with the fix of its code. */
export function failed(of: Pick<Check, 'id' | 'scenario' | 'from' | 'to'>, fault: Fault, ms = 0): Check {
  const fix = fixes[fault.code]
  return { ...of, outcome: 'failed', ms, code: fault.code, evidence: fault.evidence, ...(fix && { fix }) }
}

function verdictOn(item: Case, probe: Probe, result: ProbeResult | undefined) {
  const way = `${probe.kind} ${item.source ? `${item.source} -> ` : ''}${probe.ip}${probe.port ? `:${probe.port}` : ''}${probe.arg && typeof probe.arg === 'string' ? ` ${probe.arg}` : ''}`
  if (result) return verdictOf(item, probe, result, codeOf[item.scenario], way)
  const evidence = `${way}: the probe program on ${item.node} gave no result`
  return { fault: { code: 'PROBE_FAILED' as const, evidence } }
}
