import type { Trouble } from './trouble.ts'

/** What a run tells while it goes on. The view shows them; the record keeps them. `ms` is since the run began. */
export type RunEvent =
  | { type: 'stage'; stage: string; title: string; hosts: string[] }
  | { type: 'begin'; stage: string; host: string; actions: number }
  | { type: 'action'; stage: string; host: string; step: string; summary: string }
  /** An action, or a transfer of several, has ended; `ms` is how long it took. */
  | { type: 'done'; stage: string; host: string; step: string; summary: string; ms: number; outcome: 'done' | 'failed' }
  | { type: 'bytes'; stage: string; host: string; sent: number; total: number }
  | {
      type: 'end'
      stage: string
      host: string
      ms: number
      outcome: 'changed' | 'unchanged' | 'failed' | 'skipped'
      error?: Trouble
    }
  | { type: 'note'; text: string }

export type Emit = (event: RunEvent) => void
