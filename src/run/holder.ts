import type { Trouble } from '../model/trouble.ts'

/** What a lock says of the run that has it. Times are the host's own. */
export interface Holder {
  /** user@machine */
  readonly who: string
  /** Where the host sees it come from; empty where it cannot tell. */
  readonly from: string
  readonly doing: string
  /** 2026-11-21 03:14:00 UTC */
  readonly since: string
  /** Seconds since it took the lock. */
  readonly age: number
  /** Seconds since it last gave a sign of life. */
  readonly silent: number
}

/** What templates/lock.sh tells after one of its words; undefined where it did not say that word, or knew of nobody. */
export function readHolder(said: readonly string[], word: 'busy' | 'lost' | 'over'): Holder | undefined {
  const at = said.indexOf(word)
  const [who, from, doing, since, age, silent] = said.slice(at + 1)
  if (at < 0 || silent === undefined || (who === '' && word === 'lost')) return undefined
  return { who: who!, from: from!, doing: doing!, since: since!, age: Number(age), silent: Number(silent) }
}

export function lostTrouble(where: string, holder: Holder | undefined): Trouble {
  return {
    code: 'LOCK_LOST',
    message: holder
      ? `the lock of this run went to ${holder.who}${holder.from && ` from ${holder.from}`}: ${holder.doing}, ${ago(holder.age)}`
      : 'while the connection was broken, another run had the lock',
    where,
    fix: 'look what the other run did, then run the command again: it plans from what is there now',
  }
}

/** 75 -> 1 min 15 s ago */
export function ago(seconds: number): string {
  const [h, min, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  if (h > 0) return `${h} h ${min} min ago`
  return min > 0 ? `${min} min ${s} s ago` : `${s} s ago`
}
