import type { Fact } from '../model/fact.ts'

export interface Listener {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  /** What `ss` says of it; empty where ss is not there. */
  readonly line: string
}

/**
 * Which of these ports are in use, on a host that is not a member of a cluster: /proc/net has them in hex (state 0A listens).
 * `ss` is asked for the program only where one is taken.
 */
export function listeners(ports: readonly { protocol: 'tcp' | 'udp'; port: number }[]): Fact<readonly Listener[]> {
  const hex = (protocol: string) =>
    ports
      .filter((it) => it.protocol === protocol)
      .map(({ port }) => port.toString(16).toUpperCase().padStart(4, '0'))
      .join('|')
  return {
    ask: `[ ! -e /etc/kubernetes/kubelet.conf ] || exit 0
tcp=$(grep -shE '^ *[0-9]+: [0-9A-F]+:(${hex('tcp')}) [0-9A-F]+:0000 0A' /proc/net/tcp /proc/net/tcp6) || :
udp=$(grep -shE '^ *[0-9]+: [0-9A-F]+:(${hex('udp') || 'none'}) ' /proc/net/udp /proc/net/udp6) || :
[ -n "$tcp$udp" ] || exit 0
printf 'tcp\\n%s\\nudp\\n%s\\nss\\n' "$tcp" "$udp"
ss -Hlntup 2>/dev/null || :`,
    parse: parseListeners,
  }
}

function parseListeners(out: string): Listener[] {
  const [, tcp = '', udp = '', ss = ''] = out.split(/^(?:tcp|udp|ss)\n/m)
  const found = (protocol: 'tcp' | 'udp', text: string): Listener[] => {
    const ports = [...text.matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) /gm)].map(([, hex]) => Number.parseInt(hex!, 16))
    return [...new Set(ports)].map((port) => ({ protocol, port, line: lineOf(ss, protocol, port) }))
  }
  return [...found('tcp', tcp), ...found('udp', udp)]
}

function lineOf(ss: string, protocol: string, port: number): string {
  const line = ss.split('\n').find((it) => it.startsWith(protocol) && it.split(/\s+/)[4]?.endsWith(`:${port}`))
  return line?.trim().replaceAll(/\s+/g, ' ') ?? ''
}
