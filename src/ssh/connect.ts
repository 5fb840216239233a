import type { Door, Host } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { Secret } from '../model/secret.ts'
import { Failure } from '../model/trouble.ts'
import { type Become, becomeOf } from './become.ts'
import { addressOf } from './dial.ts'
import { type Connection, enter } from './enter.ts'
import { type Files, filesOf } from './files.ts'
import { handsOf } from './hands.ts'
import { trustOf } from './hostkey.ts'
import { type Bastions, bastionsOf, type Way } from './jump.ts'
import type { AskPassphrase } from './keys.ts'
import { lasting, type OnLink, single } from './lasting.ts'
import { type Link, linkOf } from './link.ts'
import { loginOf } from './login.ts'
import { persist, turnedAway } from './patience.ts'
import { turns } from './slots.ts'

export interface ConnectOptions {
  readonly signal?: AbortSignal
  /** How long TCP, handshake and login may take together; 20 s */
  readonly readyTimeoutMs?: number
  /** A silent host is asked for a sign of life this often, and given up after three without one; 5 s */
  readonly keepaliveMs?: number
  /** Path of the SSH agent's socket, asked where no key that is named is at hand. */
  readonly agentSocket?: string
  readonly secrets?: Secrets
  readonly readFile?: (path: string) => Promise<Buffer>
  /** How long a host that turns the first connection away (refused, reset, closed before a word) is tried again; 5 s */
  readonly firstPatienceMs?: number
  /** How long a script under way waits for a host that has gone away; 120 s */
  readonly patienceMs?: number
  readonly onLink?: OnLink
  /** Hears of every login that succeeded: how, and what was agreed on. */
  readonly onOpen?: (door: Door, text: string) => void
}

/** What was given or may be asked for in this run; none of it comes from a file. */
export interface Secrets {
  /** Password of the hosts' user; no bastion sees it. */
  readonly password?: Secret
  /** What sudo or doas ask for. */
  readonly becomePassword?: Secret
  readonly passphrase?: AskPassphrase
}

/** What the connections of a run have in common. */
interface Shared {
  readonly files: Files
  readonly bastions: Bastions
  /** What was learnt of a host's sudo holds for all connections to it. */
  readonly becomeOf: (host: Host) => Become
  /** Lets a login to an sshd wait where many are under way. */
  readonly atDoor: (door: Door) => ReturnType<typeof turns>
}

/** Logins to one sshd at a time: at more than ten it begins to turn some away (MaxStartups). */
const atOneDoor = 8

/**
 * Opens the one connection to a host. Host keys are strict: what is neither pinned nor known is refused.
 * Throws Failure: HOST_UNREACHABLE, HOSTKEY_UNKNOWN, HOSTKEY_CHANGED, AUTH_FAILED, INTERRUPTED; a bastion's is named as its
 * own. Whether the user may become root shows at the first call on the host (SUDO_FAILED).
 */
export function connect(host: Host, options: ConnectOptions = {}): Promise<Hands> {
  return reach(host, options, sharedBy(options))
}

/**
 * Connects to many hosts, `window` at a time (64); never throws: what failed stands in the map in place of the hands.
 * The order of the map is the order of the hosts.
 */
export async function connectAll(
  hosts: readonly Host[],
  options: ConnectOptions & { readonly window?: number } = {},
): Promise<Map<Host, Hands | Failure>> {
  const shared = sharedBy(options)
  const found = new Map<Host, Hands | Failure>()
  const left = hosts.values()
  const worker = async () => {
    for (const host of left) found.set(host, await reach(host, options, shared).catch(asFailure))
  }
  await Promise.all(Array.from({ length: Math.min(options.window ?? 64, hosts.length) }, worker))
  return new Map(hosts.map((host) => [host, found.get(host)!]))
}

/** Hands that outlive a connection. */
async function reach(host: Host, options: ConnectOptions, shared: Shared): Promise<Hands> {
  const link = await first(host, options, shared)
  const reopen = (signal: AbortSignal) => open(host, { ...options, signal }, shared)
  return handsOf(lasting(link, reopen, options.onLink), options.patienceMs ?? 120_000, () => another(host, options))
}

/** Hands over a connection of their own, which is not replaced. */
async function another(host: Host, options: ConnectOptions): Promise<Hands> {
  const link = await first(host, options, sharedBy(options))
  return handsOf(single(link), 0, () => another(host, options))
}

function first(host: Host, options: ConnectOptions, shared: Shared): Promise<Link> {
  const patienceMs = options.firstPatienceMs ?? 5_000
  // Where many are before it at the door, its turn comes late, and that is not the host's fault.
  let inLineMs = 0
  const attempt = () => {
    const asked = performance.now()
    return open(host, options, shared, () => {
      inLineMs += performance.now() - asked
    })
  }
  return persist(attempt, turnedAway, () => patienceMs + inLineMs, options.signal)
}

/** `onTurn` is called when it has come to its turn at the door. */
function open(host: Host, options: ConnectOptions, shared: Shared, onTurn = () => {}): Promise<Link> {
  return shared.atDoor(host)(async () => {
    onTurn()
    const way = await shared.bastions.through(host.jump ?? []).catch((error) => {
      throw behind(host, error)
    })
    try {
      const password = options.secrets?.password ?? host.password
      const connection = await enterBy(host, way, options, shared.files, password)
      connection.gone.addEventListener('abort', way.release)
      return linkOf(shared.becomeOf(host), connection, () => way.cause() ?? connection.cause())
    } catch (error) {
      way.release()
      throw error
    }
  })
}

/** Everything that has to be at hand is there before the first byte is sent. */
async function enterBy(
  door: Door,
  way: Way,
  options: ConnectOptions,
  files: Files,
  password: Secret | undefined,
): Promise<Connection> {
  const login = await loginOf(door, files, { agentSocket: options.agentSocket, password })
  return enter(door, {
    dial: (signal) => way.dial(door, signal),
    trust: await trustOf(door, files.known),
    login,
    readyTimeoutMs: options.readyTimeoutMs ?? door.config?.connectTimeoutMs ?? 20_000,
    keepaliveMs: options.keepaliveMs ?? 5_000,
    signal: options.signal,
    onOpen: options.onOpen && ((text) => options.onOpen?.(door, text)),
  })
}

/** Files, agents, bastions and what else is had once for many hosts. */
export function sharedBy(options: ConnectOptions): Shared {
  const files = filesOf({ ...options, passphrase: options.secrets?.passphrase })
  const becomes = new Map<Host, Become>()
  const doors = new Map<string, ReturnType<typeof turns>>()
  return {
    files,
    bastions: bastionsOf((door, way) => enterBy(door, way, options, files, door.password)),
    becomeOf: (host) => {
      const known = becomes.get(host) ?? becomeOf(host, options.secrets?.becomePassword)
      becomes.set(host, known)
      return known
    },
    atDoor: (door) => {
      const name = `${addressOf(door)} ${door.port}`
      const known = doors.get(name) ?? turns(atOneDoor)
      doors.set(name, known)
      return known
    },
  }
}

/** A bastion's failure is the failure of each host behind it. */
function behind(host: Host, error: unknown): unknown {
  if (!(error instanceof Failure)) return error
  return new Failure(
    error.exit,
    error.troubles.map((it) => ({ ...it, message: `${it.where}: ${it.message}`, where: host.name })),
    { cause: error.cause },
  )
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  throw error
}
