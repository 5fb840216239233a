import type { Code } from '../../model/codes.ts'
import type { CauseReport, Topology, VerifyReport } from '../../model/report.ts'
import { counted } from '../../model/words.ts'
import { groups, unique } from '../verify-words.ts'
import { type Drawn, detail, detailed, type Link, type Node, ring, type State } from './drawing.ts'
import { type Markup, markup } from './markup.ts'

/** Nodes drawn on the ring; of more, those with trouble. */
const ringed = 12
const listed = 100
const listedLinks = 20

const sign = { passed: '✓', failed: '✗', skipped: '?' } as const

/** The nodes with their pods, bridges and tunnels, and the links between them, as drawings and as tables. */
export function topologySection(report: VerifyReport): Markup | undefined {
  const { topology } = report
  if (!topology || topology.nodes.length === 0) return undefined
  const states = statesOf(report, topology)
  const codes = codesOf(report)
  const failures = new Map<string, number>()
  for (const { from, to, failed } of topology.links)
    for (const name of [from, to]) failures.set(name, (failures.get(name) ?? 0) + failed)
  const weight = ({ name }: Node) => (states.get(name) === 'passed' ? 0 : 1_000_000) + (failures.get(name) ?? 0)
  const all = topology.nodes
  const worst = [...all].sort((a, b) => weight(b) - weight(a))
  const some = (most: number): Drawn => {
    const kept = new Set(worst.slice(0, most))
    const nodes = all.length <= most ? all : all.filter((node) => kept.has(node))
    const names = new Set(nodes.map(({ name }) => name))
    return { nodes, states, codes, links: topology.links.filter(({ from, to }) => names.has(from) && names.has(to)) }
  }
  const label = labelOf(report, topology)
  const many = all.length > detailed
  return markup`${
    many &&
    markup`<div class="drawing">${ring(some(ringed), 720, 'wide', label)}${ring(some(ringed), 336, 'narrow', label)}</div>
${all.length > ringed && markup`<p class="muted">${ringed} of ${all.length} nodes are drawn, those with most trouble before others; the table below has the others.</p>`}
<h3>${detailed} of ${all.length} nodes in detail</h3>`
  }
<div class="drawing">${detail(some(detailed), 'row', 'wide', label)}${detail(some(detailed), 'column', 'narrow', label)}
<ul class="legend">${topology.links.length > 0 && markup`<li>✓ full line: every check between the two nodes passed</li><li>✗ broken red line: some failed</li>`}<li>red frame: a cause was found there</li></ul></div>
${linkList(topology.links)}
${nodeTable(worst, states, failures)}`
}

/** A node has failed where a cause was found on it or its own checks failed; where it could not be read, nothing is known. */
function statesOf({ causes = [], checks }: VerifyReport, { nodes }: Topology): Map<string, State> {
  const failed = new Set(
    checks.filter(({ scenario, outcome }) => scenario === 'addresses' && outcome === 'failed').map(({ from }) => from),
  )
  for (const cause of causes) if (cause.level === 'error') failed.add(placeOf(cause))
  return new Map(nodes.map(({ name, read }) => [name, failed.has(name) ? 'failed' : read ? 'passed' : 'skipped']))
}

/** The causes per node; one between two nodes is where it begins. */
function codesOf({ causes = [] }: VerifyReport): Map<string, Code[]> {
  const errors = causes.filter(({ level }) => level === 'error')
  return new Map(groups(errors, placeOf).map(([place, of]) => [place, unique(of.map(({ code }) => code))]))
}

const placeOf = ({ where }: CauseReport): string => where.split(' -> ')[0] as string

function labelOf({ causes = [] }: VerifyReport, { nodes, links }: Topology): string {
  const broken = links.filter(({ failed }) => failed > 0).length
  const where = causes.filter(({ level }) => level === 'error').map(({ code, where }) => `${code} at ${where}`)
  return [
    `${counted(nodes.length, 'node')} with their pods, bridges and tunnels`,
    `${counted(broken, 'broken link')} of ${links.length}`,
    ...where.slice(0, 5),
  ].join('; ')
}

function linkList(links: readonly Link[]): Markup {
  const broken = links.filter(({ failed }) => failed > 0).sort((a, b) => b.failed - a.failed)
  if (broken.length === 0)
    return markup`<p class="muted">${links.length > 0 && `✓ All ${counted(links.length, 'link')} between nodes carry what was sent over them.`}</p>`
  return markup`<p>${broken.length} of ${counted(links.length, 'link')} between nodes ${broken.length === 1 ? 'is' : 'are'} broken:</p>
<ul class="pairs">${broken.slice(0, listedLinks).map(({ from, to, failed, checks }) => markup`<li><span class="sign failed">✗</span> <b>${from} – ${to}</b> <span class="muted">${failed} of ${counted(checks, 'check')} failed</span></li>`)}${
    broken.length > listedLinks && markup`<li class="muted">and ${broken.length - listedLinks} more</li>`
  }</ul>`
}

function nodeTable(
  nodes: readonly Node[],
  states: ReadonlyMap<string, State>,
  failures: ReadonlyMap<string, number>,
): Markup {
  const heads = ['node', 'address', 'podCIDR', 'pods', 'bridge', 'tunnel', 'MAC', 'uplink', 'failed']
  const rows = nodes.slice(0, listed).map((node) => {
    const { name, ip, podCIDR = '', pods, bridge, tunnel, uplink } = node
    const cells = [
      ip,
      podCIDR,
      String(pods.length),
      bridge ? `${bridge.name} ${bridge.ip ?? ''} mtu ${bridge.mtu}${bridge.up ? '' : ' down'}` : '–',
      tunnel ? `${tunnel.name} ${tunnelText(tunnel)}${tunnel.up ? '' : ' down'}` : '–',
      tunnel?.mac ?? '–',
      uplink ? `${uplink.name} mtu ${uplink.mtu}` : '–',
      String(failures.get(name) ?? 0),
    ]
    const state = states.get(name) ?? 'skipped'
    return markup`<tr><th scope="row">${sign[state]} ${name}</th>${cells.map((cell) => markup`<td>${cell}</td>`)}</tr>
`
  })
  return markup`<details><summary>${counted(nodes.length, 'node')} as a table</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Nodes"><table class="matrix"><thead><tr>${heads.map((head) => markup`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>${nodes.length > listed && markup`<p class="muted">and ${nodes.length - listed} more without trouble of their own</p>`}</details>`
}

const tunnelText = ({ kind, vni, mtu }: NonNullable<Node['tunnel']>): string =>
  `${kind}${vni === undefined ? '' : ` ${vni}`} mtu ${mtu}`
