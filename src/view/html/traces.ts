import type { Branch, Hop, Trace } from '../../model/trace.ts'
import { type Markup, markup } from './markup.ts'

const shownTraces = 20
/** Of the ways that a Service may choose, those that end badly before others. */
const shownBranches = 6
const sign = { ok: '✓', dies: '✗', changed: '⇄', unknown: '?' } as const
const word = { ok: 'goes on', dies: 'ends here', changed: 'is changed', unknown: 'not known' } as const

/** The ways of packets that got lost, hop by hop, each with the command that shows it. */
export function tracesSection(traces: readonly Trace[]): Markup | undefined {
  if (traces.length === 0) return undefined
  return markup`<p class="muted">The way of a packet as the rules and tables of the nodes have it, hop by hop, each with the command that shows it.</p>
${traces.slice(0, shownTraces).map(traceCard)}${
  traces.length > shownTraces && markup`<p class="muted">and ${traces.length - shownTraces} more traces</p>`
}`
}

function traceCard({ packet, from, to, network, branches, unknown }: Trace): Markup {
  const sorted = [...branches.filter(({ ok }) => !ok), ...branches.filter(({ ok }) => ok)]
  const shown = branches.length > shownBranches ? sorted.slice(0, shownBranches) : branches
  const bad = shown.findIndex(({ ok }) => !ok)
  return markup`<article class="card trace">
<p class="tags"><code class="code">${packet.protocol}</code> <span class="where">${packet.source}${port(packet.sourcePort)} → ${packet.destination}${port(packet.port)}</span></p>
<h3>${shortName(from.name)}${at(from.node)} → ${shortName(to.name)}${at(to.node)}</h3>
<p class="muted">${network}</p>
${unknown && markup`<p class="calm">It could not be followed to the end: ${unknown}</p>`}
${bad < 0 && !unknown && markup`<p class="calm">By all rules and tables it arrives: what stops it does not show in them.</p>`}
${shown.map((branch, i) =>
  branches.length === 1
    ? ways(branch)
    : markup`<details class="branch"${i === bad && markup` open`}><summary><span class="sign ${branch.ok ? 'passed' : 'failed'}">${branch.ok ? '✓' : '✗'}</span> ${Math.round(branch.share * 100)} % to ${shortName(branch.to)}</summary>${ways(branch)}</details>`,
)}${branches.length > shown.length && markup`<p class="muted">and ${branches.length - shown.length} more ways</p>`}</article>
`
}

function ways({ there, back }: Branch): Markup {
  const lost = back.some(({ outcome }) => outcome === 'dies')
  const wayBack = markup`<details${lost && markup` open`}><summary>The way back: ${lost ? 'it ends there' : `${back.length} hops`}</summary>${hopList(back)}</details>`
  return markup`${hopList(there)}${back.length > 0 && wayBack}`
}

function hopList(hops: readonly Hop[]): Markup {
  return markup`<ol class="hops">${hops.map(
    ({ node, place, outcome, text, command, code, packet, live }) => markup`<li class="${outcome}">
<span class="sign" aria-hidden="true">${sign[outcome]}</span>
<div><p><b>${node}</b> <span class="place">${place}</span>${outcome !== 'ok' && markup` <span class="outcome">${word[outcome]}</span>`}${code && markup` <code class="code">${code}</code>`}</p>
<p>${text}</p>
${packet && markup`<p class="packet">now ${packet}</p>`}
${live && markup`<p class="packet">${live.seen === null ? 'live: not seen' : live.seen ? 'live: seen' : 'live: not here'}, ${live.text}</p>`}</div>
<code class="line">${command}</code></li>`,
  )}</ol>`
}

/** ICMP has none. */
const port = (number: number): string => (number > 0 ? `:${number}` : '')
const at = (node: string | undefined): string => (node ? ` on ${node}` : '')
/** Without the namespace of the probes, which says nothing. */
const shortName = (name: string): string => name.replace(/^k8snet-verify-[0-9a-f]+\//, '')
