import type { VerifyReport } from '../../model/report.ts'
import { counted } from '../../model/words.ts'
import { duration } from '../table.ts'
import { notesOf, sampledText, tally } from '../verify-words.ts'
import { causesSection } from './causes.ts'
import { type Markup, markup } from './markup.ts'
import { pathsSection } from './paths.ts'
import { style } from './style.ts'
import { topologySection } from './topology.ts'
import { tracesSection } from './traces.ts'
import { leadText, verdict } from './verdict.ts'

/** Of which cluster, and when, in ISO form. */
export interface PageMeta {
  readonly cluster: string
  readonly made: string
}

/** Nothing is loaded, run or sent: the page is its own style and its own drawings, and needs nothing else. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

/**
 * The report as one page that needs nothing but a browser: verdict, causes, the network drawn, the matrix of each scenario
 * with its checks, the ways of failed packets hop by hop, and what else should be known. Without any script.
 */
export function htmlPage(report: VerifyReport, meta: PageMeta): string {
  const sections = [
    { id: 'causes', title: 'Causes', body: causesSection(report) },
    { id: 'topology', title: 'Topology', body: topologySection(report) },
    { id: 'paths', title: 'Paths', body: report.checks.length > 0 && pathsSection(report) },
    { id: 'traces', title: 'Traces', body: tracesSection(report.traces ?? []) },
    { id: 'notes', title: 'Notes', body: notesSection(report) },
  ].flatMap(({ id, title, body }) => (body ? [{ id, title, body }] : []))
  const { markup: text } = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${report.ok ? '✓' : '✗'} Network of ${meta.cluster}</title>
<link rel="icon" href="data:,">
<style>${{ markup: style }}</style>
</head>
<body>
${header(report, meta)}
<nav aria-label="Sections">${sections.map(({ id, title }) => markup`<a href="#${id}">${title}</a> `)}</nav>
<main>
${sections.map(
  ({ id, title, body }) => markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${body}
</section>
`,
)}</main>
<footer>Made by <code>k8snet verify</code> on ${dateText(meta.made)}. The page loads nothing and sends nothing.</footer>
</body>
</html>
`
  return text
}

function header(report: VerifyReport, { cluster, made }: PageMeta): Markup {
  const { passed, failed, skipped } = tally(report.checks)
  const facts: { name: string; value: string | number; look?: string | false }[] = [
    ...(report.topology ? [{ name: 'nodes', value: report.topology.nodes.length }] : []),
    { name: 'passed', value: passed, look: passed > 0 && 'passed' },
    { name: 'failed', value: failed, look: failed > 0 && 'failed' },
    { name: 'not made', value: skipped, look: skipped > 0 && 'skipped' },
    { name: 'time', value: duration(report.ms) },
    ...(report.level ? [{ name: 'level', value: report.level }] : []),
  ]
  return markup`<header class="${report.ok ? 'well' : 'bad'}">
<p class="eyebrow"><span>Network of <b>${cluster}</b></span> <span>${dateText(made)}</span></p>
<h1><span class="badge" aria-hidden="true">${report.ok ? '✓' : '✗'}</span> ${verdict(report)}</h1>
<p class="lead">${leadText(report)}</p>
<dl class="facts">${facts.map(
    ({ name, value, look }) =>
      markup`<div${look ? markup` class="${look}"` : ''}><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>
</header>`
}

function notesSection(report: VerifyReport): Markup | undefined {
  const sampled = sampledText(report)
  const notes = notesOf(report.checks)
  const { skippedCauses = [] } = report
  if (!sampled && notes.length + skippedCauses.length === 0) return undefined
  return markup`<ul class="notes">
${sampled && markup`<li>Sampled: ${sampled}.</li>`}
${notes.map(([note, checks]) => markup`<li>${note} <span class="muted">${counted(checks.length, 'check')}, first ${checks[0]?.from} → ${checks[0]?.to}</span></li>`)}
</ul>
${
  skippedCauses.length > 0 &&
  markup`<details><summary>${counted(skippedCauses.length, 'cause')} not looked for</summary>
<ul class="notes">${skippedCauses.map(({ code, why }) => markup`<li><code>${code}</code> ${why}</li>`)}</ul></details>`
}`
}

/** 2026-11-21 06:40 UTC */
const dateText = (made: string): string => made.replace(/^(\S+)T(\d\d:\d\d).*Z$/, '$1 $2 UTC')
