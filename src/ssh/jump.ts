import type { Duplex } from 'node:stream'
import type { Door } from '../model/inventory.ts'
import { exits, Failure } from '../model/trouble.ts'
import { addressOf, dial } from './dial.ts'
import type { Connection } from './enter.ts'

/** A way to machines: straight, or through bastions. It has to be given back, so that a bastion's connection ends with its last user. */
export interface Way {
  dial(door: Door, signal: AbortSignal): Promise<Duplex>
  /** Why the bastions on it are gone, if they are. */
  cause(): string | undefined
  release(): void
}

/** The bastions of a run: one connection to each, shared by all that is behind it. */
export interface Bastions {
  /** Failure of the bastion that could not be entered: HOST_UNREACHABLE, HOSTKEY_UNKNOWN, AUTH_FAILED, … */
  through(jumps: readonly Door[]): Promise<Way>
}

interface Held {
  readonly outer: Promise<Way>
  readonly connection: Promise<Connection>
  users: number
}

const straight: Way = { dial, cause: () => undefined, release: () => {} }
/** How long a bastion that does not answer is not asked again: many wait for it at the same time. */
const restMs = 3000

/** `enterBy` logs in to a bastion over a way. */
export function bastionsOf(enterBy: (door: Door, way: Way) => Promise<Connection>): Bastions {
  const held = new Map<string, Held>()

  const hold = (name: string, door: Door, outer: Promise<Way>): Held => {
    const connection = outer.then((way) => enterBy(door, way))
    const made: Held = { outer, connection, users: 0 }
    held.set(name, made)
    const forget = () => {
      if (held.get(name) === made) held.delete(name)
    }
    connection.then(
      ({ gone }) => gone.addEventListener('abort', forget),
      (error) => {
        // A login or a key that was refused stays refused: a second try would be a blind one.
        if (error instanceof Failure && error.troubles[0]?.code === 'HOST_UNREACHABLE')
          setTimeout(forget, restMs).unref()
        void outer.then((way) => way.release()).catch(() => {})
      },
    )
    return made
  }

  const through = async (jumps: readonly Door[]): Promise<Way> => {
    const door = jumps.at(-1)
    if (!door) return straight
    const name = jumps.map((it) => `${it.user}@${it.address}:${it.port}`).join(' ')
    const it = held.get(name) ?? hold(name, door, through(jumps.slice(0, -1)))
    it.users++
    const [connection, outer] = await Promise.all([it.connection, it.outer])
    let released = false
    return {
      dial: (to, signal) => forward(door, connection, to, signal),
      cause: () => {
        if (!connection.gone.aborted) return undefined
        return `the connection to ${door.name} is gone: ${connection.cause() ?? outer.cause() ?? 'it was closed'}`
      },
      release: () => {
        if (released) return
        released = true
        if (--it.users > 0) return
        if (held.get(name) === it) held.delete(name)
        connection.close()
        outer.release()
      },
    }
  }
  return { through }
}

/** A stream from the bastion to a machine behind it. */
function forward(bastion: Door, { client }: Connection, door: Door, signal: AbortSignal): Promise<Duplex> {
  const to = `${addressOf(door)} port ${door.port}`
  return new Promise((resolve, reject) => {
    const refuse = (said: string, fix: string) =>
      reject(
        new Failure(exits.unreachable, {
          code: 'HOST_UNREACHABLE',
          message: `no connection to ${to} from ${bastion.name}`,
          where: door.name,
          evidence: [{ source: bastion.name, line: said }],
          fix,
        }),
      )
    try {
      client.forwardOut('127.0.0.1', 0, addressOf(door), door.port, (error, stream) => {
        if (!error) {
          if (signal.aborted) stream.destroy()
          return resolve(stream)
        }
        const prohibited = (error as { reason?: number }).reason === 1
        refuse(
          error.message,
          prohibited
            ? `let it forward: AllowTcpForwarding and PermitOpen in /etc/ssh/sshd_config of ${bastion.address}`
            : `check on ${bastion.address} that the address resolves and answers: ssh-keyscan -p ${door.port} ${addressOf(door)}`,
        )
      })
    } catch (error) {
      refuse((error as Error).message, `check the connection to ${bastion.address}`)
    }
  })
}
