import type { RunEvent } from '../model/event.ts'
import type { RunReport } from '../model/report.ts'
import { troubleText } from './failure.ts'
import { paint } from './paint.ts'
import { duration, table } from './table.ts'

/** Shows a run while it goes on; `end` lets go of the terminal. */
export interface RunView {
  emit(event: RunEvent): void
  end(): Promise<void>
}

/** For pipes and logs: one plain line when a host begins or ends a stage. */
export function lineView(write: (text: string) => void): RunView {
  return {
    emit(event) {
      if (event.type === 'begin') write(`${event.host}: ${event.stage} begins, ${event.actions} actions\n`)
      if (event.type === 'end' && event.outcome !== 'unchanged')
        write(`${event.host}: ${event.stage} ${event.outcome}, ${duration(event.ms)}\n`)
      if (event.type === 'note') write(`${event.text}\n`)
    },
    end: async () => undefined,
  }
}

/** What became of a run: a table of the hosts, the time per stage, and what went wrong in full. */
export function reportText(report: RunReport, color: boolean): string {
  const rows = report.hosts.map(({ name, outcome, actions, ms }) => [name, outcome, String(actions), duration(ms)])
  const errors = report.hosts.flatMap(({ error }) => (error ? [troubleText(error, color)] : []))
  const stages = report.stages.map(({ name, ms }) => `${name} ${duration(ms)}`).join(', ')
  return [
    table([['HOST', 'OUTCOME', 'ACTIONS', 'TIME'], ...rows]),
    stages && report.hosts.some(({ outcome }) => outcome !== 'unchanged')
      ? `${paint(color, 'dim', `stages: ${stages}; in all ${duration(report.ms)}`)}\n`
      : '',
    ...errors,
  ].join('')
}
