/**
 * The name servers that pods on a host can use, read from its resolv.conf: those that are no loopback address, and those that
 * Docker's resolver notes in its comment `# ExtServers: [10.0.0.2 host(10.0.0.3)]`.
 */
export function upstreams(resolvConf: readonly string[]): string[] {
  const named = resolvConf.flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.slice(1) ?? [])
  const noted = resolvConf
    .flatMap((line) => /^#.*ExtServers: \[([^\]]*)\]/.exec(line)?.slice(1) ?? [])
    .flatMap((list) => list.split(/[\s,]+/))
    .map((word) => word.replace(/^host\((.*)\)$/, '$1'))
  return [...named, ...noted].filter((server) => server !== '' && !isLoopback(server))
}

/** Does resolv.conf name servers, and only such that a pod cannot reach? CoreDNS would then ask itself without end. */
export function isLoopbackOnly(resolvConf: readonly string[]): boolean {
  const named = resolvConf.flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.slice(1) ?? [])
  return named.every(isLoopback)
}

const isLoopback = (server: string): boolean => server.startsWith('127.') || server === '::1'
