import type { Inventory } from '../model/inventory.ts'
import type { Check } from '../model/report.ts'
import { checkId } from './case.ts'
import type { ClusterState } from './cluster.ts'
import { failed } from './judge.ts'
import { containersOfA, podA } from './manifests.ts'
import type { NodeServers } from './servers.ts'
import type { Fault } from './trouble.ts'

/** Two containers of one pod are in one network namespace. */
export function namespaceChecks(
  inventory: Inventory,
  servers: ReadonlyMap<string, NodeServers>,
  troubles: ReadonlyMap<string, Fault>,
): Check[] {
  return inventory.hosts.map(({ name }): Check => {
    const of = { scenario: 'containers' as const, from: name, to: 'network-namespace' }
    const check = { ...of, id: checkId(of) }
    const fault = troubles.get(name)
    if (fault) return { ...check, outcome: 'skipped', ms: 0, evidence: `${name}: ${fault.evidence}` }
    const links = containersOfA.map((container) => servers.get(name)?.networks.get(`${podA(name)}/${container}`) ?? '')
    if (links[0] !== '' && links[0] === links[1]) return { ...check, outcome: 'passed', ms: 0 }
    const list = containersOfA.map((container, i) => `${container} ${links[i] || 'unknown'}`).join(', ')
    return failed(check, { code: 'CONTAINERS_APART', evidence: `/proc/PID/ns/net in pod ${podA(name)}: ${list}` })
  })
}

/** The node forwarded packets before its probe pods came. */
export function forwardCheck(from: string, forwards: boolean): Check {
  const of = { scenario: 'addresses' as const, from, to: 'ip-forward' }
  const check = { ...of, id: checkId(of) }
  if (forwards) return { ...check, outcome: 'passed', ms: 0 }
  return failed(check, { code: 'IP_FORWARD_OFF', evidence: `${from}: /proc/sys/net/ipv4/ip_forward is 0` })
}

/** Pods of two families: said, for only one of them is looked at. */
export function familyCheck({ pods }: ClusterState): Check[] {
  const v6 = pods.flatMap(({ ip, otherIps = [] }) => [ip, ...otherIps]).find((ip) => ip?.includes(':'))
  if (v6 === undefined) return []
  const of = { scenario: 'addresses' as const, from: 'cluster', to: 'ipv6' }
  const evidence = `IPv6 is not tested, though pods have it (${v6}): this report is of IPv4 alone`
  return [{ ...of, id: checkId(of), outcome: 'skipped', ms: 0, evidence }]
}

/** The one failure of a node that could not take part; what it hides is skipped. Of a node that SSH does not reach nothing is known. */
export function troubleCheck(from: string, fault: Fault): Check {
  const of = { scenario: 'addresses' as const, from, to: 'probes' }
  const check = { ...of, id: checkId(of) }
  if (fault.code === 'HOST_UNREACHABLE') return { ...check, outcome: 'skipped', ms: 0, evidence: fault.evidence }
  return failed(check, fault)
}
