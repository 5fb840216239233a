import type { Inventory } from '../model/inventory.ts'
import type { Check, Scenario } from '../model/report.ts'

export const scenarios: readonly Scenario[] = [
  'containers',
  'pod-to-pod',
  'pod-to-service',
  'dns',
  'outside-to-service',
  'node-to-pod',
  'api',
  'addresses',
  'spread',
  'affinity',
  'node-to-service',
  'hairpin',
  'traffic-policy',
  'host-port',
  'pod-to-node',
  'large-packets',
  'udp-endpoint-gone',
  'network-policy',
  'kubelet',
  'ingress',
  'egress',
]

/**
 * Is the check among those asked for? `only` holds names of scenarios and of hosts; a check has to be of one of the scenarios
 * named (if any are) and has to start or end at one of the hosts named (if any are). Nothing said is everything.
 */
export function wants(
  only: ReadonlySet<string> | undefined,
  inventory: Inventory,
  check: Pick<Check, 'scenario' | 'from' | 'to'>,
): boolean {
  if (!only || only.size === 0) return true
  const kinds = scenarios.filter((scenario) => only.has(scenario))
  const hosts = inventory.hosts.filter((host) => only.has(host.name)).map((host) => host.name)
  const touches = (name: string) =>
    [name, `a-${name}`, `b-${name}`, `p-${name}`].some((end) => end === check.from || end === check.to)
  return (kinds.length === 0 || kinds.includes(check.scenario)) && (hosts.length === 0 || hosts.some(touches))
}
