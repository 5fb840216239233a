import { createHash } from 'node:crypto'
import type { FirewallRule } from './action.ts'

/**
 * The comment that marks a firewall rule as ours: `k8snet-` and 8 hex digits of a hash of what the rule says.
 * Steps find their own rules by it, undo removes by it, and nobody else's rule carries it.
 */
export function markOf(rule: FirewallRule): string {
  const text = [rule.chain, rule.interface, rule.from, rule.protocol, rule.port].map((part) => part ?? '').join('|')
  return `k8snet-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`
}
