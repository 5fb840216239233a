import { Listr, ListrLogger, type ListrTaskWrapper, ProcessOutput } from 'listr2'
import type { RunEvent } from '../model/event.ts'
import type { RunView } from './run.ts'
import { duration } from './table.ts'

interface Row {
  readonly title: string
  readonly hosts: readonly string[]
  readonly going: Map<string, { since: number; doing: string }>
  ended: number
  failed: number
  began?: number
  settle: () => void
  // biome-ignore lint/suspicious/noExplicitAny: listr2's context is of no interest here
  task?: ListrTaskWrapper<any, any, any>
}

/**
 * For terminals: one line per stage with how many hosts are through, and the slowest one with what it does.
 * One listr2 task per stage, never per host, and at most ten redraws a second: listr2 redraws everything on each change.
 */
export function liveView(stream: NodeJS.WriteStream, clock: () => number): RunView {
  const rows = new Map<string, Row>()
  let list: Promise<unknown> | undefined
  const timer = setInterval(() => {
    for (const row of rows.values()) draw(row, clock())
  }, 100)
  return {
    emit(event) {
      if (event.type === 'stage')
        rows.set(event.stage, {
          title: event.title,
          hosts: event.hosts,
          going: new Map(),
          ended: 0,
          failed: 0,
          settle: () => undefined,
        })
      else {
        list ??= start(rows, stream)
        note(rows, event, clock())
      }
    },
    async end() {
      clearInterval(timer)
      for (const row of rows.values()) {
        draw(row, clock())
        row.settle()
      }
      await list
    },
  }
}

function start(rows: ReadonlyMap<string, Row>, stream: NodeJS.WriteStream): Promise<unknown> {
  const tasks = [...rows.values()].map((row) => ({
    title: row.title,
    task: (_: unknown, task: NonNullable<Row['task']>) => {
      row.task = task
      return new Promise<void>((resolve, reject) => {
        row.settle = () => (row.failed > 0 ? reject(new Error(`${row.failed} failed`)) : resolve())
        if (row.ended === row.hosts.length) row.settle()
      })
    },
  }))
  return new Listr(tasks, {
    concurrent: true,
    exitOnError: false,
    registerSignalListeners: false,
    rendererOptions: {
      logger: new ListrLogger({ processOutput: new ProcessOutput(stream, stream) }),
      collapseErrors: false,
      showErrorMessage: false,
    },
  }).run()
}

function note(rows: ReadonlyMap<string, Row>, event: RunEvent, now: number): void {
  const row = 'stage' in event ? rows.get(event.stage) : undefined
  if (!row || event.type === 'stage' || event.type === 'note') return
  if (event.type === 'begin') {
    row.began ??= now
    row.going.set(event.host, { since: now, doing: '' })
  }
  const host = row.going.get(event.host)
  if (event.type === 'action' && host) host.doing = event.summary
  if (event.type === 'bytes' && host)
    host.doing = `send ${(event.sent / 1e6).toFixed(0)} of ${(event.total / 1e6).toFixed(0)} MB`
  if (event.type === 'end') {
    row.going.delete(event.host)
    row.ended += 1
    if (event.outcome === 'failed' || event.outcome === 'skipped') row.failed += 1
    if (row.ended === row.hosts.length) {
      draw(row, now)
      row.settle()
    }
  }
}

function draw(row: Row, now: number): void {
  if (!row.task) return
  const slowest = [...row.going].sort(([, a], [, b]) => a.since - b.since)[0]
  const doing = slowest ? `  ${slowest[0]}: ${slowest[1].doing}` : ''
  const time = row.began === undefined ? '' : `  ${duration(now - row.began)}`
  const title = `${row.title}  ${row.ended}/${row.hosts.length}${row.failed ? `, ${row.failed} failed` : ''}${time}${doing}`
  if (row.task.title !== title) row.task.title = title
  if (row.ended === row.hosts.length) delete row.task
}
