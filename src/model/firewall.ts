import { createHash } from 'node:crypto'
import type { FirewallRule } from './action.ts'
import { quote, type Sh, sh } from './shell.ts'

/**
 * The comment that marks a firewall rule as ours: `k8snet-` and 8 hex digits of a hash of what the rule says.
 * Steps find their own rules by it, undo removes by it, and nobody else's rule carries it.
 */
export function markOf({ chain, from, translatedTo, protocol, port }: FirewallRule): string {
  const text = [chain, from, translatedTo, protocol, port].map((part) => part ?? '').join('|')
  return `k8snet-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`
}

/** How a firewall that nobody manages is changed: what puts a rule in unless it is there, and what takes it out if it is. */
export interface Words {
  readonly add: Sh
  readonly remove: Sh
}

/** iptables: the rule goes first into the chain `INPUT` or `FORWARD`. */
export function inIptables(chain: string, rule: FirewallRule): Words {
  const { from, translatedTo, protocol, port } = rule
  const match = [
    ...(from ? ['-s', from] : []),
    ...(translatedTo ? ['-d', translatedTo, '-m', 'conntrack', '--ctstate', 'DNAT'] : []),
    ...(protocol ? ['-p', protocol] : []),
    ...(port ? ['--dport', port.replace('-', ':')] : []),
    ...['-m', 'comment', '--comment', markOf(rule), '-j', 'ACCEPT'],
  ]
  const there = sh`iptables -w -C ${[chain, ...match]} 2>/dev/null`
  return {
    add: `${there} || ${sh`iptables -w -I ${[chain, ...match]}`}`,
    remove: `if ${there}; then ${sh`iptables -w -D ${[chain, ...match]}`}; fi`,
  }
}

/** nftables: the rule goes first into a chain, given as `family table chain`. */
export function inNftables(chain: string, rule: FirewallRule): Words {
  const { from, translatedTo, protocol, port } = rule
  const mark = markOf(rule)
  const match = [
    from && `ip saddr ${from}`,
    translatedTo && `ip daddr ${translatedTo} ct status dnat`,
    port ? `${protocol} dport ${port}` : protocol && `meta l4proto ${protocol}`,
  ]
  const list = sh`nft -a list chain ${chain.split(' ')}`
  const handles = quote(`s/.*comment "${mark}" # handle \\([0-9]*\\)$/\\1/p`)
  return {
    add: `${list} | grep -q ${mark} || ${sh`nft ${`insert rule ${chain} ${match.filter(Boolean).join(' ')} accept comment "${mark}"`}`}`,
    remove: `${list} 2>/dev/null | sed -n ${handles} | while read -r n; do ${sh`nft delete rule ${chain.split(' ')} handle`} "$n"; done`,
  }
}
