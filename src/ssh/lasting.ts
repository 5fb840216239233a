import type { Host } from '../model/inventory.ts'
import { exits, type Failure } from '../model/trouble.ts'
import { onAbort } from './abort.ts'
import { failure, interrupted } from './fault.ts'
import type { Link } from './link.ts'
import { mayPass, persist } from './patience.ts'

/** The connection to a host, whichever it is just now. */
export interface Links {
  readonly host: Host
  /**
   * The connection; where it is gone, a new one, waited for as long as `patienceMs`. Failure: CONNECTION_LOST when the host
   * stays away, INTERRUPTED, AUTH_FAILED, HOSTKEY_CHANGED.
   */
  get(patienceMs: number, signal?: AbortSignal): Promise<Link>
  close(): void
}

/** Tells that a connection broke (`text`: why) and somebody waits for a new one, or that there is one again. */
export type OnLink = (host: Host, state: 'lost' | 'back', text: string) => void

/** One connection that is not replaced. */
export function single(link: Link): Links {
  return { host: link.host, get: async () => link, close: link.close }
}

/** A connection that is opened anew once it is gone and somebody asks for it; one try at a time, shared by all who wait. */
export function lasting(first: Link, reopen: (signal: AbortSignal) => Promise<Link>, onLink?: OnLink): Links {
  const { host } = first
  const closed = new AbortController()
  const waiting = new Set<{ readonly until: number }>()
  let link = first
  let opening: Promise<Link> | undefined

  const whyLost = () => link.cause() ?? 'the other side closed it'
  const open = async () => {
    const began = performance.now()
    onLink?.(host, 'lost', `connection lost (${whyLost()}); trying again`)
    const longest = () => Math.max(0, ...[...waiting].map(({ until }) => until - began))
    link = await persist(() => reopen(closed.signal), mayPass, longest, closed.signal)
    onLink?.(host, 'back', `connected again after ${((performance.now() - began) / 1000).toFixed(1)} s`)
    return link
  }
  const get = async (patienceMs: number, signal?: AbortSignal): Promise<Link> => {
    if (closed.signal.aborted) throw stayedAway(host, ['it was closed'], 0)
    if (!link.gone.aborted) return link
    if (signal?.aborted) throw interrupted(host, 'waiting for a new connection')
    const me = { until: performance.now() + patienceMs }
    waiting.add(me)
    try {
      opening ??= open().finally(() => {
        opening = undefined
      })
      return await within(opening, patienceMs, signal, host)
    } catch (error) {
      const said =
        error === noAnswer ? 'no answer' : mayPass(error) ? (error as Failure).troubles[0]!.message : undefined
      throw said ? stayedAway(host, [whyLost(), said], patienceMs) : error
    } finally {
      waiting.delete(me)
    }
  }
  return {
    host,
    get,
    close: () => {
      closed.abort()
      link.close()
      // A connection that is just being made is not left over.
      opening?.then((late) => late.close()).catch(() => {})
    },
  }
}

const noAnswer = Symbol('no answer')

function within(opening: Promise<Link>, ms: number, signal: AbortSignal | undefined, host: Host): Promise<Link> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(noAnswer), ms)
    const leave = onAbort(signal, () => reject(interrupted(host, 'waiting for a new connection')))
    opening.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      leave()
    })
  })
}

function stayedAway(host: Host, why: readonly string[], patienceMs: number): Failure {
  return failure(
    exits.someHosts,
    'CONNECTION_LOST',
    host,
    patienceMs > 0
      ? `the connection is gone, and the host let no new one in for ${patienceMs / 1000} s`
      : 'the connection is gone',
    {
      evidence: why.map((line) => ({ source: host.address, line })),
      fix: 'check the host and the way to it, then run the command again: it goes on from what is there',
    },
  )
}
