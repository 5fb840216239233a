import { groupBy } from '../model/group.ts'
import type { Check, Scenario, VerifyReport } from '../model/report.ts'

/** Every scenario with its title, in the order of a report. */
export const titles = {
  containers: 'containers of one pod, over localhost',
  'pod-to-pod': 'pod to pod, without NAT',
  'large-packets': 'pod to pod, large packets',
  'pod-to-service': 'pod to Service, every endpoint',
  spread: 'Service, equal shares',
  affinity: 'Service, session affinity',
  hairpin: 'pod to its own Service',
  'udp-endpoint-gone': 'Service, UDP after an endpoint went',
  dns: 'cluster DNS',
  'node-to-pod': 'node to pod',
  'pod-to-node': 'pod to node',
  'node-to-service': 'node to Service and NodePort',
  'outside-to-service': 'outside to NodePort',
  'traffic-policy': 'externalTrafficPolicy',
  'host-port': 'hostPort',
  ingress: 'outside to Ingress',
  api: 'pod to API server',
  kubelet: 'API server to kubelet',
  egress: 'pod to outside',
  'network-policy': 'NetworkPolicy',
  addresses: 'addresses and nodes',
} as const satisfies Record<Scenario, string>

/** The checks of each scenario that has any. */
export function byScenario(checks: readonly Check[]): [Scenario, Check[]][] {
  const found = new Map(groups(checks, ({ scenario }) => scenario))
  return (Object.keys(titles) as Scenario[]).flatMap((scenario) => {
    const of = found.get(scenario)
    return of ? [[scenario, of]] : []
  })
}

export const outcomes = ['passed', 'failed', 'skipped'] as const

export function tally(checks: readonly Check[]): Record<Check['outcome'], number> {
  const tally = { passed: 0, failed: 0, skipped: 0 }
  for (const { outcome } of checks) tally[outcome] += 1
  return tally
}

/** The failed checks that no cause explains: all of them where nobody looked for causes. */
export function unexplainedOf({ checks, causes, unexplained }: VerifyReport): Check[] {
  const left = new Set(unexplained)
  return checks.filter(({ id, outcome }) => outcome === 'failed' && (causes === undefined || left.has(id)))
}

/** Did nothing fail but the probes themselves? Then a part of the network is not known, and none is known to be broken. */
export function isUnproven({ checks, causes = [] }: VerifyReport): boolean {
  const failed = checks.filter(({ outcome }) => outcome === 'failed')
  return failed.length > 0 && failed.every(({ code }) => code === 'PROBE_FAILED') && causes.every(isWarning)
}

const isWarning = ({ level }: { readonly level: string }): boolean => level === 'warning'

/** Checks as pairs, each with all its protocols: `w1 -> w2 tcp udp` and the scenarios in which it stands. */
export function pairsOf(checks: readonly Check[]): { pair: string; protocols: string[]; scenarios: string[] }[] {
  return groups(checks, ({ from, to }) => `${from} -> ${to}`).map(([pair, same]) => ({
    pair,
    protocols: unique(same.flatMap(({ protocol }) => protocol ?? [])),
    scenarios: unique(same.map(({ scenario }) => scenario)),
  }))
}

/** What readers should know though nothing failed, each with the checks that say it. */
export function notesOf(checks: readonly Check[]): [string, Check[]][] {
  return groups(
    checks.filter(({ note }) => note),
    ({ note }) => note as string,
  )
}

/** The nodes that did not tell their state, by the reason. */
export function unreadOf({ topology }: VerifyReport): [string, string[]][] {
  const unread = (topology?.nodes ?? []).filter(({ read }) => !read)
  return groups(unread, ({ why }) => why ?? '').map(([why, of]) => [why, of.map(({ name }) => name)])
}

/** How many pairs were tried, where it was not all of them. */
export function sampledText({ sampled }: VerifyReport): string | undefined {
  if (!sampled || sampled.pairs >= sampled.of) return undefined
  return `traffic was tried between ${sampled.pairs} of ${sampled.of} ordered pairs of nodes: a ring, and every pair that the comparison of the nodes makes suspicious; the comparison itself covers them all`
}

export function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}

export const groups = <T>(items: readonly T[], key: (item: T) => string): [string, T[]][] => [...groupBy(items, key)]
