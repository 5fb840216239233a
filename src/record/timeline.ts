import type { Record, RecordedEvent, Span, StepTime, Timeline } from '../model/record.ts'

/** Puts a record's events together to where the time went. */
export function timelineOf({ dir, header, events, result }: Record): Timeline {
  const ms = events.at(-1)?.at ?? 0
  const finish = events.find((event) => event.type === 'finish')
  return {
    dir,
    header,
    ms,
    ...(finish && { exit: finish.exit }),
    spans: [...phases(events, ms), ...stages(events, ms)].sort((a, b) => a.from - b.from || a.to - b.to),
    steps: stepTimes(events, ms),
    errors: errorsIn(result) ?? events.flatMap((event) => (event.type === 'end' && event.error ? [event.error] : [])),
  }
}

function phases(events: readonly RecordedEvent[], last: number): Span[] {
  return events.flatMap((event, i): Span[] => {
    if (event.type !== 'phase') return []
    const next = events.slice(i + 1).find(({ type }) => type === 'phase' || type === 'stage' || type === 'finish')
    return [{ stage: event.phase, from: event.at, to: next?.at ?? last, outcome: next ? 'done' : 'unfinished' }]
  })
}

/** The stages of hosts that took any time: what a host had nothing to do in is left out. */
function stages(events: readonly RecordedEvent[], last: number): Span[] {
  const open = new Map<string, Span>()
  const spans: Span[] = []
  for (const event of events) {
    if (event.type !== 'begin' && event.type !== 'end') continue
    const { stage, host, at } = event
    if (event.type === 'begin') {
      open.set(`${stage}/${host}`, { stage, host, from: at, to: last, outcome: 'unfinished' })
      continue
    }
    open.delete(`${stage}/${host}`)
    if (event.outcome === 'changed' || event.outcome === 'failed')
      spans.push({ stage, host, from: Math.max(0, at - Math.round(event.ms)), to: at, outcome: event.outcome })
  }
  return [...spans, ...open.values()]
}

/** How long each step took on each host: until the action after it begins, where its own end is not told. */
function stepTimes(events: readonly RecordedEvent[], last: number): StepTime[] {
  const sums = new Map<string, { host: string; step: string; ms: number }>()
  const open = new Map<string, { host: string; step: string; at: number }>()
  const add = (host: string, step: string, ms: number) => {
    const key = `${host}/${step}`
    const sum = sums.get(key)
    if (sum) sum.ms += ms
    else sums.set(key, { host, step, ms })
  }
  const close = (key: string, at: number) => {
    const going = open.get(key)
    open.delete(key)
    if (going) add(going.host, going.step, at - going.at)
  }
  for (const event of events) {
    if (event.type !== 'action' && event.type !== 'done' && event.type !== 'end') continue
    const { stage, host, at } = event
    if (event.type === 'done') {
      open.delete(`${stage}/${host}`)
      add(host, event.step, Math.round(event.ms))
      continue
    }
    close(`${stage}/${host}`, at)
    if (event.type === 'action') open.set(`${stage}/${host}`, { host, step: event.step, at })
  }
  for (const key of [...open.keys()]) close(key, last)
  return [...sums.values()].filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms)
}

/** The errors of what the run printed as JSON: of its hosts, or of a run that was refused. */
function errorsIn(result: unknown): Timeline['errors'] | undefined {
  const { errors, hosts } = (result ?? {}) as {
    errors?: Timeline['errors']
    hosts?: { error?: Timeline['errors'][0] }[]
  }
  const all = [...(errors ?? []), ...(hosts ?? []).flatMap(({ error }) => error ?? [])]
  return errors || hosts ? all : undefined
}
