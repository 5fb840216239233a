import type { Code } from '../../model/codes.ts'
import type { Topology } from '../../model/report.ts'
import { type Markup, markup } from './markup.ts'

export type Node = Topology['nodes'][number]
export type Link = Topology['links'][number]
export type State = 'passed' | 'failed' | 'skipped'

/** What is drawn, and how each node is. */
export interface Drawn {
  readonly nodes: readonly Node[]
  readonly links: readonly Link[]
  readonly states: ReadonlyMap<string, State>
  /** The causes that were found on a node. */
  readonly codes: ReadonlyMap<string, readonly Code[]>
}

const sign = { passed: '✓', failed: '✗', skipped: '?' } as const
/** Nodes that are drawn with all that is in them. */
export const detailed = 4
const shownPods = 4
const pad = 14
const podHeight = 26
const podGap = 6
const partHeight = 40
const wire = 16
const gap = 28
/** Room between two links that run beside each other. */
const lane = 20

/** The nodes beside each other (`row`) or under each other (`column`), each with its pods, bridge and tunnel, and their links. */
export function detail(
  { nodes, links, states, codes }: Drawn,
  way: 'row' | 'column',
  look: string,
  label: string,
): Markup {
  const width = way === 'row' ? (nodes.length < detailed ? 320 : 248) : 256
  const rows = Math.max(...nodes.map(({ pods }) => podRows(pods.length)))
  const heights = nodes.map((node) => boxHeight(node, way === 'row' ? rows : podRows(node.pods.length)))
  const tallest = Math.max(...heights)
  let next = 0
  const places = nodes.map((_, i) => {
    const at = next
    next += (way === 'row' ? width : (heights[i] ?? 0)) + gap
    return way === 'row' ? { x: at, y: 0 } : { x: 0, y: at }
  })
  const lanes = lanesOf(nodes, links)
  const deep = 18 + lane * Math.max(0, ...lanes.map(({ depth }) => depth + 1))
  const [w, h] = way === 'row' ? [next - gap, tallest + deep] : [width + deep, next - gap]
  const drawn = lanes.map(({ link, a, b, depth, side }) => {
    const out = 18 + lane * depth
    const [first, last] = [places[a], places[b]]
    if (!first || !last) return undefined
    const state = stateOf(link)
    const start = (way === 'row' ? width : (heights[a] ?? 0)) / 2 + side[0] * 12
    const end = (way === 'row' ? width : (heights[b] ?? 0)) / 2 + side[1] * 12
    const path =
      way === 'row'
        ? elbow([first.x + start, tallest], [last.x + end, tallest], out, true)
        : elbow([width, first.y + start], [width, last.y + end], out, false)
    const middle =
      way === 'row'
        ? { x: (first.x + start + last.x + end) / 2, y: tallest + out }
        : { x: width + out, y: (first.y + start + last.y + end) / 2 }
    return markup`<g><title>${link.from} – ${link.to}: ${link.failed} of ${link.checks} checks failed</title><path class="link ${state}" d="${path}"/>${badge(middle, state)}</g>
`
  })
  return frame(
    w + 2,
    h + 22,
    look,
    label,
    markup`<g transform="translate(1 11)">${drawn}${nodes.map((node, i) => {
      const at = places[i]
      return markup`<g transform="translate(${at?.x} ${at?.y})">${box(node, states.get(node.name) ?? 'skipped', codes.get(node.name) ?? [], width, way === 'row' ? tallest : (heights[i] ?? 0), way === 'row' ? rows : podRows(node.pods.length))}</g>
`
    })}</g>`,
  )
}

/** All nodes on a ring with every link between them: the ways that fail stand out. */
export function ring({ nodes, links, states }: Drawn, width: number, look: string, label: string): Markup {
  const roomy = width > 500
  const [w, h] = roomy ? [112, 44] : [70, 30]
  const height = roomy ? 440 : 400
  const at = new Map(
    nodes.map(({ name }, i) => {
      const angle = (2 * Math.PI * i) / nodes.length - Math.PI / 2
      const x = width / 2 + (width / 2 - w / 2 - 4) * Math.cos(angle)
      return [name, { x: Math.round(x), y: Math.round(height / 2 + (height / 2 - h / 2 - 4) * Math.sin(angle)) }]
    }),
  )
  const ordered = [...links].sort((a, b) => a.failed - b.failed)
  const chords = ordered.map((link) => {
    const [a, b] = [at.get(link.from), at.get(link.to)]
    return markup`<path class="link chord ${stateOf(link)}" d="M${a?.x} ${a?.y}L${b?.x} ${b?.y}"><title>${link.from} – ${link.to}: ${link.failed} of ${link.checks} checks failed</title></path>
`
  })
  const pills = nodes.map(({ name, ip }) => {
    const { x = 0, y = 0 } = at.get(name) ?? {}
    const state = states.get(name) ?? 'skipped'
    return markup`<g><rect class="pill ${state}" x="${x - w / 2}" y="${y - h / 2}" width="${w}" height="${h}" rx="10"/><text class="t ${state}" x="${x}" y="${roomy ? y - 3 : y + 4}" text-anchor="middle">${sign[state]} ${cut(name, Math.floor(w / 9))}</text>${roomy && markup`<text class="m" x="${x}" y="${y + 13}" text-anchor="middle">${cut(ip, 18)}</text>`}<title>${name} ${ip}</title></g>
`
  })
  return frame(width, height, look, label, markup`${chords}${pills}`)
}

function frame(width: number, height: number, look: string, label: string, inner: Markup): Markup {
  return markup`<svg class="${look}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}">${inner}</svg>`
}

const podRows = (pods: number): number => Math.min(pods, shownPods) + (pods > shownPods ? 1 : 0)

function boxHeight({ read }: Node, rows: number): number {
  return read ? 78 + rows * (podHeight + podGap) + 10 + partHeight + wire + partHeight + wire + 30 : 120
}

function box(node: Node, state: State, codes: readonly Code[], width: number, height: number, rows: number): Markup {
  const { name, ip, podCIDR, controlPlane, read, bridge, tunnel, uplink, pods } = node
  const inner = width - 2 * pad
  const shown = pods.slice(0, shownPods)
  const bridgeAt = 78 + rows * (podHeight + podGap) + 10
  const tunnelAt = bridgeAt + partHeight + wire
  const uplinkAt = tunnelAt + partHeight + wire
  const line = pad + 8
  const head = markup`<rect class="box ${state}" width="${width}" height="${height}" rx="14"/>
<text class="n" x="${pad}" y="28">${cut(name, Math.floor((width - 130) / 8))}</text><text class="t ${state}" x="${width - pad}" y="28" text-anchor="end">${sign[state]}${controlPlane && ' control plane'}</text>
<text class="mono" x="${pad}" y="47">${cut(ip, Math.floor((width - 30) / 7))}</text><text class="m" x="${pad}" y="64">${cut(podCIDR ? `podCIDR ${podCIDR}` : 'no podCIDR', Math.floor((width - 30) / 7))}</text>${tag(codes)}`
  if (!read) return markup`${head}<text class="t skipped" x="${pad}" y="94">could not be read</text>`
  return markup`${head}
<path class="wire" d="M${line} ${78 + podHeight / 2}V${bridgeAt}M${width / 2} ${bridgeAt + partHeight}V${uplinkAt}${shown.map((_, i) => `M${line} ${78 + i * (podHeight + podGap) + podHeight / 2}H${line + 12}`).join('')}"/>
${shown.map((pod, i) => {
  const y = 78 + i * (podHeight + podGap)
  return markup`<g><title>${pod.name} ${pod.ip}</title><rect class="part" x="${line + 12}" y="${y}" width="${width - pad - line - 12}" height="${podHeight}" rx="7"/><text x="${line + 21}" y="${y + 17}">${cut(short(pod.name), Math.floor((width - 130) / 7.6))}</text><text class="mono" x="${width - pad - 8}" y="${y + 17}" text-anchor="end">${cut(pod.ip, 15)}</text></g>`
})}
${pods.length > shownPods && markup`<text class="m" x="${line + 21}" y="${78 + shownPods * (podHeight + podGap) + 16}">and ${pods.length - shownPods} more pods</text>`}
${part('bridge', bridgeAt, inner, bridge && [bridge.name, cut(bridge.ip ?? 'no address', 18), `bridge, mtu ${bridge.mtu}`, bridge.up], 'no bridge')}
${tunnel && part('part', tunnelAt, inner, [tunnel.name, `${tunnel.kind}${tunnel.vni === undefined ? '' : ` ${tunnel.vni}`}, mtu ${tunnel.mtu}`, tunnel.mac, tunnel.up], '')}
<text class="m" x="${width / 2 + 8}" y="${uplinkAt + 14}">${uplink ? `${cut(uplink.name, 9)}, mtu ${uplink.mtu}` : 'uplink unknown'}</text><path class="wire" d="M${width / 2} ${uplinkAt}V${height}"/>`
}

/** The name of what was found on a node, on its upper edge. */
function tag([first, ...others]: readonly Code[]): Markup | undefined {
  if (!first) return undefined
  const text = `${first}${others.length > 0 ? ` +${others.length}` : ''}`
  const width = text.length * 6.7 + 18
  return markup`<rect class="pill failed" x="${pad}" y="-10" width="${width}" height="20" rx="6"/><text class="mono t failed" x="${pad + width / 2}" y="4" text-anchor="middle">${text}</text>`
}

function part(
  look: string,
  y: number,
  width: number,
  what: readonly [string, string, string, boolean] | undefined,
  none: string,
): Markup {
  const [name, right, second, up] = what ?? [none, '', '', false]
  return markup`<rect class="${look}${!up && ' down'}" x="${pad}" y="${y}" width="${width}" height="${partHeight}" rx="8"/><text x="${pad + 10}" y="${y + 17}" font-weight="600">${name}${!up && what && ' is down'}</text><text class="mono" x="${pad + width - 10}" y="${y + 17}" text-anchor="end">${right}</text><text class="m" x="${pad + 10}" y="${y + 32}">${second}</text>`
}

interface Lane {
  readonly link: Link
  readonly a: number
  readonly b: number
  readonly depth: number
  /** Where on its edge each end is fixed, in steps from the middle. */
  readonly side: readonly [number, number]
}

/** Short links run near the nodes, longer ones outside of them; no two share a lane where they would meet. */
function lanesOf(nodes: readonly Node[], links: readonly Link[]): Lane[] {
  const index = new Map(nodes.map(({ name }, i) => [name, i]))
  const spans = links
    .flatMap((link) => {
      const [i, j] = [index.get(link.from), index.get(link.to)]
      return i === undefined || j === undefined ? [] : [{ link, a: Math.min(i, j), b: Math.max(i, j) }]
    })
    .sort((one, two) => one.b - one.a - (two.b - two.a))
  const lanes: Lane[] = []
  for (const { link, a, b } of spans) {
    let depth = 0
    while (lanes.some((it) => it.depth === depth && it.a < b && a < it.b)) depth += 1
    lanes.push({ link, a, b, depth, side: [4 - (b - a), b - a - 4] })
  }
  return lanes
}

/** From an edge out to a lane, along it, and back to the edge, with round corners. */
function elbow([x1, y1]: [number, number], [x2, y2]: [number, number], out: number, down: boolean): string {
  const r = 10
  return down
    ? `M${x1} ${y1}V${y1 + out - r}q0 ${r} ${r} ${r}H${x2 - r}q${r} 0 ${r} ${-r}V${y2}`
    : `M${x1} ${y1}H${x1 + out - r}q${r} 0 ${r} ${r}V${y2 - r}q0 ${r} ${-r} ${r}H${x2}`
}

function badge({ x, y }: { x: number; y: number }, state: State): Markup {
  return markup`<circle class="pill ${state}" cx="${x}" cy="${y}" r="9"/><text class="t ${state}" x="${x}" y="${y + 4}" text-anchor="middle">${sign[state]}</text>`
}

const stateOf = ({ failed, checks }: Link): State => (failed > 0 ? 'failed' : checks > 0 ? 'passed' : 'skipped')
const short = (name: string): string => name.slice(name.indexOf('/') + 1)
const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`)
