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
  /**
   * Runs a script as root that is not tied to the connection: it is started on the host, its output is followed, and when the
   * link breaks it is followed on from where it was over a new one. It runs once, however often the link breaks. One such
   * script runs on a host at a time; another one waits for its end. `out` of the reply is stdout and stderr together.
   * `timeoutMs` ends it on the host. An aborted signal only asks it to stop after the action under way; it ends the call at once
   * before the start, and while a new connection is waited for. Throws a Failure: CONNECTION_LOST when the host stays away,
   * HOST_REBOOTED, TIMEOUT, ACTION_FAILED, DISK_FULL, READ_ONLY.
   */
  run(script: Sh, options?: LookOptions): Promise<Reply>
  /** Another connection to the same host, made now: it shows that the host still lets one in. Its hands close by themselves. */
  again(): Promise<Hands>
  close(): void
}
