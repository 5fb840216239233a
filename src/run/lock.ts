import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import type { Hands } from '../model/ports.ts'
import { type Sh, sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { ago, type Holder, lostTrouble, readHolder } from './holder.ts'

export interface LockOptions {
  /** templates/lock.sh */
  readonly script: Sh
  /** user@machine, for those who find the lock taken. */
  readonly who: string
  /** What the run does, for the same. */
  readonly doing: string
  /** Aborted by Ctrl-C: the lock is kept until the work has ended, but no longer fought for. */
  readonly signal: AbortSignal
  /** Told when the lock was taken from one who is gone, and when it was lost and found again. */
  readonly note: (text: string) => void
  /** How often a sign of life is given (5 s), and after how long without one another run may take the lock (30 s). */
  readonly beatMs?: number
  readonly staleSeconds?: number
  readonly path?: string
}

/** The lock as the work sees it. */
export interface Lock {
  /** Settled when it is taken: nothing may be changed before. Throws LOCKED, or why the host cannot be reached. */
  readonly held: Promise<void>
  /** Aborted with a LOCK_LOST when another run has it now: the work ends after what is under way. */
  readonly lost: AbortSignal
}

/** What one connection that holds the lock, or tries to, has come to. */
interface Grip {
  /** `held BOOT` has come. */
  readonly boot: string
  /** Settled when the connection is gone. */
  readonly ended: Promise<unknown>
  drop(): void
}

/**
 * Does the work while holding the cluster's lock on its leader: one run per cluster. The lock is taken at the same time, over a
 * connection of its own, and lives exactly as long as that: it is free at once when this process ends, however it ends.
 * A connection that breaks meanwhile is made anew. Throws LOCK_LOST when another run came in between.
 */
export async function withLock<T>(leader: Hands, options: LockOptions, work: (lock: Lock) => Promise<T>): Promise<T> {
  const id = randomBytes(8).toString('hex')
  const lost = new AbortController()
  let over = false
  let grip: Grip | undefined

  const keep = async (): Promise<void> => {
    const boot = grip!.boot
    await grip!.ended
    if (over) return
    options.note(`${leader.host.name}: the connection that holds the lock broke; it is taken again`)
    for (let pauseMs = 250; !over && !options.signal.aborted; pauseMs = Math.min(2 * pauseMs, 5000)) {
      try {
        grip = await take(leader, id, options, boot)
        if (over) return grip.drop()
        return await keep()
      } catch (error) {
        if (error instanceof Failure && final.has(error.troubles[0]!.code)) return lost.abort(error)
        await new Promise((resolve) => setTimeout(resolve, pauseMs).unref())
      }
    }
  }
  const held = take(leader, id, options).then((taken) => {
    grip = taken
    if (over) return taken.drop()
    void keep()
  })
  held.catch(() => undefined)
  try {
    const result = await work({ held, lost: lost.signal })
    lost.signal.throwIfAborted()
    return result
  } catch (error) {
    throw lost.signal.aborted ? lost.signal.reason : error
  } finally {
    over = true
    grip?.drop()
  }
}

/** After these there is no use in trying again: somebody else has it, or the host is not to be trusted any more. */
const final: ReadonlySet<string> = new Set(['LOCK_LOST', 'AUTH_FAILED', 'HOSTKEY_CHANGED', 'HOSTKEY_UNKNOWN'])

/** `boot` is the host's when this run had the lock before. */
async function take(leader: Hands, id: string, options: LockOptions, boot = ''): Promise<Grip> {
  const { who, doing, staleSeconds = 30, path = '/run/k8snet.lock' } = options
  const hands = await leader.again()
  const signs = new PassThrough()
  const words = [path, id, oneLine(who), oneLine(doing), String(staleSeconds), boot]
  const said: string[] = []
  let onHeld: (boot: string) => void = () => undefined
  const isHeld = new Promise<string>((resolve) => {
    onHeld = resolve
  })
  const reply = hands.send(`${sh`set -- ${words}`}\n${options.script}`, signs, {
    timeoutMs: 2 ** 31 - 1,
    onLine(line) {
      said.push(line)
      if (line.startsWith('held ')) onHeld(line.slice('held '.length))
    },
  })
  try {
    const answer = await Promise.race([isHeld, reply])
    const gone = readHolder(said, 'over')
    if (gone) options.note(takenOver(leader, gone))
    if (typeof answer !== 'string') throw notTaken(leader, said, answer, boot !== '')
    return holding(hands, signs, answer, reply, options.beatMs ?? 5000)
  } catch (error) {
    hands.close()
    throw error
  }
}

function holding(hands: Hands, signs: PassThrough, boot: string, reply: Promise<unknown>, beatMs: number): Grip {
  const beat = setInterval(() => signs.write('\n'), beatMs).unref()
  const ended = reply
    .catch(() => undefined)
    .finally(() => {
      clearInterval(beat)
      hands.close()
    })
  return {
    boot,
    ended,
    // Nobody waits for it: the connection closes when the host has answered, or is silent for a second.
    drop() {
      signs.end('bye\n')
      setTimeout(() => hands.close(), 1000).unref()
    },
  }
}

function notTaken(leader: Hands, said: string[], { code, err }: { code: number; err: string }, had: boolean): Failure {
  const where = leader.host.name
  const holder = readHolder(said, 'lost') ?? readHolder(said, 'busy')
  if (had && said.some((line) => /^(lost|busy)$/.test(line)))
    return new Failure(exits.locked, lostTrouble(where, holder))
  if (holder) {
    const { who, from, doing, since, age, silent } = holder
    return new Failure(exits.locked, {
      code: 'LOCKED',
      message: `${who || 'somebody'}${from && ` from ${from}`} is at work on this cluster: ${doing}, since ${since} (${ago(age)})`,
      where,
      evidence: [{ source: '/run/k8snet.lock', line: `its last sign of life came ${ago(silent)}` }],
      fix: 'wait until it has ended; a run that gives no sign for 30 seconds makes way by itself',
    })
  }
  return new Failure(exits.someHosts, {
    code: 'ACTION_FAILED',
    message: `the lock could not be taken (status ${code})`,
    where,
    evidence: [{ source: '/run/k8snet.lock', line: err.trim().split('\n').at(-1) ?? '' }],
  })
}

function takenOver(leader: Hands, { who, from, doing, silent }: Holder): string {
  return `${leader.host.name}: took the lock over from ${who}${from && ` (${from})`}, whose ${doing} gave its last sign ${ago(silent)}`
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
