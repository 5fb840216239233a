import type { Hands } from '../model/ports.ts'
import { exec } from './exec.ts'
import { runJob } from './job.ts'
import { isLost } from './job-trouble.ts'
import type { Links } from './lasting.ts'
import { turns } from './slots.ts'

const defaultMs = { look: 60_000, change: 300_000, send: 1_800_000, run: 300_000 } as const
/** How long all but a run wait for a host that is away. */
const shortMs = 15_000

/**
 * Hands over the connections to a host; `close` ends them. A look that is lost is asked once more; a change or a transfer is
 * not, for nobody knows how far it came. A run goes on over a new connection, for which it waits `patienceMs`.
 */
export function handsOf(links: Links, patienceMs: number, again: () => Promise<Hands>): Hands {
  const short = Math.min(shortMs, patienceMs)
  // One at a time: the host would let the second one wait, and its time would be uncertain.
  const inTurn = turns(1)
  return {
    host: links.host,
    look: async (script, options = {}) => {
      let heard = false
      const onLine = options.onLine
      const job = {
        name: 'a look',
        script,
        timeoutMs: options.timeoutMs ?? defaultMs.look,
        options: {
          ...options,
          ...(onLine && {
            onLine: (line: string) => {
              heard = true
              onLine(line)
            },
          }),
        },
      }
      const link = await links.get(short, options.signal)
      try {
        return await exec(link, job)
      } catch (error) {
        // Lines that were handed over cannot be taken back.
        if (!isLost(error) || !link.gone.aborted || heard) throw error
        return await exec(await links.get(short, options.signal), job)
      }
    },
    change: async (script, options = {}) =>
      exec(await links.get(short, options.signal), {
        name: 'a change',
        script,
        timeoutMs: options.timeoutMs ?? defaultMs.change,
        options,
      }),
    send: async (script, data, options = {}) => {
      const link = await links.get(short, options.signal).catch((error) => {
        data.destroy()
        throw error
      })
      return exec(link, {
        name: 'a transfer',
        script,
        data,
        timeoutMs: options.timeoutMs ?? defaultMs.send,
        options,
      })
    },
    run: (script, options = {}) =>
      inTurn(() => runJob(links, patienceMs, script, options.timeoutMs ?? defaultMs.run, options)),
    again,
    close: links.close,
  }
}
