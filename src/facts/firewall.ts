import type { FirewallAction, FirewallRule } from '../model/action.ts'
import type { Fact } from '../model/fact.ts'
import { markOf } from '../model/firewall.ts'
import { sh } from '../model/shell.ts'
import { parseFiles } from './files.ts'

/** A firewall that is active on the host and would drop what is not accepted in it. */
export interface Wall {
  readonly tool: FirewallAction['tool']
  readonly chain: 'input' | 'forward' | 'both'
  /** iptables: the chain; nftables: `family table chain`; firewalld: the zone of the link with the node IP. */
  readonly into?: string
  /** The rules that it has, as markOf names them: by their comments, or by what they say where a tool tells it. */
  readonly marks: ReadonlySet<string>
  /** firewalld's own files of the zones that get rules, as they are; null is a zone that is as it was shipped. */
  readonly files?: FirewallAction['files']
}

/** ufw from its own files, since `ufw status` takes a tenth of a second: a line there says what a rule accepts. */
const ufw: Fact<Wall[]> = {
  ask: `grep -qsi '^ENABLED=yes' /etc/ufw/ufw.conf && echo active || exit 0
grep -s '^### tuple' /etc/ufw/user.rules || :`,
  parse: (out) => {
    if (!out.startsWith('active')) return []
    const rules = out.split('\n').flatMap((line) => ruleOfUfw(line.split(' ').slice(3)) ?? [])
    return [{ tool: 'ufw', chain: 'both', marks: new Set(rules.map(markOf)) }]
  },
}

/** `[route:]allow PROTOCOL PORT TO SOURCE-PORT FROM in [comment=HEX]`, where anything is any or 0.0.0.0/0. */
function ruleOfUfw([
  action = '',
  protocol,
  port = '',
  to = '',
  sourcePort,
  from = '',
  way,
]: string[]): FirewallRule | null {
  const [chain, verb] = action.startsWith('route:')
    ? (['forward', action.slice(6)] as const)
    : (['input', action] as const)
  if (verb !== 'allow' || sourcePort !== 'any' || way !== 'in') return null
  const anywhere = '0.0.0.0/0'
  return {
    chain,
    ...(from !== anywhere && { from }),
    ...(to !== anywhere && { translatedTo: to }),
    ...((protocol === 'tcp' || protocol === 'udp') && { protocol }),
    ...(port !== 'any' && { port: port.replace(':', '-') }),
  }
}

/**
 * firewalld from its permanent zones, since firewall-cmd takes a sixth of a second: the zone of the link that has the node IP,
 * which is its standard zone where nobody chose one, and the trusted zone.
 */
const firewalld = (nodeIP: string): Fact<Wall[]> => ({
  ask: sh`[ -e /etc/firewalld/firewalld.conf ] || exit 0
systemctl -q is-active firewalld.service || exit 0
link=$(ip -o -4 addr show to ${nodeIP} | awk '{ print $2; exit }')
zone=$(busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone getZoneOfInterface s "$link" 2>/dev/null | cut -d'"' -f2)
[ -n "$zone" ] || zone=$(sed -n 's/^DefaultZone=//p' /etc/firewalld/firewalld.conf)
zone=\${zone:-public}
echo "$zone"
set -- "$zone" trusted
[ "$zone" != trusted ] || shift
for zone; do
  shift
  set -- "$@" "/etc/firewalld/zones/$zone.xml" "/etc/firewalld/zones/$zone.xml.old"
done
stat -L -c '%a %U:%G %s %n' -- "$@" 2>/dev/null || :
echo
cat -- "$@" 2>/dev/null || :`,
  parse: (out) => {
    const end = out.indexOf('\n')
    if (end < 0) return []
    const zone = out.slice(0, end)
    const found = parseFiles(out.slice(end + 1))
    const paths = [...new Set([zone, 'trusted'])].flatMap((name) => [zoneFile(name), `${zoneFile(name)}.old`])
    const rules = richRules(found.get(zoneFile(zone))?.content ?? '')
    const sources = [...(found.get(zoneFile('trusted'))?.content ?? '').matchAll(/<source address="([^"]+)"/g)]
    return [
      {
        tool: 'firewalld',
        chain: 'input',
        into: zone,
        marks: new Set(
          [...rules, ...sources.map(([, from]) => ({ chain: 'input', from: from! }) as const)].map(markOf),
        ),
        files: Object.fromEntries(paths.map((path) => [path, found.get(path) ?? null])),
      },
    ]
  },
})

const zoneFile = (zone: string): string => `/etc/firewalld/zones/${zone}.xml`

/** The flows that the rich rules of a zone accept. */
function richRules(zone: string): FirewallRule[] {
  return [...zone.matchAll(/<rule [^>]*>[\s\S]*?<\/rule>/g)]
    .map(([text]) => text)
    .filter((text) => text.includes('<accept') && !text.includes('invert'))
    .flatMap((text) => {
      const from = /<source address="([^"]+)"/.exec(text)?.[1]
      const port = /<port [^>]*port="([^"]+)"/.exec(text)?.[1]
      const protocol = /<port [^>]*protocol="(tcp|udp)"/.exec(text)?.[1] as 'tcp' | 'udp' | undefined
      return from && port && protocol ? [{ chain: 'input' as const, from, protocol, port }] : []
    })
}

/**
 * The two chains of iptables as `iptables -S` prints them. The old form is asked only where its table is loaded already,
 * since asking would load it. What ufw and firewalld make is theirs.
 */
const iptables: Fact<Wall[]> = {
  ask: `tool=$(command -v iptables) || exit 0
case $(readlink -f "$tool") in *legacy*) grep -qsx filter /proc/net/ip_tables_names || exit 0 ;; esac
{ iptables -w 5 -S INPUT && iptables -w 5 -S FORWARD; } 2>/dev/null || :`,
  parse: (out) => {
    const lines = out.split('\n')
    return (['INPUT', 'FORWARD'] as const)
      .filter((chain) => dropsInIptables(lines, chain))
      .map((chain) => ({
        tool: 'iptables',
        chain: chain === 'INPUT' ? 'input' : 'forward',
        into: chain,
        marks: marksIn(lines.filter((line) => line.startsWith(`-A ${chain} `)).join('\n')),
      }))
  },
}

function dropsInIptables(lines: readonly string[], chain: string): boolean {
  if (lines.includes(`-P ${chain} DROP`)) return true
  return lines.some((line) => new RegExp(`^-A ${chain} (-m comment --comment \\S+ )?-j (DROP|REJECT)\\b`).test(line))
}

/** Base chains of nftables that filter at input or forward, with their rules; those of iptables-nft, firewalld and Kubernetes are left out. */
const nftables: Fact<Wall[]> = {
  ask: sh`command -v nft >/dev/null || exit 0
nft list chains 2>/dev/null | awk ${`
  $1 == "table" { table = $2 " " $3 }
  $1 == "chain" { chain = $2 }
  $1 == "type" && $2 == "filter" && ($4 == "input" || $4 == "forward") { print table, chain }
`} | while read -r family table chain; do
  case $table in kube-proxy|flannel*|firewalld) continue ;; esac
  case $family-$chain in ip-INPUT|ip-FORWARD|ip6-*|bridge-*|arp-*|netdev-*) continue ;; esac
  echo "@ $family $table $chain"
  nft list chain "$family" "$table" "$chain"
done`,
  parse: (out) =>
    out
      .split(/^@ /m)
      .filter((text) => dropsInNftables(text))
      .map((text) => ({
        tool: 'nftables',
        chain: / hook input /.test(text) ? 'input' : 'forward',
        into: text.slice(0, text.indexOf('\n')),
        marks: marksIn(text),
      })),
}

function dropsInNftables(text: string): boolean {
  return /policy drop/.test(text) || /^\s*(counter packets \d+ bytes \d+ )?(drop|reject\b.*)$/m.test(text)
}

const marksIn = (text: string): Set<string> => new Set(text.match(/k8snet-[0-9a-f]{8}/g) ?? [])

/** Every firewall that may be active on a host, by its node IP. */
export const walls = (nodeIP: string) => ({ ufw, firewalld: firewalld(nodeIP), iptables, nftables })
