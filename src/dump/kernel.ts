import type { Flow } from '../model/dump.ts'
import { lines } from './lazy.ts'

/** Lines like `net/ipv4/conf/flannel.1/rp_filter:0`; the key has dots for slashes: net.ipv4.conf.flannel.1.rp_filter */
export function sysctlsOf(text: string | undefined): Map<string, string> {
  return new Map(
    lines(text).map((line) => {
      const at = line.indexOf(':')
      return [line.slice(0, at).replaceAll('/', '.'), line.slice(at + 1).trim()]
    }),
  )
}

/**
 * Reads /proc/net/snmp and /proc/net/netstat: a line of names, then a line of values, each after `Group:`. The names, hundreds of
 * them, are the same on every node with the same kernel, and are shared.
 */
export function counterReader(): (text: string | undefined) => Map<string, number> {
  const known = new Map<string, readonly string[]>()
  const keysOf = (head: string): readonly string[] => {
    const before = known.get(head)
    if (before) return before
    const [group = '', ...names] = head.trim().split(/\s+/)
    const keys = names.map((name) => Buffer.from(`${group.slice(0, -1)}.${name}`).toString())
    known.set(Buffer.from(head).toString(), keys)
    return keys
  }
  return (text) => {
    const all = new Map<string, number>()
    const rows = lines(text)
    for (let i = 0; i + 1 < rows.length; i += 2) {
      const values = (rows[i + 1] ?? '').trim().split(/\s+/)
      keysOf(rows[i] ?? '').forEach((key, n) => {
        all.set(key, Number(values[n + 1]))
      })
    }
    return all
  }
}

/** The sums over all CPUs of /proc/net/stat/nf_conntrack (hexadecimal), and count and max of the table. */
export function conntrackOf(text: string | undefined, sysctls: ReadonlyMap<string, string>): Map<string, number> {
  const [head = '', ...cpus] = lines(text)
  const sums = new Map<string, number>()
  head
    .trim()
    .split(/\s+/)
    .forEach((name, i) => {
      if (name === '' || name === 'entries') return
      sums.set(
        name,
        cpus.reduce((sum, cpu) => sum + Number.parseInt(cpu.trim().split(/\s+/)[i] ?? '0', 16), 0),
      )
    })
  for (const name of ['count', 'max']) {
    const value = sysctls.get(`net.netfilter.nf_conntrack_${name}`)
    if (value !== undefined) sums.set(name, Number(value))
  }
  return sums
}

/** Lines of /proc/net/nf_conntrack or of `conntrack -L`. */
export function flowsOf(text: string | undefined): Flow[] {
  return lines(text).flatMap((line) => {
    const all = (name: string): string[] =>
      [...line.matchAll(new RegExp(`\\b${name}=(\\S+)`, 'g'))].map((m) => m[1] ?? '')
    const [from, replyFrom] = all('src')
    const [to] = all('dst')
    if (from === undefined || to === undefined || replyFrom === undefined) return []
    const protocol = /\b(udp|tcp|icmp|sctp)\b/.exec(line)?.[1] ?? ''
    return [{ protocol, from, to, port: Number(all('dport')[0] ?? 0), replyFrom, line }]
  })
}
