import { type Failure, lineOf, type Trouble } from '../model/trouble.ts'
import { paint } from './paint.ts'

/** Every trouble of a failure as people read it: `CODE: what (where)`, its evidence, its fix. */
export function failureText(failure: Failure, color: boolean): string {
  return failure.troubles.map((trouble) => troubleText(trouble, color)).join('')
}

export function troubleText(trouble: Trouble, color: boolean): string {
  const lines = [
    paint(color, 'red', lineOf(trouble)),
    ...(trouble.evidence ?? []).map(({ source, line }) => paint(color, 'dim', `  ${source}: ${line}`)),
    ...(trouble.fix ? [`  fix: ${trouble.fix}`] : []),
  ]
  return `${lines.join('\n')}\n`
}

/** The hosts that are left out of what follows, each with its trouble. */
export function leftOut(troubles: readonly Trouble[], color: boolean): string {
  return `${troubles.map((trouble) => troubleText(trouble, color)).join('')}Left out: ${hostsOf(troubles).join(', ')}\n`
}

/** The hosts that troubles are about. */
export function hostsOf(troubles: readonly Trouble[]): string[] {
  return [...new Set(troubles.map(({ where = 'some host' }) => where.split(':')[0]!))]
}

/** The documented shape of every failure: the first trouble as `error`, all of them as `errors`. */
export function failureJson(failure: Failure) {
  const errors = failure.troubles.map(troubleJson)
  return { ok: false, error: errors[0], errors }
}

export function troubleJson({ code, message, where, evidence, fix }: Trouble) {
  return {
    code,
    message,
    ...(where && { where }),
    ...(evidence?.length && { evidence: evidence.map(({ source, line }) => `${source}: ${line}`).join('\n') }),
    ...(fix && { fix }),
  }
}
