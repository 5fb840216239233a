import type { CauseReport, Check, VerifyReport } from '../../model/report.ts'
import { counted } from '../../model/words.ts'
import { groups, pairsOf, unexplainedOf, unique } from '../verify-words.ts'
import { type Markup, markup } from './markup.ts'

/** Of one cause at many places, this many are told in full. */
const shownPlaces = 5
const shownPairs = 60
const shownEvidence = 5

/** What is to be mended: every cause with evidence, fix and what it explains; then the failures that none explains. */
export function causesSection(report: VerifyReport): Markup {
  const { causes = [], checks } = report
  const byId = new Map(checks.map((check) => [check.id, check]))
  const left = unexplainedOf(report)
  if (causes.length + left.length === 0)
    return markup`<p class="calm">${report.causes ? 'Nothing is wrong: no known cause of trouble was found on any node.' : 'Nothing failed.'}</p>`
  return markup`${groups(causes, ({ level, code }) => `${level} ${code}`).map(
    ([, same]) =>
      markup`${same.slice(0, shownPlaces).map((cause) => causeCard(cause, byId))}${more(same.slice(shownPlaces))}`,
  )}${left.length > 0 && unexplainedCard(left, report.causes !== undefined)}`
}

function causeCard(cause: CauseReport, byId: ReadonlyMap<string, Check>): Markup {
  const { code, level, where, message, because, evidence, explains, fix, safe } = cause
  return markup`<article class="card ${level}">
<p class="tags"><code class="code">${level === 'warning' ? '⚠' : '✗'} ${code}</code> <span class="where">${where}</span>${level === 'warning' && markup` <span class="muted">warning, breaks nothing now</span>`}</p>
<h3>${message}</h3>
<p>${because}</p>
<h4>Evidence</h4>
<dl class="evidence">${evidence.map(({ source, line }) => markup`<div><dt><code>${source}</code></dt><dd><code>${line}</code></dd></div>`)}</dl>
<div class="fix"><h4>Fix</h4><p>${fix}</p>${safe && markup`<p class="muted"><code>k8snet verify --fix</code> can do it, and take it back.</p>`}</div>
${
  explains.length > 0 &&
  pairList(
    `Explains ${counted(explains.length, 'failed check')}`,
    explains.flatMap((id) => byId.get(id) ?? []),
  )
}
</article>
`
}

function more(causes: readonly CauseReport[]): Markup | undefined {
  const [first] = causes
  if (!first) return undefined
  return markup`<details class="card ${first.level}"><summary><code class="code">${first.code}</code> also at ${counted(causes.length, 'other place')}</summary>
<ul class="notes">${causes.map(({ where, message }) => markup`<li><b>${where}</b> ${message}</li>`)}</ul></details>
`
}

function unexplainedCard(checks: readonly Check[], looked: boolean): Markup {
  return markup`<article class="card unexplained">
<p class="tags"><code class="code">? UNEXPLAINED</code></p>
<h3>${counted(checks.length, 'check')} failed${looked ? ' for which no known cause was found' : ''}</h3>
${groups(checks, ({ code }) => code ?? 'PROBE_FAILED').map(([code, of]) => {
  const evidence = unique(of.flatMap(({ evidence }) => evidence ?? []))
  const fix = of.find(({ fix }) => fix)?.fix
  return markup`<h4><code>${code}</code></h4>
<dl class="evidence"><div>${evidence.slice(0, shownEvidence).map((line) => markup`<dd><code>${line}</code></dd>`)}</div></dl>
${fix && markup`<div class="fix"><h4>What to try</h4><p>${fix}</p></div>`}
${pairList(counted(of.length, 'failed check'), of)}`
})}</article>
`
}

function pairList(title: string, checks: readonly Check[]): Markup {
  const pairs = pairsOf(checks)
  return markup`<details><summary>${title}</summary><ul class="pairs">${pairs
    .slice(0, shownPairs)
    .map(
      ({ pair, protocols, scenarios }) =>
        markup`<li><b>${pair.replace('->', '→')}</b> ${protocols.join(' ')} <span class="muted">${scenarios.join(', ')}</span></li>`,
    )}${pairs.length > shownPairs && markup`<li class="muted">and ${pairs.length - shownPairs} more pairs</li>`}</ul></details>`
}
