/** One question that a probe program asks the network. */
export interface Probe {
  /** Unique in a run. */
  readonly id: number
  readonly kind: 'tcp' | 'udp' | 'icmp' | 'svctcp' | 'svcudp' | 'dnsudp' | 'dnstcp' | 'http'
  readonly ip: string
  readonly port?: number
  /** svctcp, svcudp: how many endpoints there are; dns: the name to look up. */
  readonly arg?: number | string
  readonly expect: Expectation
}

/** What has to come back for the probe to pass. */
export type Expectation =
  /** That server, and it saw this address where one is given. */
  | { readonly what: 'server'; readonly name: string; readonly seen?: string }
  /** All of these servers. */
  | { readonly what: 'endpoints'; readonly names: readonly string[] }
  /** This address, as the answer of a DNS server. */
  | { readonly what: 'address'; readonly ip: string }
  | { readonly what: 'answer' }

/** What a program said of a probe. */
export interface ProbeResult {
  readonly id: number
  readonly ok: boolean
  readonly ms: number
  /** See templates/probe.py: what `ok` or `fail` says. */
  readonly text: string
}

/** The line that a program reads: `7 svctcp 10.96.0.7 18420 3` */
export function encodeProbe({ id, kind, ip, port, arg }: Probe): string {
  return [id, kind, ip, port, arg].filter((word) => word !== undefined).join(' ')
}

/** Reads `r 7 ok 12 b-w1 10.244.1.5`; null for any other line. */
export function parseResult(line: string): ProbeResult | null {
  const match = /^r (\d+) (ok|fail) (\d+) (.*)$/.exec(line.trimEnd())
  return match && { id: Number(match[1]), ok: match[2] === 'ok', ms: Number(match[3]), text: match[4] as string }
}
