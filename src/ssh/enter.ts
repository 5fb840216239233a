import type { Duplex } from 'node:stream'
import ssh2 from 'ssh2'
import type { Door } from '../model/inventory.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { onAbort } from './abort.ts'
import { connectTrouble, interrupted, type Progress, type SshError } from './fault.ts'
import { inOnePiece } from './greeting.ts'
import { algorithmsFor, judge, type Trust } from './hostkey.ts'
import { inTurn } from './in-turn.ts'
import { typeOf } from './known-hosts.ts'
import type { Login } from './login.ts'
import type { Broke } from './patience.ts'

/** One login to one machine. */
export interface Connection {
  readonly client: ssh2.Client
  /** Aborted when the connection is gone. */
  readonly gone: AbortSignal
  /** Why it is gone, where somebody said so. */
  cause(): string | undefined
  close(): void
}

/** What it takes to enter: a way to the machine, what it may show, and how to log in there. */
export interface Entry {
  /** Opens a stream to its sshd; made anew for every try. Rejects with what the system, or the bastion on the way, says. */
  dial(signal: AbortSignal): Promise<Duplex>
  readonly trust: Trust
  readonly login: Login
  /** How long dialling, handshake and login may take together. */
  readonly readyTimeoutMs: number
  /** A silent machine is asked for a sign of life this often, and given up after three without one. */
  readonly keepaliveMs: number
  readonly signal?: AbortSignal | undefined
  /** Hears how the login went, in words. */
  readonly onOpen?: ((text: string) => void) | undefined
}

/** A reason for a signal whose reason nobody asks for: without one, an error with its stack is made. */
const over = 'over'

/** This one costs more than a second of CPU for a handshake, and would come before better ones. */
export const kex = { remove: 'diffie-hellman-group-exchange-sha256' as const, append: [], prepend: [] }

/** Logs in to a machine. Failure: HOST_UNREACHABLE, HOSTKEY_UNKNOWN, HOSTKEY_CHANGED, AUTH_FAILED, INTERRUPTED. */
export function enter(door: Door, entry: Entry): Promise<Connection> {
  return attempt(door, entry, [])
}

/** One try; `shown` are the types of key that the machine showed in earlier ones and that were not the pinned key. */
async function attempt(door: Door, entry: Entry, shown: string[], first?: Failure): Promise<Connection> {
  const offer = algorithmsFor(entry.trust, shown)
  if (first && offer.length === 0) throw first
  const tried = await tryOnce(door, entry, offer)
  if ('connection' in tried) return tried.connection
  // A pin does not tell its type, and the machine shows the type that stands first: ask for its other keys before crying out.
  if ('pinned' in entry.trust && tried.keyType && tried.failure.troubles[0]?.code === 'HOSTKEY_CHANGED') {
    return attempt(door, entry, [...shown, tried.keyType], first ?? tried.failure)
  }
  throw first && !tried.trusted ? first : tried.failure
}

/** `keyType` is what the machine showed, if it came to that; `trusted`, that its key was the right one. */
type Tried =
  | { readonly connection: Connection }
  | { readonly failure: Failure; readonly keyType?: string; readonly trusted: boolean }

function tryOnce(door: Door, entry: Entry, offer: ssh2.ServerHostKeyAlgorithm[]): Promise<Tried> {
  const { readyTimeoutMs, keepaliveMs, signal } = entry
  const client = new ssh2.Client()
  const gone = new AbortController()
  const given = new AbortController()
  const login = entry.login.begin()
  let stream: Duplex | undefined
  let progress: Progress = 'tcp'
  let verdict: Trouble | null = null
  let keyType: string | undefined
  let cause: SshError | null = null
  let agentSaid: string | undefined
  let agreed = ''
  const began = performance.now()

  return new Promise((resolve) => {
    const give = (tried: Tried) => {
      given.abort(over)
      clearTimeout(timer)
      leave()
      if ('failure' in tried) {
        client.end()
        stream?.destroy()
      }
      resolve(tried)
    }
    const fail = (error: SshError | null) =>
      give({
        failure: new Failure(
          exits.unreachable,
          verdict ??
            connectTrouble(door, error, progress, readyTimeoutMs / 1000, { ways: login.tried(), agent: agentSaid }),
          verdict ? {} : { cause: { progress, error } satisfies Broke },
        ),
        ...(keyType ? { keyType } : {}),
        trusted: keyType !== undefined && verdict === null,
      })
    const stop = () => give({ failure: interrupted(door, 'connecting'), trusted: true })
    const leave = onAbort(signal, stop)
    const late = () => {
      // Where somebody is asked for a passphrase, that takes as long as it takes.
      const left = login.waitedUntil() + readyTimeoutMs - performance.now()
      if (left > 0) timer = setTimeout(late, Math.min(left, readyTimeoutMs))
      else fail(Object.assign(new Error('timed out'), { level: 'client-timeout' }))
    }
    let timer = setTimeout(late, readyTimeoutMs)

    client.on('error', (error: SshError) => {
      cause = error
      // A key that cannot sign is not the end: the next way in is tried.
      if (progress === 'login' && error.level === 'agent') agentSaid = error.message
      else if (progress !== 'ready') fail(error)
    })
    client.on('handshake', ({ kex, serverHostKey, cs }) => {
      progress = 'login'
      agreed = [kex, serverHostKey, cs.cipher].join(', ')
    })
    client.on('ready', () => {
      progress = 'ready'
      cause = null
      const ms = Math.round(performance.now() - began)
      entry.onOpen?.(`logged in as ${door.user} by ${login.tried().at(-1)} after ${ms} ms (${agreed})`)
      watch(stream!, keepaliveMs, () => {
        cause = new Error(`no sign of life for ${(3 * keepaliveMs) / 1000} s`)
        stream!.destroy()
      })
      const close = () => {
        client.end()
        // A machine that is silent does not say goodbye either.
        setTimeout(() => stream!.destroy(), 500).unref()
      }
      give({ connection: { client, gone: gone.signal, cause: () => cause?.message, close } })
    })
    client.on('close', () => {
      gone.abort(over)
      if (progress !== 'ready') fail(cause)
    })
    if (signal?.aborted) return stop()

    const connect = (dialled: Duplex) => {
      stream = dialled
      if (given.signal.aborted) return void dialled.destroy()
      progress = 'handshake'
      client.connect({
        sock: inOnePiece(inTurn(dialled)),
        username: door.user,
        authHandler: login.next,
        readyTimeout: 0,
        // ssh2 only sends the questions; watch() counts any byte as a sign of life, so that a slow upload is not cut.
        keepaliveInterval: keepaliveMs,
        keepaliveCountMax: Number.MAX_SAFE_INTEGER,
        algorithms: {
          kex,
          serverHostKey: offer,
        },
        // ssh2 takes everything but `false` for a yes, a thrown error included in none: answer true or false, always.
        hostVerifier: (key: Buffer, verify: (trusted: boolean) => void) => {
          let trusted = false
          try {
            keyType = typeOf(key)
            verdict = judge(door, entry.trust, key)
            trusted = verdict === null
          } catch (error) {
            cause = error as SshError
          }
          verify(trusted === true)
        },
      })
    }
    entry
      .dial(given.signal)
      .then(connect)
      .catch((error) => {
        if (error instanceof Failure) verdict = error.troubles[0] ?? null
        fail(error as SshError)
      })
  })
}

/** Calls `dead` when nothing at all came from the other side in three intervals. Counts ticks, so a sleeping controller is no death. */
function watch(stream: Duplex, intervalMs: number, dead: () => void): void {
  let silent = 0
  stream.on('data', () => {
    silent = 0
  })
  const timer = setInterval(() => {
    if (++silent > 3) dead()
  }, intervalMs)
  stream.once('close', () => clearInterval(timer))
}
