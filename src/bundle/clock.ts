import type { OnProgress } from './progress.ts'

/** Tells how far a row of long works is, a little every second, by their expected seconds and how fast it went so far. */
export interface WorkClock {
  begin(name: string, seconds: number): void
  /** What the work says it is at. */
  readonly detail: (line: string) => void
  readonly end: () => void
}

export function workClock(expected: readonly number[], onProgress: OnProgress | undefined, now = Date.now): WorkClock {
  const total = expected.reduce((sum, seconds) => sum + seconds, 0)
  let done = 0
  let spentMs = 0
  let begun = 0
  let current = { name: '', seconds: 0, detail: '' }
  let timer: NodeJS.Timeout | undefined

  const tell = (): void => {
    // pace: real seconds for each expected one, from what is finished and trusted more the more that is
    const pace = (spentMs / 1000 + 30) / (done + 30)
    const inside = Math.min((now() - begun) / 1000 / pace, current.seconds * 0.98)
    const name = current.detail ? `${current.name} (${current.detail})` : current.name
    onProgress?.({ done: done + inside, total, name, etaMs: Math.round((total - done - inside) * pace * 1000) })
  }
  return {
    begin: (name, seconds) => {
      current = { name, seconds, detail: '' }
      begun = now()
      tell()
      timer = setInterval(tell, 1000)
    },
    detail: (line) => {
      current.detail = line.replace(/^go: /, '').slice(0, 80)
    },
    end: () => {
      clearInterval(timer)
      spentMs += now() - begun
      done += current.seconds
      current = { name: '', seconds: 0, detail: '' }
    },
  }
}
