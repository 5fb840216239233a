import { counted } from '../model/words.ts'
import { paint } from './paint.ts'

/** A host and what would be done to it, as in the plan's JSON. */
export interface HostChanges {
  readonly name: string
  readonly actions: readonly {
    step: string
    kind?: string
    summary: string
    is?: string
    want?: string
    diff?: string
    command?: string
  }[]
}

/** A plan as people read it: per host and step, each action with its command or diff. */
export function changesText(hosts: readonly HostChanges[], color: boolean): string {
  return hosts.map((host) => hostText(host, color)).join('\n')
}

/** How much it is in all: `5 actions on 2 of 3 hosts: 3 file, 1 exec, 1 wait`. */
export function totalText(hosts: readonly HostChanges[]): string {
  const all = hosts.flatMap(({ actions }) => actions)
  if (all.length === 0) return 'In all: nothing to do.\n'
  const kinds = new Map<string, number>()
  for (const { kind = 'other' } of all) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  const counts = [...kinds].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${count} ${kind}`)
  const busy = hosts.filter(({ actions }) => actions.length > 0).length
  return `In all: ${counted(all.length, 'action')} on ${busy} of ${counted(hosts.length, 'host')}: ${counts.join(', ')}.\n`
}

function hostText({ name, actions }: HostChanges, color: boolean): string {
  if (actions.length === 0) return `${paint(color, 'bold', name)}: nothing to do\n`
  const lines = actions.flatMap(({ step, summary, is, want, diff, command }, i) => [
    ...(actions[i - 1]?.step === step ? [] : [`  ${step}`]),
    `    ${summary}${is !== undefined && want !== undefined && !diff ? ` (is ${is})` : ''}`,
    ...(command ? indent(command, '$ ').map((line) => paint(color, 'dim', line)) : []),
    ...(diff ? indent(diff).map((line) => paintDiff(line, color)) : []),
  ])
  return [`${paint(color, 'bold', name)}: ${counted(actions.length, 'action')}`, ...lines.map((line) => line), ''].join(
    '\n',
  )
}

const indent = (text: string, prompt = ''): string[] =>
  text.split('\n').map((line, i) => `        ${i === 0 ? prompt : ' '.repeat(prompt.length)}${line}`)

function paintDiff(line: string, color: boolean): string {
  const sign = line.trimStart()[0]
  return sign === '+' ? paint(color, 'green', line) : sign === '-' ? paint(color, 'red', line) : line
}
