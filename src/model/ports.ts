import type { Readable } from 'node:stream'
import type { Reply } from './fact.ts'
import type { Host } from './inventory.ts'
import type { Sh } from './shell.ts'

/** A host that can only be looked at. Plan and verify get these, so that the compiler keeps a dry run dry. */
export interface Eyes {
  readonly host: Host
  /**
   * Runs a script as root that changes nothing, in one exec; it travels over stdin and never through argv.
   * Resolves with whatever exit status it had. Throws a Failure: CONNECTION_LOST, TIMEOUT.
   */
  look(script: Sh, options?: LookOptions): Promise<Reply>
}

export interface LookOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Gets each line of stdout as it comes. */
  readonly onLine?: (line: string) => void
}

/** A host that can be changed. Only run and the probe pods of verify get these. */
export interface Hands extends Eyes {
  /** Runs a script as root; like look, but it may change the host. */
  change(script: Sh, options?: LookOptions): Promise<Reply>
  /**
   * Runs a short script without secrets as root, with `data` as its stdin; back-pressure is kept.
   * A failing `data` stream fails the call, and the script then sees an early end of input.
   */
  send(
    script: Sh,
    data: Readable,
    options?: LookOptions & { readonly onBytes?: (sent: number) => void },
  ): Promise<Reply>
  close(): void
}
