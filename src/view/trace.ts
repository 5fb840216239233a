import { codes } from '../model/codes.ts'
import type { Branch, Hop, Packet, Trace } from '../model/trace.ts'
import { paint } from './paint.ts'

export interface TraceLook {
  readonly color: boolean
  /** The width of the terminal: a command that does not fit beside its hop goes below it. */
  readonly columns?: number
  /** Ways back that are well are shown in full also where there are several branches. */
  readonly all?: boolean
}

const marks = { ok: 'ok', changed: '=>', dies: 'XX', unknown: '??' } as const
const styles = { ok: 'green', changed: 'yellow', dies: 'red', unknown: 'yellow' } as const

/** A trace for a terminal or a log: the packet, then hop by hop per node, each with the command that shows it, then the verdict. */
export function traceText(trace: Trace, look: TraceLook): string {
  const { branches } = trace
  const taken = trace.live?.branch === undefined ? undefined : branches[trace.live.branch]
  const lines = [headOf(trace)]
  const common = branches.length > 1 ? commonHops(branches) : 0
  const wide = Math.max(
    ...branches.flatMap(({ there, back }) => [...there, ...back].map(({ place }) => place.length)),
    0,
  )
  const hops = (list: readonly Hop[]) => hopLines(list, wide, look)
  if (common > 0) lines.push(...hops((taken ?? branches[0]!).there.slice(0, common)))
  if (branches.length > 1) lines.push(...fanOut(branches, look))
  for (const branch of taken ? [taken] : branches) {
    if (branches.length > 1) lines.push(paint(look.color, 'bold', `${percent(branch.share)} -> ${branch.to}`))
    lines.push(...hops(branch.there.slice(common)))
    if (branch.back.length === 0) continue
    const short = branch.ok && branches.length > 1 && !taken && !look.all
    if (short) lines.push(paint(look.color, 'dim', `way back: ${branch.back.length} hops ok (--all shows them)`))
    else lines.push('way back', ...hops(branch.back))
  }
  lines.push(...verdict(trace, look))
  return `${lines.join('\n')}\n`
}

function headOf({ packet, from, to, network }: Trace): string {
  const target =
    to.kind === 'service' || to.kind === 'nodeport'
      ? `${to.kind === 'nodeport' ? 'NodePort of' : 'Service'} ${to.name}`
      : to.name
  const nodes = from.node && to.node && from.node !== to.node ? `${from.node} -> ${to.node}   ` : ''
  return `${flow(packet)}   ${from.name} -> ${target}   ${nodes}${network}`
}

function flow({ protocol, source, destination, port }: Packet): string {
  return `${protocol.toUpperCase()} ${source} -> ${destination}${protocol === 'icmp' ? '' : `:${port}`}`
}

/** How many hops all branches have in common. */
function commonHops(branches: readonly Branch[]): number {
  const [first, ...others] = branches
  const same = (hop: Hop, i: number) =>
    others.every(
      ({ there }) => there[i]?.text === hop.text && there[i]?.node === hop.node && there[i]?.place === hop.place,
    )
  const different = first!.there.findIndex((hop, i) => !same(hop, i))
  return different < 0 ? first!.there.length : different
}

function fanOut(branches: readonly Branch[], { color }: TraceLook): string[] {
  const wide = Math.max(...branches.map(({ to }) => to.length))
  return [
    `     one of ${branches.length}:`,
    ...branches.map(({ share, to, ok, diesAt }) => {
      const end = ok
        ? paint(color, 'green', 'ok')
        : paint(color, 'red', diesAt === undefined ? 'unknown' : `dies at hop ${diesAt}`)
      return `     ${percent(share).padStart(7)}  ${to.padEnd(wide)}  ${end}`
    }),
  ]
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

function hopLines(hops: readonly Hop[], wide: number, { color, columns }: TraceLook): string[] {
  const lines: string[] = []
  let node = ''
  for (const hop of hops) {
    if (hop.node !== node) lines.push(` ${paint(color, 'bold', hop.node)}`)
    node = hop.node
    const text = hop.text + (hop.packet ? `  now ${hop.packet}` : '')
    const mark = marks[hop.outcome]
    const line = `${String(hop.number).padStart(3)} ${mark}  ${hop.place.padEnd(wide)}  ${text}`
    const painted = `${String(hop.number).padStart(3)} ${paint(color, styles[hop.outcome], mark)}  ${hop.place.padEnd(wide)}  ${text}`
    const command = hop.command && `$ ${hop.command}`
    const beside = columns === undefined || line.length + command.length + 3 <= columns
    lines.push(beside && command ? `${painted}   ${paint(color, 'dim', command)}` : painted)
    if (!beside && command) lines.push(`${' '.repeat(wide + 10)}${paint(color, 'dim', command)}`)
    if (hop.code) lines.push(`${' '.repeat(wide + 10)}${paint(color, 'red', hop.code)}: ${codes[hop.code]}`)
    if (hop.live && hop.live.seen !== null) {
      const seen = hop.live.seen ? 'seen: ' : 'not seen: '
      lines.push(
        `${' '.repeat(wide + 10)}${paint(color, hop.live.seen === false ? 'yellow' : 'dim', `live: ${seen}${hop.live.text}`)}`,
      )
    }
  }
  return lines
}

function verdict({ branches, unknown, live }: Trace, { color }: TraceLook): string[] {
  const dead = branches.filter(({ diesAt }) => diesAt !== undefined)
  const words: string[] = []
  if (dead.length > 0) {
    const [{ diesAt, there, back }] = dead as [Branch]
    const hop = [...there, ...back].find(({ number }) => number === diesAt)!
    const share = dead.reduce((sum, branch) => sum + branch.share, 0)
    const which = branches.length > 1 ? `${percent(share)} of the packets die, ` : ''
    const way = back.includes(hop) ? ' of the way back' : ''
    words.push(
      paint(
        color,
        'red',
        `BROKEN: ${which}at hop ${diesAt}${way}, ${hop.place} of ${hop.node}${hop.code ? `: ${hop.code}` : ''}`,
      ),
    )
    if (hop.code) words.push(`fix: k8snet explain ${hop.code}`)
  } else if (branches.every(({ ok }) => ok))
    words.push(paint(color, 'green', 'ok: the packet arrives and its answer comes back'))
  if (unknown) words.push(paint(color, 'yellow', `not known: ${unknown}`))
  const lines = words.map((word, i) => (i === 0 ? `verdict: ${word}` : `  ${word}`))
  if (live) lines.push(`live: ${paint(color, live.agrees ? 'green' : 'red', live.text)}`)
  return lines
}
