import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/** A firewall that is active on the host and would drop what is not accepted in it. */
export interface Wall {
  readonly tool: 'ufw' | 'firewalld' | 'iptables' | 'nftables'
  readonly chain: 'input' | 'forward' | 'both'
  /** iptables: the chain; nftables: `family table chain`. */
  readonly into?: string
  /** Comments of its rules that begin with k8snet-; see markOf. */
  readonly marks: ReadonlySet<string>
  /** firewalld only, whose rules bear no comment: what they say, as `from protocol port`, or `from` for a trusted source. */
  readonly accepts?: ReadonlySet<string>
}

/** ufw from its own files, since `ufw status` takes a tenth of a second: comments are written there in hex. */
const ufw: Fact<Wall[]> = {
  ask: `grep -qsi '^ENABLED=yes' /etc/ufw/ufw.conf && echo active || exit 0
grep -s '^### tuple' /etc/ufw/user.rules || :`,
  parse: (out) => {
    if (!out.startsWith('active')) return []
    const comments = [...out.matchAll(/ comment=([0-9a-f]+)/g)].map(([, hex]) => Buffer.from(hex!, 'hex').toString())
    return [{ tool: 'ufw', chain: 'both', marks: new Set(comments.filter(isMark)) }]
  },
}

/** firewalld from its permanent zones, since firewall-cmd takes a quarter of a second. */
const firewalld: Fact<Wall[]> = {
  ask: `[ -e /etc/firewalld/firewalld.conf ] || exit 0
systemctl -q is-active firewalld.service || exit 0
echo active
zone=$(sed -n 's/^DefaultZone=//p' /etc/firewalld/firewalld.conf)
cat "/etc/firewalld/zones/\${zone:-public}.xml" 2>/dev/null || :
echo '@trusted'
cat /etc/firewalld/zones/trusted.xml 2>/dev/null || :`,
  parse: (out) => {
    if (!out.startsWith('active')) return []
    const [standard = '', trusted = ''] = out.split('@trusted')
    const rules = [...standard.matchAll(/<rule [^>]*>[\s\S]*?<\/rule>/g)]
      .map(([text]) => text)
      .filter((text) => text.includes('<accept') && !text.includes('invert'))
      .map((text) =>
        [
          /<source address="([^"]+)"/.exec(text)?.[1],
          /<port [^>]*protocol="([^"]+)"/.exec(text)?.[1],
          /<port [^>]*port="([^"]+)"/.exec(text)?.[1],
        ].join(' '),
      )
    const sources = [...trusted.matchAll(/<source address="([^"]+)"/g)].map(([, address]) => address!)
    return [{ tool: 'firewalld', chain: 'input', marks: new Set(), accepts: new Set([...rules, ...sources]) }]
  },
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

const isMark = (comment: string): boolean => /^k8snet-[0-9a-f]{8}$/.test(comment)
const marksIn = (text: string): Set<string> => new Set(text.match(/k8snet-[0-9a-f]{8}/g) ?? [])

export const walls = { ufw, firewalld, iptables, nftables }
