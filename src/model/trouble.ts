import type { Code } from './codes.ts'

/** What a person can check by eye: where something was read and what stood there. */
export interface Evidence {
  /** A command, a file or a packet: what was looked at. */
  source: string
  /** The line that shows it. */
  line: string
}

/** One thing that is wrong: code, what, where, how it shows, what to do. */
export interface Trouble {
  code: Code
  message: string
  /** `file:line:column`, a host's name, or `host: step`. */
  where?: string
  evidence?: Evidence[]
  fix?: string
}

/** An expected failure: it carries every trouble that was found and the exit code of the command line's contract. */
export class Failure extends Error {
  readonly troubles: readonly Trouble[]
  readonly exit: Exit

  constructor(exit: Exit, troubles: Trouble | readonly Trouble[], options?: ErrorOptions) {
    const all = Array.isArray(troubles) ? (troubles as readonly Trouble[]) : [troubles as Trouble]
    super(all.map(lineOf).join('\n'), options)
    this.name = 'Failure'
    this.troubles = all
    this.exit = exit
  }
}

/** `CODE: message (where)`, on one line. */
export function lineOf(trouble: Trouble): string {
  return `${trouble.code}: ${trouble.message}${trouble.where ? ` (${trouble.where})` : ''}`
}

/** The exit codes of the command line; see README, "Exit codes". */
export const exits = {
  done: 0,
  defect: 1,
  badInput: 2,
  someHosts: 3,
  unreachable: 4,
  refused: 5,
  network: 6,
  locked: 7,
  outdated: 8,
  interrupted: 130,
} as const
export type Exit = (typeof exits)[keyof typeof exits]
