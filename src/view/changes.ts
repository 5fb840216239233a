import { paint } from './paint.ts'

/** A host and what would be done to it, as in the plan's JSON. */
export interface HostChanges {
  readonly name: string
  readonly actions: readonly {
    step: string
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

function hostText({ name, actions }: HostChanges, color: boolean): string {
  if (actions.length === 0) return `${paint(color, 'bold', name)}: nothing to do\n`
  const lines = actions.flatMap(({ step, summary, is, want, diff, command }, i) => [
    ...(actions[i - 1]?.step === step ? [] : [`  ${step}`]),
    `    ${summary}${is !== undefined && want !== undefined && !diff ? ` (is ${is})` : ''}`,
    ...(command ? indent(command, '$ ').map((line) => paint(color, 'dim', line)) : []),
    ...(diff ? indent(diff).map((line) => paintDiff(line, color)) : []),
  ])
  return [
    `${paint(color, 'bold', name)}: ${actions.length === 1 ? '1 action' : `${actions.length} actions`}`,
    ...lines.map((line) => line),
    '',
  ].join('\n')
}

const indent = (text: string, prompt = ''): string[] =>
  text.split('\n').map((line, i) => `        ${i === 0 ? prompt : ' '.repeat(prompt.length)}${line}`)

function paintDiff(line: string, color: boolean): string {
  const sign = line.trimStart()[0]
  return sign === '+' ? paint(color, 'green', line) : sign === '-' ? paint(color, 'red', line) : line
}
