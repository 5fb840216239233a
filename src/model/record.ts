import type { RunEvent } from './event.ts'
import type { HostResult } from './report.ts'

/** The first line of a run's events: what was run, when and by whom. */
export interface RunHeader {
  readonly type: 'run'
  readonly format: 1
  readonly verb: 'up' | 'down' | 'verify'
  readonly cluster: string
  /** Absolute path of the inventory. */
  readonly inventory: string
  readonly hosts: readonly string[]
  /** UTC, ISO 8601 */
  readonly began: string
  /** user@machine */
  readonly by: string
  readonly version: string
}

/** A part of a run that concerns all hosts together; it ends when the next one or the first stage begins. */
export interface PhaseEvent {
  readonly type: 'phase'
  readonly phase: 'connect' | 'look' | 'check' | 'verify'
}

/** The last line. A run without one was killed. */
export interface FinishEvent {
  readonly type: 'finish'
  readonly exit: number
}

/** A line of events.ndjson; `at` is in milliseconds since the run began. */
export type RecordedEvent = { readonly at: number } & (RunHeader | RunEvent | PhaseEvent | FinishEvent)

/** Is told what a command is at: by the record, and by what says where a time limit ran out. */
export interface Follow {
  phase(phase: PhaseEvent['phase']): void
  event(event: RunEvent): void
}

/** What lies in a record's directory. `result` is the JSON that the run printed with -o json, undefined after a kill. */
export interface Record {
  readonly dir: string
  readonly header: RunHeader
  readonly events: readonly RecordedEvent[]
  readonly result?: unknown
}

/** Where the time of a run went. Milliseconds since it began. */
export interface Timeline {
  readonly dir: string
  readonly header: RunHeader
  readonly ms: number
  /** undefined: the run did not end by itself. */
  readonly exit?: number
  readonly spans: readonly Span[]
  /** Time per host and step, longest first. */
  readonly steps: readonly StepTime[]
  readonly errors: readonly { readonly code: string; readonly message: string; readonly where?: string }[]
}

/** One bar: a stage of a host, or a phase of all of them. */
export interface Span {
  readonly stage: string
  readonly host?: string
  readonly from: number
  readonly to: number
  /** `unfinished`: under way when the record ends. */
  readonly outcome: HostResult['outcome'] | 'unfinished' | 'done'
}

export interface StepTime {
  readonly host: string
  readonly step: string
  readonly ms: number
}
