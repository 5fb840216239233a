import type { Check, VerifyReport } from '../../model/report.ts'
import { counted } from '../../model/words.ts'
import { type Matrix, matrixOf } from '../verify-matrix.ts'
import { byScenario, sampledText, tally, titles } from '../verify-words.ts'
import { type Markup, markup } from './markup.ts'

/** Larger matrices show the rows and columns that are not all well. */
const shownNames = 60
/** More columns than that have their names turned. */
const plainColumns = 10
/** Checks listed per scenario, failed ones first. */
const shownChecks = 200

const sign = { passed: '✓', failed: '✗', skipped: '?' } as const
const word = { passed: 'passed', failed: 'failed', skipped: 'not made' } as const
const order = { failed: 0, skipped: 1, passed: 2 } as const

/** Per scenario the matrix of where packets start and where they go, and each check behind it; what failed is open. */
export function pathsSection(report: VerifyReport): Markup {
  const sampled = sampledText(report)
  return markup`<p class="muted">Rows are where packets start, columns where they go. ✓ passed, ✗ failed, ? not made, · not checked.</p>
${sampled && markup`<p class="calm">Sampled: ${sampled}.</p>`}
${byScenario(report.checks).map(([scenario, checks]) => {
  const { passed, failed, skipped } = tally(checks)
  const worst = failed > 0 ? 'failed' : skipped > 0 ? 'skipped' : 'passed'
  return markup`<details class="scenario ${worst}"${(failed > 0 || scenario === 'pod-to-pod') && markup` open`}>
<summary><span class="sign">${sign[worst]}</span> <span class="name">${titles[scenario]}</span> <span class="sum">${passed} of ${checks.length}</span></summary>
${matrixTable(titles[scenario], matrixOf(checks, shownNames))}
${checkList(checks)}
</details>
`
})}`
}

function matrixTable(title: string, { rows, columns, more, cell }: Matrix): Markup {
  const left = [more.rows && counted(more.rows, 'row'), more.columns && counted(more.columns, 'column')].filter(Boolean)
  const note = left.length > 0 && markup`<p class="muted">Not drawn, for they are many: ${left.join(' and ')}.</p>`
  if (rows.length === 0) return markup`${note}`
  const turned = columns.length > plainColumns
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="Matrix: ${title}">
<table class="matrix${turned && ' turned'}"><thead><tr><td class="corner">from ↓ to →</td>${columns.map((name) => markup`<th scope="col"><span>${name}</span></th>`)}</tr></thead>
<tbody>${rows.map(
    (from) => markup`<tr><th scope="row">${from}</th>${columns.map((to) => cellOf(cell(from, to)))}</tr>
`,
  )}</tbody></table></div>
${note}`
}

function cellOf(cell: ReturnType<Matrix['cell']>): Markup {
  if (!cell) return markup`<td class="none">·</td>`
  if (cell.outcome === 'passed') return markup`<td class="passed">✓</td>`
  const first = cell.checks.find(({ outcome }) => outcome === cell.outcome)
  return markup`<td class="${cell.outcome}" title="${first?.evidence}">${sign[cell.outcome]}<span class="vh"> ${word[cell.outcome]}</span>${cell.protocols.length > 0 && markup` <small>${cell.protocols.join(' ')}</small>`}</td>`
}

function checkList(checks: readonly Check[]): Markup {
  const sorted = [...checks].sort((a, b) => order[a.outcome] - order[b.outcome]).slice(0, shownChecks)
  return markup`<details class="checks"><summary>${counted(checks.length, 'check')} one by one</summary><ul>${sorted.map(
    ({ from, to, protocol, outcome, ms, code, evidence, note }) =>
      markup`<li class="${outcome}"><span class="sign">${sign[outcome]}</span><span class="vh">${word[outcome]}</span> <b>${from} → ${to}</b> ${protocol} <span class="muted">${ms} ms</span>${code && markup` <code>${code}</code>`}${evidence && markup`<br><code class="line">${evidence}</code>`}${note && markup`<br><span class="muted">${note}</span>`}</li>
`,
  )}${checks.length > sorted.length && markup`<li class="muted">and ${checks.length - sorted.length} more</li>`}</ul></details>`
}
