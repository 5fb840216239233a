import type { Follow } from '../model/record.ts'
import type { Secrets } from '../ssh/connect.ts'

/** The outside world as a command sees it. Only cli.ts makes one from `process`; tests make their own. */
export interface CommandIo {
  /** Writes to stdout, as it is: results. */
  out(text: string): void
  /** Writes to stderr, as it is: progress, logs, errors. */
  err(text: string): void
  /** The stream behind `err`, for a live view. */
  readonly errStream: NodeJS.WriteStream
  /** Is stdout / stderr a terminal? */
  readonly outIsTerminal: boolean
  readonly errIsTerminal: boolean
  /** Width of stdout in characters. */
  readonly columns?: number
  readonly color: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The name and home of who runs this. */
  readonly user: string
  readonly home: string
  /** Aborted by the first Ctrl-C, and when the time of --timeout is over: then the reason is a Failure. */
  readonly signal: AbortSignal
  /** Set by -v: says on stderr what is of no interest otherwise. */
  readonly log?: (line: string) => void
  /** Told what the command is at. */
  readonly follow?: Follow
  /** Asks a person; undefined where nobody is there to answer. */
  ask(question: string): Promise<string | undefined>
  /** Asks for something that nobody may read along; absent where nobody is there to answer. */
  readonly askSecret?: (question: string) => Promise<string | undefined>
  /** The passwords that options, descriptors and environment give, asked for on the first call where that was wished. */
  readonly secrets?: () => Promise<Secrets>
  /** Sets the exit code; the last call wins. */
  exit(code: number): void
}
