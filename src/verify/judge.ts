import type { Code } from '../model/codes.ts'
import type { Check, Scenario } from '../model/report.ts'
import type { Case } from './case.ts'
import { fixes } from './fixes.ts'
import type { Probe, ProbeResult } from './probe.ts'
import type { Fault } from './trouble.ts'

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
} as const satisfies Record<Scenario, Code>

/** The check that a case became, by what the programs said of its probes. */
export function judge(item: Case, results: Results): Check {
  const check = { id: item.id, scenario: item.scenario, from: item.from, to: item.to }
  const of = item.protocol ? { ...check, protocol: item.protocol } : check
  const ms = Math.max(0, ...item.probes.map((probe) => results.get(probe.id)?.ms ?? 0))
  if (item.skip !== undefined) return { ...of, outcome: 'skipped', ms, evidence: item.skip }
  const fault = item.verdict?.code
    ? { code: item.verdict.code, evidence: item.verdict.evidence ?? '' }
    : item.probes.map((probe) => faultOf(item, probe, results.get(probe.id))).find((it) => it !== null)
  return fault ? failed(of, fault, ms) : { ...of, outcome: 'passed', ms }
}

/** A failed check with the fix of its code. */
export function failed(of: Pick<Check, 'id' | 'scenario' | 'from' | 'to'>, fault: Fault, ms = 0): Check {
  const fix = fixes[fault.code]
  return { ...of, outcome: 'failed', ms, code: fault.code, evidence: fault.evidence, ...(fix && { fix }) }
}

function faultOf(item: Case, probe: Probe, result: ProbeResult | undefined): Fault | null {
  const way = `${probe.kind} ${item.source ? `${item.source} -> ` : ''}${probe.ip}${probe.port ? `:${probe.port}` : ''}${probe.arg && typeof probe.arg === 'string' ? ` ${probe.arg}` : ''}`
  if (!result) return { code: 'PROBE_FAILED', evidence: `${way}: the probe program on ${item.node} gave no result` }
  const said = `${way}: ${result.text} (${result.ms} ms)`
  const code = codeOf[item.scenario]
  const { expect } = probe
  if (expect.what === 'endpoints') {
    const [why = '', seen = '', answers = '0'] = result.ok ? ['', result.text] : result.text.split(' ')
    const missed = expect.names.filter((name) => !seen.split(',').includes(name))
    if (missed.length === 0) return null
    if (missed.length === expect.names.length) return { code, evidence: `${way}: ${why} (${result.ms} ms)` }
    return {
      code: 'SERVICE_ENDPOINT_MISSED',
      evidence: `${way}: ${answers} connections reached ${seen}, none reached ${missed.join(',')}`,
    }
  }
  if (!result.ok) return { code, evidence: said }
  if (expect.what === 'address') {
    const [rcode, addresses = ''] = result.text.split(' ')
    if (rcode === 'NOERROR' && addresses === expect.ip) return null
    return { code, evidence: `${said}, expected ${expect.ip}` }
  }
  if (expect.what === 'server') {
    const [name, seen] = result.text.split(' ')
    if (name !== expect.name)
      return item.scenario === 'containers'
        ? { code, evidence: `${said}, expected ${expect.name}` }
        : { code: 'POD_IP_DUPLICATE', evidence: `${said}: ${name} answers at the IP of ${expect.name}` }
    if (expect.seen !== undefined && seen !== expect.seen)
      return {
        code: 'POD_SNAT_VIOLATION',
        evidence: `${way}: server on ${item.to} saw ${seen}, expected ${expect.seen}`,
      }
  }
  return null
}
