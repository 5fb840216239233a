import type { Duplex } from 'node:stream'
import ssh2 from 'ssh2'
import type { Door, Host } from '../model/inventory.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { type ConnectOptions, sharedBy } from './connect.ts'
import { addressOf } from './dial.ts'
import { kex } from './enter.ts'
import { connectTrouble, type Progress, type SshError } from './fault.ts'
import { inOnePiece } from './greeting.ts'
import { algorithmsFor, fingerprint, judge, pinOf, type Trust, trustOf } from './hostkey.ts'
import { typeOf } from './known-hosts.ts'

/** The host key that a machine shows, and what is known of it. */
export interface Shown {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly state: 'pinned' | 'known' | 'unknown' | 'changed' | 'revoked' | 'unreachable'
  /** ssh-ed25519 */
  readonly type?: string
  /** SHA256:… */
  readonly fingerprint?: string
  /** FILE:LINE of known_hosts */
  readonly at?: string
  /** What to write into the inventory, after comparing. */
  readonly pin?: string
  readonly trouble?: Trouble
}

/**
 * The host keys of all hosts and of the bastions on the way to them, without logging in to the hosts. Bastions have to be logged
 * in to for what is behind them, and so have to be trusted. Never throws: what cannot be reached says why.
 */
export async function scanAll(
  hosts: readonly Host[],
  options: ConnectOptions & { readonly window?: number } = {},
): Promise<Shown[]> {
  const shared = sharedBy(options)
  const doors = [...bastionsOf(hosts), ...hosts]
  const shown = new Map<Door, Shown>()
  const left = doors.values()
  const worker = async () => {
    for (const door of left) shown.set(door, await scan(door, options, shared))
  }
  await Promise.all(Array.from({ length: Math.min(options.window ?? 64, doors.length) }, worker))
  return doors.map((door) => shown.get(door)!)
}

type Target = Door & { readonly jump?: readonly Door[] }

/** Each bastion once, behind those that lead to it. */
function bastionsOf(hosts: readonly Host[]): Target[] {
  const found = new Map<string, Target>()
  for (const { jump = [] } of hosts) {
    for (const [i, door] of jump.entries())
      found.set(`${addressOf(door)} ${door.port}`, { ...door, jump: jump.slice(0, i) })
  }
  return [...found.values()]
}

async function scan(
  door: Target,
  options: ConnectOptions,
  { files, bastions }: ReturnType<typeof sharedBy>,
): Promise<Shown> {
  const is = { name: door.name, address: addressOf(door), port: door.port }
  const trust = await trustOf(door, files.known)
  try {
    const way = await bastions.through(door.jump ?? [])
    try {
      return {
        ...is,
        ...judged(door, trust, await keyOf(door, trust, (offer) => show(door, way.dial, offer, options))),
      }
    } finally {
      way.release()
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const trouble = error.troubles[0]!
    const behind =
      trouble.where === door.name ? trouble : { ...trouble, message: `${trouble.where}: ${trouble.message}` }
    return { ...is, state: 'unreachable', trouble: { ...behind, where: door.name } }
  }
}

/** The key that would be trusted, where the machine has it; otherwise the first that it shows. */
async function keyOf(
  door: Door,
  trust: Trust,
  ask: (offer: ssh2.ServerHostKeyAlgorithm[]) => Promise<Buffer>,
): Promise<Buffer> {
  const first = await ask(algorithmsFor(trust))
  if (!('pinned' in trust)) return first
  const types: string[] = []
  for (let key = first; ; ) {
    if (judge(door, trust, key) === null) return key
    types.push(typeOf(key))
    const offer = algorithmsFor(trust, types)
    const next = offer.length > 0 ? await ask(offer).catch(() => undefined) : undefined
    if (!next) return first
    key = next
  }
}

function judged(door: Door, trust: Trust, key: Buffer): Omit<Shown, 'name' | 'address' | 'port'> {
  const its = { type: typeOf(key), fingerprint: fingerprint(key) }
  const trouble = judge(door, trust, key)
  if (!trouble) {
    if ('pinned' in trust) return { ...its, state: 'pinned' }
    const line = trust.lines.find((it) => it.marker === null && it.key.equals(key))
    return { ...its, state: 'known', ...(line ? { at: `${line.file}:${line.line}` } : {}) }
  }
  if (trouble.code === 'HOSTKEY_UNKNOWN')
    return { ...its, state: 'unknown', pin: pinOf(door, its.fingerprint), trouble }
  const revoked = !('pinned' in trust) && trust.lines.find((it) => it.marker === 'revoked' && it.key.equals(key))
  if (revoked) return { ...its, state: 'revoked', at: `${revoked.file}:${revoked.line}`, trouble }
  const other = 'pinned' in trust ? undefined : trust.lines.find((it) => it.marker === null)
  return { ...its, state: 'changed', ...(other ? { at: `${other.file}:${other.line}` } : {}), trouble }
}

/** A handshake up to the key: nobody logs in. */
function show(
  door: Door,
  dial: (door: Door, signal: AbortSignal) => Promise<Duplex>,
  offer: ssh2.ServerHostKeyAlgorithm[],
  options: ConnectOptions,
): Promise<Buffer> {
  const readyTimeoutMs = options.readyTimeoutMs ?? door.config?.connectTimeoutMs ?? 20_000
  const over = new AbortController()
  const client = new ssh2.Client()
  let progress: Progress = 'tcp'
  return new Promise<Buffer>((resolve, reject) => {
    const fail = (error: SshError | null) =>
      reject(
        error instanceof Failure
          ? error
          : new Failure(exits.unreachable, connectTrouble(door, error, progress, readyTimeoutMs / 1000)),
      )
    const late = Object.assign(new Error('timed out'), { level: 'client-timeout' })
    const timer = setTimeout(() => fail(late), readyTimeoutMs)
    over.signal.addEventListener('abort', () => clearTimeout(timer))
    if (options.signal?.aborted) fail(new Error('stopped'))
    client.on('error', fail)
    client.on('close', () => fail(null))
    dial(door, over.signal)
      .then((sock) => {
        over.signal.addEventListener('abort', () => sock.destroy())
        progress = 'handshake'
        client.connect({
          sock: inOnePiece(sock),
          username: door.user,
          authHandler: [],
          readyTimeout: 0,
          algorithms: { kex, serverHostKey: offer },
          hostVerifier: (key: Buffer, verify: (trusted: boolean) => void) => {
            resolve(key)
            verify(false)
          },
        })
      })
      .catch(fail)
  }).finally(() => over.abort())
}
