import type { FileState, FirewallAction, FirewallRule } from '../model/action.ts'
import { inIptables, inNftables, markOf } from '../model/firewall.ts'
import { quote, type Sh, sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** One accepted flow in the firewall that is active on the host. Taking it away is right also where it is gone already. */
export const firewall: KindOf<FirewallAction> = {
  show: (action) => ({
    summary: `${action.tool}: ${action.remove ? 'no longer accept' : 'accept'} ${words(action.rule)}`,
    command: wordsOf(action),
  }),
  compile: (action) => {
    if (!action.remove) return wordsOf(action)
    const restore = Object.entries(action.files ?? {}).map(([path, was]) => givenBack(path, was))
    const lines = restore.length > 0 ? [linesOf] : []
    return [
      `if command -v ${programs[action.tool]} >/dev/null; then`,
      wordsOf(action),
      ...lines,
      ...restore,
      'fi',
    ].join('\n')
  },
  undo: (action) => [{ ...action, remove: true }],
}

const programs = { ufw: 'ufw', firewalld: 'firewall-cmd', iptables: 'iptables', nftables: 'nft' } as const

function wordsOf(action: FirewallAction): Sh {
  const { tool, rule, into, remove } = action
  if (tool === 'ufw') return ufw(action)
  if (tool === 'firewalld') return firewalld(action)
  const how = tool === 'iptables' ? inIptables : inNftables
  return how(into!, rule)[remove ? 'remove' : 'add']
}

function words({ chain, from, translatedTo, protocol, port }: FirewallRule): string {
  if (translatedTo) return `what Services send on to ${translatedTo}`
  const what = [protocol, port].filter(Boolean).join(' ') || 'everything'
  return `${what}${from ? ` from ${from}` : ''}${chain === 'forward' ? ', passing through' : ''}`
}

/** ufw has no word for translated packets. It says by itself when there is nothing to add or to delete. */
function ufw({ rule, remove }: FirewallAction): Sh {
  const { chain, from, translatedTo, protocol, port } = rule
  return [
    'ufw',
    ...(chain === 'forward' ? ['route'] : []),
    ...(remove ? ['delete'] : []),
    'allow',
    ...(protocol ? ['proto', protocol] : []),
    ...['from', from ?? 'any', 'to', translatedTo ?? 'any'],
    ...(port ? ['port', port.replace('-', ':')] : []),
    ...(remove ? [] : ['comment', markOf(rule)]),
  ]
    .map(quote)
    .join(' ')
}

/** A source goes to the trusted zone when everything from it is accepted; else it is a rich rule of the zone. Now and at boot. */
function firewalld({ rule, into, remove }: FirewallAction): Sh {
  const { from, protocol, port } = rule
  const rich = `rule family="ipv4" source address="${from}" port port="${port}" protocol="${protocol}" accept`
  const [zone, what] = port ? [into!, `rich-rule=${rich}`] : ['trusted', `source=${from}`]
  const change = (program: string, how: readonly string[]) => {
    const call = (verb: string) => sh`${program} -q ${[...how, `--zone=${zone}`, `--${verb}-${what}`]}`
    return remove ? `{ ${call('remove')} || ! ${call('query')}; }` : call('add')
  }
  const now = change('firewall-cmd', [])
  const atBoot = change('firewall-cmd', ['--permanent'])
  if (!remove) return `${now} && ${atBoot}`
  return [
    'if systemctl -q is-active firewalld.service; then',
    `  ${now} && ${atBoot}`,
    'else',
    `  ${change('firewall-offline-cmd', [])}`,
    'fi',
  ].join('\n')
}

/** firewalld writes a file of its own for a zone that it changes, and keeps the one before: both go when they say nothing new. */
const linesOf = `lines_of() { sed 's/^[[:space:]]*//; /^$/d' "$1" | sort; }
same_lines() { [ -e "$1" ] && [ -e "$2" ] && [ "$(lines_of "$1")" = "$(lines_of "$2")" ]; }`

function givenBack(path: string, was: FileState | null): Sh {
  const standard = path.replace('/etc/', '/usr/lib/')
  if (was === null) return sh`if [ ! -e ${standard} ] || same_lines ${path} ${standard}; then rm -f ${path}; fi`
  const copy = `${path}.k8snet`
  return [
    sh`printf %s ${was.content} >${copy}`,
    sh`chmod ${was.mode} ${copy}`,
    sh`chown ${was.owner} ${copy}`,
    path.endsWith('.old')
      ? sh`mv -f ${copy} ${path}`
      : sh`if same_lines ${path} ${copy}; then mv -f ${copy} ${path}; else rm -f ${copy}; fi`,
  ].join('\n')
}
