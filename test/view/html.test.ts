import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { VerifyReport } from '../../src/model/report.ts'
import { markup } from '../../src/view/html/markup.ts'
import { htmlPage } from '../../src/view/html/page.ts'
import { broken, full, healthy, hostile, large, meta } from './reports.ts'

describe('markup', () => {
  it('escapes every text and no markup', () => {
    const inner = markup`<b title="${'"'}">${"<i>'&"}</b>`
    expect(markup`<p>${inner}${[1, undefined, false, 'x']}</p>`.markup).toBe(
      '<p><b title="&quot;">&lt;i&gt;&#39;&amp;</b>1x</p>',
    )
  })

  it('holds only what XML may hold, whatever is put in, and loses no ordinary letter', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { markup: got } = markup`${text}`
        expect(got).not.toMatch(/[<>"'\u0000-\u0008\u000b-\u001f\ufffe\uffff\p{Surrogate}]/u)
        expect(got.replace(/&(amp|lt|gt|quot|#39);/g, '')).not.toContain('&')
      }),
    )
    expect(markup`${'żółć 網路 🌐\n'}`.markup).toBe('żółć 網路 🌐\n')
  })
})

describe('the page of a report', () => {
  it.each([
    ['healthy', healthy()],
    ['broken', broken()],
    ['full', full()],
    ['without a dump', { ok: false, ms: 1, checks: broken().checks }],
    ['without any check', { ok: true, ms: 1, checks: [] }],
  ])('%s names no other place, holds no script and no style attribute', (_, report) => {
    const page = htmlPage(report, meta)
    expect(page).not.toMatch(
      /https?:|\/\/[a-z]|<script|<iframe|<link rel="stylesheet|@import|url\(|\sstyle=|\son[a-z]+=/i,
    )
    expect(page).toContain('default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;')
    expect(page).not.toMatch(/undefined|NaN|\[object/)
  })

  it('has its hostile words only as text', () => {
    const page = htmlPage(hostile(), { ...meta, cluster: '</title><script>' })
    expect(page).not.toMatch(/<script|<img|<b class="evil/)
  })

  it('says in its first lines how it is: well, broken, or well with causes that will break it', () => {
    const lead = (report: Parameters<typeof htmlPage>[0]) =>
      /<p class="lead">(.*)<\/p>/.exec(htmlPage(report, meta))?.[1]
    expect(lead(healthy())).toBe('All 114 checks passed.')
    expect(lead(full())).toBe('All 178 other checks passed. 1 check could not be made.')
    expect(lead({ ...broken(), unexplained: [] })).toBe(
      '49 of 114 checks failed. 2 causes explain all of them. There is 1 warning.',
    )
    expect(lead({ ...healthy(), ok: false, causes: (broken().causes ?? []).slice(0, 1) })).toBe(
      'All 114 checks passed. 1 cause of trouble was found.',
    )
    expect(lead({ ...broken(), causes: [] })).toMatch(/No known cause explains them/)
  })

  it('of a saved dump does not say that the network works, for no packet was sent', () => {
    const heads = (report: VerifyReport) => {
      const page = htmlPage(report, meta)
      return [
        /<\/span> (.*)<\/h1>/.exec(page)?.[1],
        /<p class="lead">(.*)<\/p>/.exec(page)?.[1],
        page.includes('id="paths"'),
      ]
    }
    expect(heads({ ...healthy(), checks: [] })).toEqual([
      'No trouble found',
      'No packet was sent: this is what the nodes say of themselves. No known cause of trouble was found.',
      false,
    ])
    expect(heads({ ...broken(), checks: [], unexplained: [] })).toEqual([
      'Trouble found',
      'No packet was sent: this is what the nodes say of themselves. 2 causes of trouble were found. There is 1 warning.',
      false,
    ])
  })

  it('of 50 nodes draws some of them, those with trouble for sure, and says so', () => {
    const page = htmlPage(large(50, 'w40'), meta)
    expect(page).toContain('12 of 50 nodes are drawn')
    expect(page).toContain('4 of 50 nodes in detail')
    expect(page.match(/<svg/g)).toHaveLength(4)
    const drawings = page.match(/<svg[\s\S]*?<\/svg>/g) ?? []
    expect(drawings.filter((svg) => svg.includes('✗ w40') || svg.includes('>w40<'))).toHaveLength(4)
  })

  it('of 100 nodes stays a page that a browser can show', () => {
    const page = htmlPage(large(100, 'w7'), meta)
    expect(page.length).toBeLessThan(2_000_000)
    expect(page).toContain('Not drawn, for they are many: 40 rows and 40 columns.')
  })

  it('does not say that a node is well when it could not be read', () => {
    const { topology, ...rest } = healthy()
    const nodes = (topology?.nodes ?? []).map((node) => (node.name === 'w1' ? { ...node, read: false } : node))
    const page = htmlPage({ ...rest, topology: { nodes, links: [] } }, meta)
    expect(page).toContain('All 114 checks passed. 1 node could not be read: what its kernel says is unknown.')
    expect(page).toContain('<th scope="row">? w1</th>')
  })
})
