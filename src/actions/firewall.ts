import type { FirewallAction, FirewallRule } from '../model/action.ts'
import { markOf } from '../model/firewall.ts'
import { quote, type Sh, sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** One accepted flow in the firewall that is active on the host, marked as ours by its comment. */
export const firewall: KindOf<FirewallAction> = {
  show: (action) => ({
    summary: `${action.tool}: ${action.remove ? 'no longer accept' : 'accept'} ${words(action.rule)}`,
    command: tools[action.tool](action),
  }),
  compile: (action) => tools[action.tool](action),
  undo: (action) => [{ ...action, remove: true }],
}

const tools: Record<FirewallAction['tool'], (action: FirewallAction) => Sh> = { ufw, firewalld, iptables, nftables }

function words({ chain, from, protocol, port, interface: link }: FirewallRule): string {
  const what = [protocol, port].filter(Boolean).join(' ') || 'everything'
  return `${what}${from ? ` from ${from}` : ''}${link ? ` by ${link}` : ''}${chain === 'forward' ? ', passing through' : ''}`
}

function ufw({ rule, remove }: FirewallAction): Sh {
  const { chain, from, protocol, port, interface: link } = rule
  return [
    'ufw',
    ...(chain === 'forward' ? ['route'] : []),
    ...(remove ? ['delete'] : []),
    'allow',
    ...(link ? ['in', 'on', link] : []),
  ]
    .concat(
      protocol ? ['proto', protocol] : [],
      ['from', from ?? 'any', 'to', 'any'],
      port ? ['port', port.replace('-', ':')] : [],
    )
    .concat(remove ? [] : ['comment', markOf(rule)])
    .map(quote)
    .join(' ')
}

/** A source goes to the trusted zone when everything from it is accepted; else it is a rich rule. Now and at boot. */
function firewalld({ rule, remove }: FirewallAction): Sh {
  const { from, protocol, port, interface: link } = rule
  const change = remove ? 'remove' : 'add'
  const option = link
    ? `--zone=trusted --${change}-interface=${link}`
    : from && !port
      ? `--zone=trusted --${change}-source=${from}`
      : from
        ? `--${change}-rich-rule=rule family="ipv4" source address="${from}" port port="${port}" protocol="${protocol}" accept`
        : `--${change}-port=${port}/${protocol}`
  const words = option.startsWith('--zone') ? option.split(' ') : [option]
  return `firewall-cmd -q ${words.map(quote).join(' ')} && firewall-cmd -q --permanent ${words.map(quote).join(' ')}`
}

/** Put first into the chain that would drop the packet, and taken out by the same words. */
function iptables({ rule, into, remove }: FirewallAction): Sh {
  const { chain, from, protocol, port, interface: link } = rule
  const match = [
    ...(link ? ['-i', link] : []),
    ...(from ? ['-s', from] : []),
    ...(protocol ? ['-p', protocol] : []),
    ...(port ? ['--dport', port.replace('-', ':')] : []),
    ...['-m', 'comment', '--comment', markOf(rule), '-j', 'ACCEPT'],
  ]
  return `iptables -w ${remove ? '-D' : '-I'} ${[into ?? chain.toUpperCase(), ...match].map(quote).join(' ')}`
}

function nftables({ rule, into, remove }: FirewallAction): Sh {
  const where = into ?? `inet filter ${rule.chain}`
  const mark = markOf(rule)
  if (remove) {
    const list = `nft -a list chain ${where}`
    return `${list} | sed -n ${quote(`s/.*comment "${mark}" # handle \\([0-9]*\\)$/\\1/p`)} | while read -r n; do nft delete rule ${where} handle "$n"; done`
  }
  const { from, protocol, port, interface: link } = rule
  const match = [
    link ? `iifname "${link}"` : '',
    from ? `ip saddr ${from}` : '',
    port ? `${protocol} dport ${port}` : protocol ? `meta l4proto ${protocol}` : '',
  ]
  return sh`nft ${`insert rule ${where} ${match.filter(Boolean).join(' ')} accept comment "${mark}"`}`
}
