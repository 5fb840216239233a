import type { Span, StepTime, Timeline } from '../model/record.ts'
import { exits } from '../model/trouble.ts'
import { paint } from './paint.ts'
import { duration, table } from './table.ts'

export interface TimelineLook {
  readonly color: boolean
  /** Are block characters understood? Else bars are made of #. */
  readonly utf8: boolean
  /** Characters in a line. */
  readonly width: number
}

/** With more bars than this a stage gets one bar for all its hosts, and only the slowest hosts one of their own. */
const mostBars = 40
const slowestBars = 20
const slowestSteps = 10
const words: Record<number, string> = {
  [exits.done]: 'done',
  [exits.defect]: 'a defect of k8snet',
  [exits.badInput]: 'bad input',
  [exits.someHosts]: 'some hosts failed',
  [exits.unreachable]: 'hosts not reached or not trusted',
  [exits.refused]: 'refused by preflight',
  [exits.network]: 'the network is not as promised',
  [exits.locked]: 'another run held the lock',
  [exits.outdated]: 'the saved plan was out of date',
  [exits.interrupted]: 'interrupted',
}

interface Row {
  readonly stage: string
  readonly name: string
  readonly from: number
  readonly to: number
  readonly says: string
  readonly bad: boolean
}

/** A run for a terminal: what it was, bars to scale for where its time went, its slowest steps, its errors. */
export function timelineText(timeline: Timeline, look: TimelineLook): string {
  const { header, spans, ms, exit, dir, errors } = timeline
  const end =
    exit === undefined
      ? `no end after ${duration(ms)}: k8snet was killed, or it is still at it`
      : `${words[exit] ?? `exit ${exit}`}`
  const head = [
    `${paint(look.color, 'bold', `${header.verb} of ${header.cluster}`)}: ${end}${exit === undefined ? '' : `, ${duration(ms)}`}`,
    `${header.began.slice(0, 19).replace('T', ' ')} UTC, by ${header.by}, ${header.hosts.length} hosts, ${header.inventory}`,
    `record: ${dir}`,
  ]
  const many = spans.length > mostBars
  const bars = many ? [...spans.filter(({ host }) => !host), ...perStage(spans)] : spans
  return [
    `${head.join('\n')}\n`,
    chart(byStage(bars.map(rowOf)), ms, look),
    many ? `the slowest:\n${chart(slowest(spans).map(rowOf), ms, look)}` : '',
    stepTable(timeline.steps, look),
    errors
      .map(({ code, message, where }) => paint(look.color, 'red', `${code}: ${message}${where ? ` (${where})` : ''}`))
      .join('\n'),
  ]
    .filter(Boolean)
    .join('\n')
    .replace(/\n*$/, '\n')
}

const rowOf = (span: Span | Row): Row =>
  'says' in span
    ? span
    : {
        ...span,
        name: span.host ?? '',
        says: duration(span.to - span.from) + (/^(failed|unfinished)$/.test(span.outcome) ? ` ${span.outcome}` : ''),
        bad: span.outcome === 'failed' || span.outcome === 'unfinished',
      }

/** One row per stage of hosts, from the first that began to the last that ended. */
function perStage(spans: readonly Span[]): Row[] {
  const byName = new Map<string, Span[]>()
  for (const span of spans) if (span.host) byName.set(span.stage, [...(byName.get(span.stage) ?? []), span])
  return [...byName].map(([stage, all]) => {
    const lengths = all.map(({ from, to }) => to - from).sort((a, b) => a - b)
    const failed = all.filter(({ outcome }) => outcome === 'failed' || outcome === 'unfinished').length
    return {
      stage,
      name: `${all.length} hosts`,
      from: Math.min(...all.map(({ from }) => from)),
      to: Math.max(...all.map(({ to }) => to)),
      says: `median ${duration(median(lengths))}${failed ? `, ${failed} failed` : ''}`,
      bad: failed > 0,
    }
  })
}

const median = (sorted: readonly number[]): number => sorted[Math.floor((sorted.length - 1) / 2)] ?? 0

/** The longest bars of hosts, and before them those of what went wrong. */
function slowest(spans: readonly Span[]): Span[] {
  const rank = ({ outcome }: Span) => (outcome === 'failed' || outcome === 'unfinished' ? 0 : 1)
  return spans
    .filter(({ host }) => host)
    .sort((a, b) => rank(a) - rank(b) || b.to - b.from - (a.to - a.from))
    .slice(0, slowestBars)
}

/** The rows of a stage together, stages in the order in which they began. */
function byStage(rows: readonly Row[]): Row[] {
  const order = [...new Set(rows.toSorted((a, b) => a.from - b.from).map(({ stage }) => stage))]
  return rows.toSorted((a, b) => order.indexOf(a.stage) - order.indexOf(b.stage) || a.from - b.from)
}

function chart(rows: readonly Row[], total: number, look: TimelineLook): string {
  if (rows.length === 0) return ''
  const [stages, names, says] = (['stage', 'name', 'says'] as const).map((key) =>
    Math.max(...rows.map((row) => row[key].length)),
  ) as [number, number, number]
  const room = Math.max(10, look.width - stages - names - says - 6)
  const lines = rows.map((row, i) => {
    const stage = rows[i - 1]?.stage === row.stage ? '' : row.stage
    const drawn = bar(row, total, room, look.utf8).padEnd(room)
    const painted = paint(look.color, row.bad ? 'red' : 'green', drawn)
    return `${stage.padEnd(stages)}  ${row.name.padEnd(names)}  ${painted}  ${row.says}`.trimEnd()
  })
  return `${lines.join('\n')}\n`
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar to scale; with block characters its end is exact to an eighth of a character. */
function bar({ from, to }: Row, total: number, room: number, utf8: boolean): string {
  const scale = room / Math.max(total, 1)
  const start = Math.min(Math.floor(from * scale), room - 1)
  const length = Math.min(to * scale, room) - start
  if (!utf8) return ' '.repeat(start) + '#'.repeat(Math.max(1, Math.round(length)))
  const blocks = '█'.repeat(Math.floor(length)) + eighths[Math.floor((length % 1) * 8)]
  return ' '.repeat(start) + (blocks || '▏')
}

/** The steps that took longest anywhere, each with the host that took longest over it. */
function stepTable(steps: readonly StepTime[], { color }: TimelineLook): string {
  const byStep = new Map<string, StepTime[]>()
  for (const it of steps) byStep.set(it.step, [...(byStep.get(it.step) ?? []), it])
  const rows = [...byStep]
    .slice(0, slowestSteps)
    .map(([step, all]) => [
      step,
      `${all[0]!.host} ${duration(all[0]!.ms)}`,
      all.length > 1 ? `median of ${all.length} hosts ${duration(median(all.map(({ ms }) => ms).reverse()))}` : '',
    ])
  return rows.length > 0 ? `${paint(color, 'bold', 'slowest steps')}\n${table(rows)}` : ''
}
