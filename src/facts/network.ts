import type { Fact } from '../model/fact.ts'

export interface Address {
  readonly link: string
  readonly ip: string
}

/** The host's IP addresses. */
export const addresses: Fact<readonly Address[]> = {
  ask: 'command -v ip >/dev/null || exit 0\nip -o addr show',
  parse: (out) =>
    [...out.matchAll(/^\d+:\s+(\S+)\s+inet6?\s+([^/\s]+)/gm)].map(([, link, ip]) => ({ link: link!, ip: ip! })),
}

export interface Route {
  /** In CIDR form; the default route is left out. */
  readonly network: string
  readonly link: string
  readonly via: string
  /** The line of `ip route`. */
  readonly line: string
}

/** The host's IPv4 routes of all tables, without those to its own addresses. */
export const routes: Fact<readonly Route[]> = {
  ask: 'command -v ip >/dev/null || exit 0\nip -4 route show table all',
  parse: (out) =>
    out
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => !/^(local|broadcast|multicast|anycast|default|$)/.test(line))
      .map((line) => {
        const network = line.replace(/^(unicast|blackhole|unreachable|prohibit|throw|nat) /, '').split(' ')[0]!
        return {
          network: network.includes('/') ? network : `${network}/32`,
          link: / dev (\S+)/.exec(line)?.[1] ?? '',
          via: / via (\S+)/.exec(line)?.[1] ?? '',
          line,
        }
      })
      .filter(({ network }) => network !== 'default/32'),
}
