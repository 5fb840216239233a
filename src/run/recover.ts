import { Failure, type Trouble } from '../model/trouble.ts'

/** So often a stage is begun again, and so often without any progress in between. */
const most = 5
const mostIdle = 2

/** What may be over once the host is back: the link or the host went away, or its API server did not answer. */
const passing: readonly Trouble['code'][] = ['CONNECTION_LOST', 'HOST_REBOOTED', 'LOOK_FAILED']

export interface Recovery {
  /** Grows with everything that was done. */
  readonly progress: () => number
  /** Waits until it can be gone on, and says so. */
  readonly back: (trouble: Trouble) => Promise<void>
  readonly signal: AbortSignal
}

/** Does the work, and again when the host went away under it, as long as that leads on. The work must not do anything twice. */
export async function withRecovery<T>(work: () => Promise<T>, { progress, back, signal }: Recovery): Promise<T> {
  let idle = 0
  for (let time = 1; ; time += 1) {
    const before = progress()
    try {
      return await work()
    } catch (error) {
      const trouble = error instanceof Failure ? error.troubles[0]! : undefined
      if (!trouble || !passing.includes(trouble.code) || signal.aborted || time === most) throw error
      idle = progress() > before ? 0 : idle + 1
      if (idle > mostIdle) throw error
      await back(trouble)
    }
  }
}

/** Tries until it succeeds, once a second and for so long; what it failed with last is thrown. A trouble that stays is thrown at once. */
export async function patiently<T>(ms: number, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + ms
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const code = error instanceof Failure ? error.troubles[0]!.code : undefined
      const mayPass =
        code !== undefined && (passing.includes(code) || code === 'HOST_UNREACHABLE' || code === 'TIMEOUT')
      if (!mayPass || signal.aborted || performance.now() > until) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}
