import { Failure } from '../model/trouble.ts'
import { pause } from './abort.ts'
import type { Progress, SshError } from './fault.ts'

/** How far a connection had come and what broke it: the `cause` of the Failure that tells of it. */
export interface Broke {
  readonly progress: Progress
  /** null where the other side closed it without a word */
  readonly error: SshError | null
}

const firstPauseMs = 250
const longestPauseMs = 5000

/** The pause after the n-th try (from 0): doubled each time, and a little different for every host. */
function pauseMs(n: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** n) * (0.75 + Math.random() / 2)
}

/** Tries until it is well, until `worth` says that a failure will stay, or until `patienceMs` would be over. */
export async function persist<T>(
  attempt: () => Promise<T>,
  worth: (error: unknown) => boolean,
  patienceMs: () => number,
  signal?: AbortSignal,
): Promise<T> {
  const began = performance.now()
  for (let n = 0; ; n++) {
    try {
      return await attempt()
    } catch (error) {
      const ms = pauseMs(n)
      if (!worth(error) || signal?.aborted || performance.now() + ms - began > patienceMs()) throw error
      await pause(ms, signal)
    }
  }
}

/** Refused, reset or closed before a word was said: sshd is just starting, or has too many at its door (MaxStartups). */
export function turnedAway(failure: unknown): boolean {
  const broke = brokeOf(failure)
  if (!broke || broke.progress === 'login') return false
  const { error } = broke
  return (
    error === null ||
    error.code === 'ECONNREFUSED' ||
    error.code === 'ECONNRESET' ||
    error.code === 'EPIPE' ||
    /before handshake|connection refused/i.test(error.message)
  )
}

/** May a host that let us in before do so again? Not where it refused the login or showed another key. */
export function mayPass(failure: unknown): boolean {
  const broke = brokeOf(failure)
  if (!broke) return false
  const { error } = broke
  return turnedAway(failure) || error === null || typeof error.code === 'string' || error.level === 'client-timeout'
}

function brokeOf(failure: unknown): Broke | undefined {
  const cause = failure instanceof Failure ? failure.cause : undefined
  return typeof cause === 'object' && cause !== null && 'progress' in cause ? (cause as Broke) : undefined
}
