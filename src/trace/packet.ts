/** A packet under way. What the rules and the tables of connections do to it is written into it. */
export interface Flying {
  readonly protocol: 'tcp' | 'udp' | 'icmp'
  source: string
  sourcePort: number
  destination: string
  port: number
  mark: number
  /** As conntrack of the host that it is on sees it; `none` where it has not been asked. */
  state: 'none' | 'new' | 'established'
  /** Has conntrack of this host translated its destination or source? */
  dnat: boolean
  snat: boolean
}

/** The addresses and ports of a packet. */
export interface Tuple {
  readonly source: string
  readonly sourcePort: number
  readonly destination: string
  readonly port: number
}

/** 10.244.1.2:40000 -> 10.244.2.3:8080 */
export function flowText({ source, sourcePort, destination, port }: Tuple): string {
  return sourcePort || port ? `${source}:${sourcePort} -> ${destination}:${port}` : `${source} -> ${destination}`
}

/** The same packet the other way: the answer. */
export function answerTo(packet: Flying): Flying {
  return {
    protocol: packet.protocol,
    source: packet.destination,
    sourcePort: packet.port,
    destination: packet.source,
    port: packet.sourcePort,
    ...untouched,
  }
}

/** How every packet looks that no host has seen. */
export const untouched = { mark: 0, state: 'none', dnat: false, snat: false } as const

export const sameTuple = (a: Tuple, b: Tuple): boolean =>
  a.source === b.source && a.sourcePort === b.sourcePort && a.destination === b.destination && a.port === b.port
