import type { Client, ClientChannel } from 'ssh2'
import type { Host } from '../model/inventory.ts'
import type { Become } from './become.ts'
import type { Connection } from './enter.ts'
import { type Slots, slots } from './slots.ts'

/** One connection to a host, as an exec needs it. */
export interface Link {
  readonly host: Host
  readonly client: Client
  readonly slots: Slots
  /** Aborted when the connection is gone. */
  readonly gone: AbortSignal
  /** Why it is gone, as ssh2 said it. */
  readonly cause: () => string | undefined
  readonly close: () => void
  readonly become: Become
  /** Channels that are done with, and may still have a last word on the way. */
  readonly parting: Set<ClientChannel>
  /** Which boot of the host it is (see Frame), once a script has run over the connection. */
  boot?: string
}

/** sshd allows ten sessions per connection (MaxSessions), and gives one back late. */
const channels = 4
/** How long a connection that is to be closed waits for last words to arrive. */
const lastWordsMs = 1000

/** A connection to a host that is ready; `cause` says why it is gone. */
export function linkOf(become: Become, { client, gone, close }: Connection, cause: () => string | undefined): Link {
  const parting: Link['parting'] = new Set()
  return {
    host: become.host,
    client,
    gone,
    cause,
    become,
    parting,
    slots: slots(channels),
    close: () => {
      if (parting.size === 0) return close()
      const timer = setTimeout(close, lastWordsMs)
      const parted = () => {
        if (parting.size > 0) return
        clearTimeout(timer)
        close()
      }
      for (const channel of parting) channel.once('close', parted)
    },
  }
}
