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
  readonly color: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The name and home of who runs this. */
  readonly user: string
  readonly home: string
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal
  /** Asks a person; undefined where nobody is there to answer. */
  ask(question: string): Promise<string | undefined>
  /** Sets the exit code; the last call wins. */
  exit(code: number): void
}
