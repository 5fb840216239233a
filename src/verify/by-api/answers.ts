import type { KubeApi, KubePod } from '../../model/kube.ts'
import { type ProbeResult, parseResult } from '../probe.ts'
import { type Fault, troubleOf } from '../trouble.ts'

/** What the client of a node's pod wrote into its log. */
export interface Row {
  readonly results: ReadonlyMap<number, ProbeResult>
  /** Its network namespace: net:[4026532500] */
  readonly network: string
  /** Why the row is not whole. */
  readonly fault?: Fault
  /** The kubelet of the node gave its log to the API server. */
  readonly read: boolean
}

/** The first wait for a client; each further one is longer, up to a limit, so that many nodes do not keep the API server busy. */
const pollMs = 500
const longestMs = 4000

/** Reads the log of a client, again and again until it is done or `until` (of performance.now) is past. Failure API_FORBIDDEN. */
export async function rowOf(
  api: KubeApi,
  pod: KubePod,
  container: string,
  until: number,
  signal?: AbortSignal,
): Promise<Row> {
  let text = ''
  for (let wait = pollMs; ; wait = Math.min(wait * 1.4, longestMs)) {
    try {
      text = await logOf(api, pod, container)
    } catch (cause) {
      const fault = troubleOf(cause)
      // The user may not read logs: no kubelet is to blame.
      if (fault.code === 'API_FORBIDDEN') throw cause
      if (performance.now() > until || signal?.aborted) return { ...parsed(text), read: false, fault }
    }
    const row = parsed(text)
    const error = /^error (.*)$/m.exec(text)?.[1]
    if (error !== undefined) return { ...row, read: true, fault: { code: 'PROBE_FAILED', evidence: error } }
    if (/^done$/m.test(text)) return { ...row, read: true }
    if (performance.now() > until || signal?.aborted)
      return { ...row, read: true, fault: { code: 'PROBE_FAILED', evidence: 'its probes did not end in time' } }
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}

/** The network namespace that a container names in the first line of its log; empty where that cannot be read. */
export async function networkOf(api: KubeApi, pod: KubePod, container: string): Promise<string> {
  try {
    return parsed(await logOf(api, pod, container, 200)).network
  } catch (cause) {
    troubleOf(cause)
    return ''
  }
}

function logOf(api: KubeApi, { metadata }: KubePod, container: string, limit?: number): Promise<string> {
  const words = `container=${container}${limit === undefined ? '' : `&limitBytes=${limit}`}`
  return api.text(`/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/log?${words}`)
}

/** The last result of a probe counts: those that failed were made once more. */
function parsed(text: string): { results: Map<number, ProbeResult>; network: string } {
  const results = new Map<number, ProbeResult>()
  for (const line of text.split('\n')) {
    const result = parseResult(line)
    if (result) results.set(result.id, result)
  }
  return { results, network: /^net (\S+)$/m.exec(text)?.[1] ?? '' }
}
