import type { Host } from '../model/inventory.ts'
import type { Check } from '../model/report.ts'
import { checkId } from './case.ts'
import { tries } from './clients.ts'
import { failed } from './judge.ts'

/**
 * Connects from the controller by TCP and resolves with the first line the other side sends ('' where `wantLine` is false),
 * or with why not: timeout, refused, unreachable, closed. Never rejects. The command that calls verify brings it.
 */
export type OutsideProbe = (
  address: string,
  port: number,
  options: {
    readonly wantLine: boolean
    /** Sent once the connection stands. */
    readonly send?: string
    readonly timeoutMs: number
    readonly signal?: AbortSignal
  },
) => Promise<{ readonly ok: true; readonly line: string } | { readonly ok: false; readonly reason: string }>

const kubeletPort = 10250
/** Of more endpoints than this, so many have to answer. */
const mostEndpoints = 50

/** The nodes whose nodeIP the controller reaches: their kubelet's port is open to it. */
export async function reachable(
  hosts: readonly Host[],
  outside: OutsideProbe,
  signal?: AbortSignal,
): Promise<Set<string>> {
  const options = { wantLine: false, timeoutMs: 1000, ...(signal && { signal }) }
  const found = await Promise.all(hosts.map((host) => outside(host.nodeIP, kubeletPort, options)))
  return new Set(hosts.filter((_, i) => found[i]?.ok).map((host) => host.name))
}

/** The NodePorts of these nodes, each once more where it failed. No endpoints, no checks. */
export async function nodePortChecks(
  hosts: readonly Host[],
  port: number,
  endpoints: readonly string[],
  outside: OutsideProbe,
  signal?: AbortSignal,
): Promise<Check[]> {
  if (endpoints.length === 0) return []
  return Promise.all(
    hosts.map(async (host) => {
      const check = await nodePortCheck(host, port, endpoints, outside, tries[0], signal)
      return check.outcome === 'passed' ? check : nodePortCheck(host, port, endpoints, outside, tries[1], signal)
    }),
  )
}

/** The NodePort of one node, tried from the controller until every endpoint has answered. */
async function nodePortCheck(
  host: Host,
  port: number,
  endpoints: readonly string[],
  outside: OutsideProbe,
  seconds: number,
  signal?: AbortSignal,
): Promise<Check> {
  const of = { scenario: 'outside-to-service' as const, from: 'controller', to: host.name, protocol: 'tcp' as const }
  const check = { ...of, id: checkId(of) }
  const began = performance.now()
  const seen = new Set<string>()
  const want = Math.min(endpoints.length, mostEndpoints)
  const quick = 16 * want + 32
  const timeoutMs = seconds * 1000
  let answers = 0
  let reason = 'timeout'
  const worker = async () => {
    while (seen.size < want && performance.now() - began < timeoutMs && !signal?.aborted) {
      const got = await outside(host.nodeIP, port, {
        wantLine: true,
        timeoutMs: timeoutMs / 2,
        ...(signal && { signal }),
      })
      if (got.ok) {
        answers++
        seen.add(got.line.split(' ')[0] as string)
      } else reason = got.reason
      if (!got.ok || answers >= quick) await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  await Promise.all(Array.from({ length: Math.min(2 * want, 16) }, worker))
  const ms = Math.round(performance.now() - began)
  const way = `tcp controller -> ${host.nodeIP}:${port}`
  const missed = endpoints.filter((name) => !seen.has(name))
  if (endpoints.length - missed.length >= want) return { ...check, outcome: 'passed', ms }
  if (seen.size === 0)
    return failed(check, { code: 'NODEPORT_UNREACHABLE', evidence: `${way}: ${reason} (${ms} ms)` }, ms)
  const list = [...seen].sort().join(',')
  const evidence = `${way}: ${answers} connections reached ${list}, none reached ${missed.join(',')}`
  return failed(check, { code: 'SERVICE_ENDPOINT_MISSED', evidence }, ms)
}
