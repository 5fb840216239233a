import type { RunEvent } from '../model/event.ts'
import type { HostResult, RunReport } from '../model/report.ts'
import { troubleText } from './failure.ts'
import { paint } from './paint.ts'
import { duration, table } from './table.ts'

/** Shows a run while it goes on; `end` lets go of the terminal. */
export interface RunView {
  emit(event: RunEvent): void
  end(): Promise<void>
}

/** For pipes and logs: one plain line when a host begins or ends a stage, and when it is `verbose`, an action. */
export function lineView(write: (text: string) => void, { verbose }: { readonly verbose?: boolean } = {}): RunView {
  return {
    emit(event) {
      if (event.type === 'begin') write(`${event.host}: ${event.stage} begins, ${event.actions} actions\n`)
      if (verbose && event.type === 'action') write(`${event.host}: ${event.step}: ${event.summary}\n`)
      if (verbose && event.type === 'done')
        write(`${event.host}: ${event.step}: ${event.summary}: ${event.outcome}, ${duration(event.ms)}\n`)
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

export const isWell = ({ outcome }: HostResult): boolean => outcome === 'changed' || outcome === 'unchanged'

/** The last line of a run that not every host came through: how many did, and what is with each of the others. Else nothing. */
export function partialText({ hosts }: RunReport, did: string, color: boolean): string {
  const others = hosts.filter((host) => !isWell(host))
  if (others.length === 0) return ''
  const named = others
    .slice(0, mostNamed)
    .map(
      ({ name, error }) =>
        `${name}: ${error?.code ?? 'DEFECT'} ${(error?.message ?? '').split('\n')[0]!.slice(0, 100)}`,
    )
  const more = others.length > mostNamed ? [`and ${others.length - mostNamed} more`] : []
  const line = `${hosts.length - others.length} of ${hosts.length} hosts ${did}; ${[...named, ...more].join('; ')}`
  return `${paint(color, 'red', line)}\n`
}

/** So many hosts are named in one line. */
const mostNamed = 10
