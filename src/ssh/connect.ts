import fs from 'node:fs/promises'
import { Socket } from 'node:net'
import ssh2 from 'ssh2'
import type { Host } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { onAbort } from './abort.ts'
import { connectTrouble, interrupted, type Progress, type SshError } from './fault.ts'
import { handsOf } from './hands.ts'
import { algorithmsFor, judge, type Trust, trustOf } from './hostkey.ts'
import { type KnownLine, parseKnownHosts, typeOf } from './known-hosts.ts'
import { type KeyFile, readKey, waysIn } from './login.ts'

export interface ConnectOptions {
  readonly signal?: AbortSignal
  /** How long TCP, handshake and login may take together; 20 s */
  readonly readyTimeoutMs?: number
  /** A silent host is asked for a sign of life this often, and given up after three without one; 5 s */
  readonly keepaliveMs?: number
  /** Path of the SSH agent's socket, asked where the inventory names no key. */
  readonly agentSocket?: string
  readonly readFile?: (path: string) => Promise<Buffer>
}

/** Files that many hosts share, each read and parsed once. */
interface Files {
  key(path: string): Promise<KeyFile>
  known(path: string): Promise<{ lines: KnownLine[]; unreadable?: string }>
}

/**
 * Opens the one connection to a host. Host keys are strict: what is neither pinned nor known is refused.
 * Throws Failure: HOST_UNREACHABLE, HOSTKEY_UNKNOWN, HOSTKEY_CHANGED, AUTH_FAILED, INTERRUPTED. Whether the user may become
 * root shows at the first call on the host (SUDO_FAILED).
 */
export function connect(host: Host, options: ConnectOptions = {}): Promise<Hands> {
  return open(host, options, filesOf(options))
}

/**
 * Connects to many hosts, `window` at a time (64); never throws: what failed stands in the map in place of the hands.
 * The order of the map is the order of the hosts.
 */
export async function connectAll(
  hosts: readonly Host[],
  options: ConnectOptions & { readonly window?: number } = {},
): Promise<Map<Host, Hands | Failure>> {
  const files = filesOf(options)
  const found = new Map<Host, Hands | Failure>()
  const left = hosts.values()
  const worker = async () => {
    for (const host of left) found.set(host, await open(host, options, files).catch(asFailure))
  }
  await Promise.all(Array.from({ length: Math.min(options.window ?? 64, hosts.length) }, worker))
  return new Map(hosts.map((host) => [host, found.get(host)!]))
}

async function open(host: Host, options: ConnectOptions, files: Files): Promise<Hands> {
  const key = host.key ? await files.key(host.key) : undefined
  const ways = waysIn(host, key, options.agentSocket)
  const known = host.hostKey ? { lines: [] } : await files.known(host.knownHosts)
  const trust = trustOf(host, known.lines, known.unreadable)
  return attempt(host, options, trust, ways, [])
}

/** One try; `shown` are the types of key that the host showed in earlier ones and that were not the pinned key. */
async function attempt(
  host: Host,
  options: ConnectOptions,
  trust: Trust,
  ways: ssh2.AnyAuthMethod[],
  shown: string[],
  first?: Failure,
): Promise<Hands> {
  const offer = algorithmsFor(trust, shown)
  if (first && offer.length === 0) throw first
  const tried = await tryOnce(host, options, trust, ways, offer)
  if ('hands' in tried) return tried.hands
  // A pin does not tell its type, and the host shows the type that stands first: ask for its other keys before crying out.
  if ('pinned' in trust && tried.keyType && tried.failure.troubles[0]?.code === 'HOSTKEY_CHANGED') {
    return attempt(host, options, trust, ways, [...shown, tried.keyType], first ?? tried.failure)
  }
  throw first && !tried.trusted ? first : tried.failure
}

/** `keyType` is what the host showed, if it came to that; `trusted`, that its key was the right one. */
type Tried =
  | { readonly hands: Hands }
  | { readonly failure: Failure; readonly keyType?: string; readonly trusted: boolean }

function tryOnce(
  host: Host,
  options: ConnectOptions,
  trust: Trust,
  ways: ssh2.AnyAuthMethod[],
  offer: ssh2.ServerHostKeyAlgorithm[],
): Promise<Tried> {
  const readyTimeout = options.readyTimeoutMs ?? 20_000
  const keepalive = options.keepaliveMs ?? 5_000
  const { signal } = options
  const socket = new Socket()
  const client = new ssh2.Client()
  const gone = new AbortController()
  let progress: Progress = 'tcp'
  let verdict: Trouble | null = null
  let keyType: string | undefined
  let cause: SshError | null = null
  let agentSaid: string | undefined

  return new Promise((resolve) => {
    const give = (tried: Tried) => {
      clearTimeout(timer)
      leave()
      if ('failure' in tried) {
        client.end()
        socket.destroy()
      }
      resolve(tried)
    }
    const fail = (error: SshError | null) =>
      give({
        failure: new Failure(
          exits.unreachable,
          verdict ?? connectTrouble(host, error, progress, readyTimeout / 1000, agentSaid),
        ),
        ...(keyType ? { keyType } : {}),
        trusted: keyType !== undefined && verdict === null,
      })
    const stop = () => give({ failure: interrupted(host, 'connecting'), trusted: true })
    const leave = onAbort(signal, stop)
    const timer = setTimeout(
      () => fail(Object.assign(new Error('timed out'), { level: 'client-timeout' })),
      readyTimeout,
    )

    client.on('error', (error: SshError) => {
      cause = error
      // A key that the agent cannot use is not the end: the next way in is tried.
      if (progress === 'login' && error.level === 'agent') agentSaid = error.message
      else if (progress !== 'ready') fail(error)
    })
    client.on('handshake', () => {
      progress = 'login'
    })
    client.on('ready', () => {
      progress = 'ready'
      cause = null
      watch(socket, keepalive, () => {
        cause = new Error(`no sign of life for ${(3 * keepalive) / 1000} s`)
        socket.destroy()
      })
      const close = () => {
        client.end()
        // A host that is silent does not say goodbye either.
        setTimeout(() => socket.destroy(), 500).unref()
      }
      give({
        hands: handsOf(
          { host, client, gone: gone.signal, cause: () => cause?.message },
          () => connect(host, options),
          close,
        ),
      })
    })
    client.on('close', () => {
      gone.abort()
      if (progress !== 'ready') fail(cause)
    })
    socket.on('connect', () => {
      progress = 'handshake'
    })
    if (signal?.aborted) return stop()

    try {
      // Nagle's algorithm would cost 40 ms for every exec but the first.
      socket.setNoDelay(true)
      socket.connect({ host: host.address, port: host.port })
      client.connect({
        sock: socket,
        username: host.user,
        authHandler: ways,
        readyTimeout: 0,
        // ssh2 only sends the questions; watch() counts any byte as a sign of life, so that a slow upload is not cut.
        keepaliveInterval: keepalive,
        keepaliveCountMax: Number.MAX_SAFE_INTEGER,
        algorithms: {
          kex: { remove: 'diffie-hellman-group-exchange-sha256', append: [], prepend: [] },
          serverHostKey: offer,
        },
        // ssh2 takes everything but `false` for a yes, a thrown error included in none: answer true or false, always.
        hostVerifier: (key: Buffer, verify: (trusted: boolean) => void) => {
          let trusted = false
          try {
            keyType = typeOf(key)
            verdict = judge(host, trust, key)
            trusted = verdict === null
          } catch (error) {
            cause = error as SshError
          }
          verify(trusted === true)
        },
      })
    } catch (error) {
      fail(error as SshError)
    }
  })
}

/** Calls `dead` when nothing at all came from the other side in three intervals. Counts ticks, so a sleeping controller is no death. */
function watch(socket: Socket, intervalMs: number, dead: () => void): void {
  let seen = socket.bytesRead
  let silent = 0
  const timer = setInterval(() => {
    silent = socket.bytesRead === seen ? silent + 1 : 0
    seen = socket.bytesRead
    if (silent >= 3) dead()
  }, intervalMs)
  socket.once('close', () => clearInterval(timer))
}

function filesOf(options: ConnectOptions): Files {
  const readFile = options.readFile ?? ((path: string) => fs.readFile(path))
  return {
    key: once((path) => readKey(path, readFile)),
    known: once(async (path) => {
      try {
        return { lines: parseKnownHosts((await readFile(path)).toString('utf8')) }
      } catch (error) {
        return { lines: [], unreadable: (error as Error).message }
      }
    }),
  }
}

function once<T>(make: (path: string) => Promise<T>): (path: string) => Promise<T> {
  const made = new Map<string, Promise<T>>()
  return (path) => {
    const found = made.get(path) ?? make(path)
    made.set(path, found)
    return found
  }
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  throw error
}
