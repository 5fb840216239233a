import { setMaxListeners } from 'node:events'

/** Calls `act` once when the signal is aborted; the returned function lets go. One signal may serve thousands of calls. */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (!signal) return () => {}
  setMaxListeners(0, signal)
  signal.addEventListener('abort', act, { once: true })
  return () => signal.removeEventListener('abort', act)
}

/** Waits, but not longer than until the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer)
      leave()
      resolve()
    }
    const timer = setTimeout(go, ms)
    const leave = onAbort(signal, go)
    if (signal?.aborted) go()
  })
}
