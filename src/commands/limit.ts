import { InvalidArgumentError } from 'commander'
import type { Follow, PhaseEvent } from '../model/record.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { duration } from '../view/table.ts'

/** The time that a command may take as a whole (--timeout), and what it is at, to say where the time ran out. */
export interface Limit extends Follow {
  /** Starts the clock; without a time there is no limit. */
  start(ms: number | undefined): void
  /** Set once the time has run out. */
  readonly late: Failure | undefined
  /** What to say of a command that ended with this error: that the time ran out, and which hosts it waited for; or the error. */
  instead(error: unknown): unknown
}

interface Going {
  readonly stage: string
  readonly host: string
  readonly since: number
  doing: string
}

const phases: Record<PhaseEvent['phase'], string> = {
  connect: 'connecting to the hosts',
  look: 'asking the hosts how they are',
  check: 'the preflight checks',
  verify: 'verifying the network',
}
/** Hosts named before the rest is only counted. */
const shown = 8

/** When the time runs out, `stop` is called once with what goes into the report, as Ctrl-C would stop it. */
export function limitOf(stop: (late: Failure) => void, clock: () => number): Limit {
  const going = new Map<string, Going>()
  let phase = 'the preparations on this machine'
  let late: Failure | undefined
  return {
    start(ms) {
      if (ms === undefined) return
      setTimeout(() => {
        late = new Failure(exits.someHosts, trouble(ms, phase, [...going.values()], clock()))
        stop(late)
      }, ms).unref()
    },
    get late() {
      return late
    },
    instead(error) {
      const [trouble] = late?.troubles ?? []
      if (!trouble) return error
      const troubles = error instanceof Failure && error !== late ? error.troubles : []
      const waited = troubles.filter(({ code }) => code === 'INTERRUPTED')
      if (trouble.where || waited.length === 0) return late
      return new Failure(late!.exit, {
        ...trouble,
        where: namesOf(waited.map(({ where }) => where ?? '')),
        evidence: waited.slice(0, shown).map(({ where, message }) => ({ source: where ?? '', line: message })),
      })
    },
    phase(name) {
      phase = phases[name]
      going.clear()
    },
    event(event) {
      if (!('host' in event)) return
      const key = `${event.stage}/${event.host}`
      if (event.type === 'begin') going.set(key, { ...event, since: clock(), doing: '' })
      const it = going.get(key)
      if (event.type === 'action' && it) it.doing = event.summary
      if (event.type === 'end') going.delete(key)
    },
  }
}

function trouble(ms: number, phase: string, going: readonly Going[], now: number): Trouble {
  const [first] = going
  return {
    code: 'TIMEOUT',
    message: `the ${ms < 1000 ? `${ms} ms` : duration(ms)} of --timeout ran out during ${first ? `the stage ${first.stage}` : phase}`,
    ...(first && { where: namesOf(going.map(({ host }) => host)) }),
    evidence: going.slice(0, shown).map(({ host, stage, since, doing }) => ({
      source: host,
      line: `${stage}${doing ? `, ${doing}` : ''}: under way for ${duration(now - since)}`,
    })),
    fix: 'run the command again: it goes on where it was; or give it more time',
  }
}

const namesOf = ([first, ...more]: readonly string[]): string =>
  `${first}${more.length > 0 ? ` and ${more.length} more` : ''}`

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** 30s, 10m, 1h, 1h30m as milliseconds. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit!]!, 0)
  if (parts.map(([all]) => all).join('') !== text || ms <= 0 || ms > 2 ** 31 - 1)
    throw new InvalidArgumentError('a time like 30s, 10m or 1h30m.')
  return ms
}
