import type { Hands } from '../model/ports.ts'
import { type Sh, sh } from '../model/shell.ts'
import type { Case } from './case.ts'
import { podGone } from './manifests.ts'
import { troubleOf } from './trouble.ts'

/** The first client has so long to be under way: a busy host starts it late, and one that begins with nothing deleted sees a fault. */
const firstMs = 10_000
/** Clients that are not under way so long after the first one do not hold up the others. */
const waitMs = 3000

/** Shell for the leader: removes the one endpoint at once, as a crash would. */
export function deletePod(namespace: string, pod: string): Sh {
  return sh`KUBECONFIG=/etc/kubernetes/admin.conf KUBECACHEDIR=/dev/null/none kubectl -n ${namespace} delete pod ${pod} --force --grace-period=0 --wait=false >/dev/null 2>&1`
}

/**
 * Deletes the pod u of `node` once all clients that talk to its Service are under way: `started` is told so by probe id. `done`
 * resolves when that is over, or when `stop` says that no client is left.
 */
export function endpointGone(
  leader: Hands,
  namespace: string,
  node: string,
  cases: readonly Case[],
  signal?: AbortSignal,
): { started: (id: number) => void; stop: () => void; done: Promise<void> } {
  const waiting = new Set(
    cases
      .filter(({ scenario, skip }) => scenario === 'udp-endpoint-gone' && skip === undefined)
      .flatMap(({ probes }) => probes.map(({ id }) => id)),
  )
  let go: (some: boolean) => void = () => {}
  const all = new Promise<boolean>((resolve) => {
    go = resolve
  })
  let timer = waiting.size > 0 ? setTimeout(() => go(false), firstMs) : undefined
  if (!timer) go(false)
  let underWay = false
  const done = all.then(async (some) => {
    clearTimeout(timer)
    if (!some || signal?.aborted) return
    const options = { timeoutMs: 10_000, ...(signal && { signal }) }
    // What was not deleted shows: no socket gets to another endpoint.
    await leader.change(deletePod(namespace, podGone(node)), options).catch((cause: unknown) => void troubleOf(cause))
  })
  done.catch(() => {})
  return {
    done,
    stop: () => go(false),
    started: (id) => {
      waiting.delete(id)
      if (waiting.size === 0) return go(true)
      if (underWay) return
      underWay = true
      clearTimeout(timer)
      timer = setTimeout(() => go(true), waitMs)
    },
  }
}
