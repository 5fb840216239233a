import { diffOf } from '../actions/file.ts'
import { show } from '../actions/index.ts'
import { changedStatus } from '../actions/kind.ts'
import type { Action } from '../model/action.ts'
import type { Host } from '../model/inventory.ts'
import type { Evidence, Trouble } from '../model/trouble.ts'
import type { Return } from './returns.ts'
import type { Outcome } from './script.ts'

/** Something that was not taken back, and what the host said of it. */
export interface Left {
  readonly what: Return
  readonly outcome: Outcome
}

const mostLines = 40

/** Everything on a host that down left as it is, as one trouble: what failed, and what somebody else has changed since. */
export function leftTrouble(host: Host, left: readonly Left[]): Trouble {
  const failed = left.filter(({ outcome }) => outcome.status !== changedStatus)
  const changed = left.filter(({ outcome }) => outcome.status === changedStatus)
  const parts = [
    ...failed.map(({ what, outcome }) => `${wordsOf(what)} ended with status ${outcome.status}`),
    ...(changed.length === 0
      ? []
      : [
          `left as it is, because somebody else changed it since: ${changed.map(({ what }) => thing(what)).join(', ')}`,
        ]),
  ]
  const steps = [...new Set(left.map(({ what }) => what.step))].join(', ')
  return {
    code: failed.length > 0 ? 'ACTION_FAILED' : 'HOST_CHANGED',
    message: parts.join('; '),
    where: `${host.name}: ${steps}`,
    evidence: [...failed.flatMap(lastWords), ...changed.flatMap(difference)],
    fix:
      failed.length > 0
        ? 'look at it on the host, mend it, and run down again: the journal still has it'
        : 'run down again with --overwrite-changed to put back what was there before k8snet, or with --keep-changed to leave it so for good',
  }
}

const wordsOf = ({ actions }: Return): string => (actions[0] ? show(actions[0]).summary : 'nothing')

function thing({ actions }: Return): string {
  const [action] = actions
  if (!action) return ''
  if (action.kind === 'file' || action.kind === 'line' || action.kind === 'upload') return action.path
  if (action.kind === 'service') return action.unit
  return action.kind === 'sysctl' ? action.key : show(action).summary
}

function lastWords({ what, outcome }: Left): Evidence[] {
  const line = outcome.output.trim().split('\n').at(-1)
  return line ? [{ source: what.step, line }] : []
}

/** What a file has that k8snet did not write, as a diff; else the host's own words. */
function difference({ what, outcome }: Left): Evidence[] {
  const action: Action | undefined = what.actions[0]
  const source = thing(what)
  if (action?.kind !== 'file') return outcome.output.trim() === '' ? [] : [{ source, line: firstLines(outcome.output) }]
  const ours = action.was ? String(action.was.content) : ''
  // The shell took the last ends of lines away.
  const now = outcome.output === '' ? '' : `${outcome.output}${ours.endsWith('\n') ? '\n' : ''}`
  return [
    { source, line: outcome.output === '' ? 'it is empty, or gone' : `\n${firstLines(diffOf(source, ours, now))}` },
  ]
}

function firstLines(text: string): string {
  const lines = text.trimEnd().split('\n')
  return lines.length > mostLines
    ? [...lines.slice(0, mostLines), `… ${lines.length - mostLines} more lines`].join('\n')
    : lines.join('\n')
}
