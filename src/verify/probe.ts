/** One question that a probe program asks the network. */
export interface Probe {
  /** Unique in a run. */
  readonly id: number
  /** See templates/probe.py. */
  readonly kind:
    | 'tcp'
    | 'udp'
    | 'trytcp'
    | 'tryudp'
    | 'icmp'
    | 'svctcp'
    | 'svcudp'
    | 'spreadtcp'
    | 'spreadudp'
    | 'bigtcp'
    | 'bigudp'
    | 'frag'
    | 'dnsudp'
    | 'dnstcp'
    | 'search'
    | 'connect'
    | 'move'
    | 'http'
  readonly ip: string
  readonly port?: number
  /** svctcp, svcudp: how many endpoints to wait for; dns: the name to look up; others: see templates/probe.py. */
  readonly arg?: number | string
  /** Its own time in place of the round's. */
  readonly seconds?: number
  /** Its own time when it is tried again. */
  readonly again?: number
  readonly expect: Expectation
}

/** What has to come back for the probe to pass. */
export type Expectation =
  /**
   * That server, and it saw this address where one is given, none of `hidden`. `ideal` is what it would have seen without a
   * known deviation: another address is worth a note and no failure. A `soft` one may stay without an answer.
   */
  | {
      readonly what: 'server'
      readonly name: string
      readonly seen?: string
      readonly hidden?: readonly string[]
      readonly ideal?: string
      readonly soft?: true
    }
  /** All of these servers, or `want` of them. */
  | { readonly what: 'endpoints'; readonly names: readonly string[]; readonly want?: number }
  /** Each of these servers its share; less likely than `alpha` by chance is a failure. They all saw `seen`. */
  | { readonly what: 'shares'; readonly names: readonly string[]; readonly alpha: number; readonly seen?: string }
  /** One and the same server for all connections. */
  | { readonly what: 'same' }
  /** This address (or several, sorted, with commas), as the answer of a DNS server; where `optional`, it may not know the name. */
  | { readonly what: 'address'; readonly ip: string; readonly optional?: string }
  | { readonly what: 'answer' }
  /** Nothing at all. */
  | { readonly what: 'silence' }
  /** No fragments. */
  | { readonly what: 'whole' }
  /** Another server than this one, that all sockets were led to in time. */
  | { readonly what: 'moved'; readonly gone: string }
  /** No answer where this program enforces NetworkPolicies; else an answer is as good as none. */
  | { readonly what: 'policy'; readonly enforcer?: string }

/** What a program said of a probe. */
export interface ProbeResult {
  readonly id: number
  readonly ok: boolean
  readonly ms: number
  /** See templates/probe.py: what `ok` or `fail` says. */
  readonly text: string
}

/** The line that a program reads: `7 svctcp 10.96.0.7 18420 3`, or `7/0.5 tcp …` for half a second. */
export function encodeProbe({ id, kind, ip, port, arg, seconds }: Probe): string {
  const first = seconds === undefined ? id : `${id}/${seconds}`
  return [first, kind, ip, port, arg].filter((word) => word !== undefined).join(' ')
}

/** Reads `r 7 ok 12 b-w1 10.244.1.5`; null for any other line. */
export function parseResult(line: string): ProbeResult | null {
  const match = /^r (\d+) (ok|fail) (\d+) (.*)$/.exec(line.trimEnd())
  return match && { id: Number(match[1]), ok: match[2] === 'ok', ms: Number(match[3]), text: match[4] as string }
}

/** Reads `s 7`: a probe that lasts is under way. */
export function parseStarted(line: string): number | null {
  const match = /^s (\d+)$/.exec(line.trimEnd())
  return match && Number(match[1])
}
