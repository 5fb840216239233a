import type { Hands } from '../model/ports.ts'
import { exec, type Link } from './exec.ts'
import { slots } from './slots.ts'

/** sshd allows ten sessions per connection (MaxSessions), and gives one back late. */
const channels = 4
const defaultMs = { look: 60_000, change: 300_000, send: 1_800_000 } as const

/** Hands over a connection that is ready; `close` ends it. */
export function handsOf(connection: Omit<Link, 'slots'>, again: () => Promise<Hands>, close: () => void): Hands {
  const link: Link = { ...connection, slots: slots(channels) }
  const timeout = (verb: keyof typeof defaultMs, ms: number | undefined) => ms ?? defaultMs[verb]
  return {
    host: link.host,
    look: (script, options = {}) =>
      exec(link, { name: 'a look', script, timeoutMs: timeout('look', options.timeoutMs), options }),
    change: (script, options = {}) =>
      exec(link, { name: 'a change', script, timeoutMs: timeout('change', options.timeoutMs), options }),
    send: (script, data, options = {}) =>
      exec(link, { name: 'a transfer', script, data, timeoutMs: timeout('send', options.timeoutMs), options }),
    run: (script, options = {}) =>
      exec(link, { name: 'a run', script, timeoutMs: timeout('change', options.timeoutMs), options }),
    again,
    close,
  }
}
