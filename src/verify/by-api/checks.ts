import type { Check, Scenario } from '../../model/report.ts'
import { checkId } from '../case.ts'
import { troubleCheck } from '../host-checks.ts'
import { failed } from '../judge.ts'
import { podA } from '../manifests.ts'
import type { Fault } from '../trouble.ts'
import type { Row } from './answers.ts'
import type { Started } from './pods.ts'

const make = (scenario: Scenario, from: string, to: string) => {
  const of = { scenario, from, to }
  return { ...of, id: checkId(of) }
}
const skipped = (of: ReturnType<typeof make>, evidence: string): Check => ({
  ...of,
  outcome: 'skipped',
  ms: 0,
  evidence,
})

/** Two containers of one pod are in one network namespace, as each of them sees it. */
export function namespaceChecks(
  nodes: readonly string[],
  first: ReadonlyMap<string, string>,
  rows: ReadonlyMap<string, Row>,
): Check[] {
  return nodes.map((node) => {
    const of = make('containers', node, 'network-namespace')
    const links = [first.get(node) ?? '', rows.get(node)?.network ?? '']
    if (links.includes('')) return skipped(of, `${node}: the containers did not tell their network namespaces`)
    if (links[0] === links[1]) return { ...of, outcome: 'passed', ms: 0 }
    const list = links.map((link, i) => `${['one', 'two'][i]} ${link}`).join(', ')
    return failed(of, { code: 'CONTAINERS_APART', evidence: `/proc/self/ns/net in pod ${podA(node)}: ${list}` })
  })
}

/** The API server (on `leader`, where that is known) reached the kubelets when it asked them for the logs of the probe pods. */
export function kubeletChecks(leader: string, nodes: readonly string[], rows: ReadonlyMap<string, Row>): Check[] {
  return nodes.flatMap((node): Check[] => {
    const row = rows.get(node)
    const way = { scenario: 'kubelet' as const, from: leader, to: node, protocol: 'tcp' as const }
    const of = { ...way, id: checkId(way) }
    if (!row) return []
    if (row.read) return [{ ...of, outcome: 'passed', ms: 0 }]
    return [failed(of, { code: 'KUBELET_UNREACHABLE', evidence: row.fault?.evidence ?? '' })]
  })
}

/** What only the kernel of a node knows. */
export function kernelUnseen(nodes: readonly string[]): Check[] {
  return nodes.map((node) => skipped(make('addresses', node, 'ip-forward'), 'no SSH, so no kernel state was looked at'))
}

const podsFix =
  'Name an image with --probe-image that every node has or can pull, and that has agnhost, python3 or perl; see that nothing (quota, admission) keeps DaemonSets from running in namespaces k8snet-verify-*.'

/** The one failure of a node whose probe pods did not come about; what it hides is skipped. */
export function probeChecks(
  nodes: readonly string[],
  notReady: ReadonlyMap<string, string>,
  started: readonly Started[],
  rows?: ReadonlyMap<string, Row>,
): Check[] {
  return nodes.flatMap((node) => {
    const reason = notReady.get(node)
    const late: Fault | undefined = reason
      ? { code: 'PROBE_FAILED', evidence: `no probe pods, node ${node} is not Ready: ${reason}` }
      : started.map(({ faults }) => faults.get(node)).find((fault) => fault !== undefined)
    const row = rows?.get(node)
    const fault = late ?? (row?.read ? row.fault : undefined)
    return fault ? [{ ...troubleCheck(node, fault), ...(!reason && { fix: podsFix }) }] : []
  })
}

/** The scenarios of the full level are made over SSH only. */
const overSsh: readonly Scenario[] = [
  'node-to-service',
  'hairpin',
  'spread',
  'affinity',
  'traffic-policy',
  'host-port',
  'pod-to-node',
  'large-packets',
  'udp-endpoint-gone',
  'egress',
  'network-policy',
  'ingress',
]

export function withoutLevel(level: 'quick' | 'full' | undefined): Check[] {
  if (level !== 'full') return []
  return overSsh.map((scenario) => skipped(make(scenario, 'cluster', 'cluster'), 'made over SSH only: --ssh USER@'))
}
