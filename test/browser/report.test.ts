import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { VerifyReport } from '../../src/model/report.ts'
import { htmlPage } from '../../src/view/html/page.ts'
import { broken, full, healthy, hostile, large, meta } from '../view/reports.ts'
import { type Browser, type Look, openBrowser, type Page } from './browser.ts'

/** The HTML report in a real browser. Its screenshots are left in a directory that is printed, or in the one of $SCREENSHOTS. */

const desktop = { width: 1280, height: 900, scheme: 'light' } as const
const phone = { width: 390, height: 844, scheme: 'light' } as const
const reports: [string, () => VerifyReport][] = [
  ['healthy', healthy],
  ['broken', broken],
  ['full level', full],
  ['of 50 nodes', () => large(50, 'w7')],
  ['hostile', hostile],
]
const looks: [string, Look][] = [
  ['desktop', desktop],
  ['phone', phone],
  ['dark desktop', { ...desktop, scheme: 'dark' }],
  ['dark phone', { ...phone, scheme: 'dark' }],
]

let browser: Browser
let screenshots: string
beforeAll(async () => {
  browser = await openBrowser()
  screenshots = process.env.SCREENSHOTS ?? (await mkdtemp(join(tmpdir(), 'k8snet-screenshots-')))
})
afterAll(() => browser?.close())

/** What `look` does with a report in a page of its own. */
async function on<T>(report: VerifyReport, look: Look, use: (page: Page) => Promise<T>): Promise<T> {
  const page = await browser.open(look)
  try {
    await page.show(htmlPage(report, meta))
    return await use(page)
  } finally {
    await page.close()
  }
}

const cases = reports.flatMap(([name, report]) => looks.map(([look, how]) => [name, look, report(), how] as const))

describe.each(cases)('a %s report on a %s', (name, look, report, how) => {
  it('asks for nothing but itself, fits the screen, is legible, and leaves the console empty', async () => {
    await on(report, how, async (page) => {
      const seen = await page.evaluate<Seen>(`(${look0})()`)
      expect(page.requests.filter((url) => !url.startsWith('data:'))).toEqual([expect.stringMatching(/^file:/)])
      expect(page.complaints).toEqual([])
      expect(seen.elsewhere).toEqual([])
      expect(seen.pageWidth).toBeLessThanOrEqual(how.width)
      expect(seen.pale).toEqual([])
      expect(seen.outside).toEqual([])
      expect(seen.drawings).toEqual([how.width < 600 ? 'narrow' : 'wide'])
      if (['healthy', 'broken', 'of 50 nodes'].includes(name))
        await writeFile(join(screenshots, `${name} ${look}.png`.replaceAll(' ', '-')), await page.screenshot())
    })
  })
})

interface Seen {
  readonly elsewhere: string[]
  readonly pageWidth: number
  /** Texts that are hard to tell from what is behind them. */
  readonly pale: string[]
  /** Texts of a drawing that leave it. */
  readonly outside: string[]
  readonly drawings: string[]
}

/** Runs in the page. */
const look0 = `function () {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const behind = (element) => {
    for (let it = element; it; it = it.parentElement) {
      const color = parse(getComputedStyle(it).backgroundColor)
      if (color.length === 3 || color[3] > 0) return color
    }
    return [255, 255, 255]
  }
  const pale = new Set()
  for (const element of document.body.querySelectorAll(':not(svg *)')) {
    const text = [...element.childNodes].filter((it) => it.nodeType === 3).map((it) => it.data.trim()).join('')
    if (!text || !element.checkVisibility()) continue
    const [one, two] = [light(parse(getComputedStyle(element).color)), light(behind(element))]
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)
    if (contrast < 4.5) pale.add(element.tagName + '.' + element.className + ' ' + contrast.toFixed(2))
  }
  const shown = [...document.querySelectorAll('.drawing svg')].filter((it) => it.checkVisibility())
  const outside = shown.flatMap((svg) => {
    const frame = svg.getBoundingClientRect()
    return [...svg.querySelectorAll('text')].filter((text) => {
      const box = text.getBoundingClientRect()
      return box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1
    }).map((text) => text.textContent)
  })
  const urls = [...document.querySelectorAll('[src],[href]')].map((it) => it.getAttribute('src') ?? it.getAttribute('href'))
  return {
    elsewhere: urls.filter((url) => !url.startsWith('#') && url !== 'data:,'),
    pageWidth: document.documentElement.scrollWidth,
    pale: [...pale],
    outside,
    drawings: [...new Set(shown.map((it) => it.getAttribute('class')))],
  }
}`

describe('a broken report', () => {
  it('shows verdict, causes with evidence and fix, the broken links, the matrix and the hop where a packet ends', async () => {
    const text = await on(broken(), phone, (page) => page.evaluate<string>('document.body.innerText'))
    for (const words of [
      'The network is broken',
      '49 of 114 checks failed. 2 causes explain 48 of them, 1 has no known cause. There is 1 warning.',
      'flannel.1 of w2 has the MAC address 5e:61:aa:02:9f:d4, flannel announced 8a:3c:5f:00:1e:12',
      'link/ether 5e:61:aa:02:9f:d4 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 68',
      'Restart flannel on w1',
      '1 check failed for which no known cause was found',
      '3 of 3 links between nodes are broken',
      'no route to 10.244.0.0/24: default via 192.168.56.1 dev eth0, out of the cluster',
    ])
      expect(text).toContain(words)
  })

  it('has the pair matrix with a word and a sign in each cell, not a colour alone', async () => {
    const rows = await on(broken(), desktop, (page) =>
      page.evaluate<string[]>(
        `[...document.querySelectorAll('[aria-label="Matrix: pod to pod, without NAT"] tr')].map((row) => [...row.cells].map((cell) => cell.textContent).join(' | '))`,
      ),
    )
    expect(rows).toEqual([
      'from ↓ to → | cp1 | w1 | w2',
      'cp1 | ✓ | ✗ failed | ✗ failed',
      'w1 | ✗ failed | ✓ | ✗ failed',
      'w2 | ✗ failed | ✗ failed | ✓',
    ])
  })

  it('opens what failed and keeps the rest closed', async () => {
    const open = await on(broken(), desktop, (page) =>
      page.evaluate<string[]>(`[...document.querySelectorAll('.scenario[open] .name')].map((it) => it.textContent)`),
    )
    expect(open).toEqual([
      'pod to pod, without NAT',
      'pod to Service, every endpoint',
      'cluster DNS',
      'node to pod',
      'pod to API server',
    ])
  })
})

describe('a matrix that is wider than a phone', () => {
  it('scrolls in its own box under heads that stay', async () => {
    const seen = await on(large(50, 'w7'), phone, (page) =>
      page.evaluate<{ wide: boolean; head: number; row: number; page: number }>(`(() => {
        const box = document.querySelector('[aria-label="Matrix: pod to pod, without NAT"]')
        box.scrollTo(400, 400)
        const at = box.getBoundingClientRect()
        const head = box.querySelector('thead th:nth-child(20)').getBoundingClientRect()
        const row = box.querySelector('tbody tr:nth-child(20) th').getBoundingClientRect()
        return { wide: box.scrollWidth > box.clientWidth, head: Math.round(head.top - at.top), row: Math.round(row.left - at.left), page: document.documentElement.scrollWidth }
      })()`),
    )
    expect(seen).toEqual({ wide: true, head: 1, row: 1, page: 390 })
  })
})

describe('the page', () => {
  it.each(reports)(
    'of a %s report has one first heading, no gap in the levels, scopes and unique ids',
    async (_, report) => {
      const seen = await on(report(), desktop, (page) =>
        page.evaluate<{ levels: number[]; scopeless: number; ids: string[]; nameless: number }>(`(() => ({
        levels: [...document.querySelectorAll('h1,h2,h3,h4')].map((it) => Number(it.tagName[1])),
        scopeless: document.querySelectorAll('th:not([scope])').length,
        ids: [...document.querySelectorAll('[id]')].map((it) => it.id),
        nameless: document.querySelectorAll('svg:not([aria-label]), [role=region]:not([aria-label])').length,
      }))()`),
      )
      expect(seen.levels.filter((level) => level === 1)).toHaveLength(1)
      expect(seen.levels.filter((level, i) => i > 0 && level > (seen.levels[i - 1] ?? 0) + 1)).toEqual([])
      expect(seen.scopeless + seen.nameless).toBe(0)
      expect(new Set(seen.ids).size).toBe(seen.ids.length)
    },
  )

  it('shows what hosts said as text, whatever it looks like', async () => {
    const seen = await on(hostile(), desktop, (page) =>
      page.evaluate<{ made: number; text: string }>(
        `({ made: document.querySelectorAll('script,img,iframe,b.evil').length, text: document.querySelector('#causes').textContent })`,
      ),
    )
    expect(seen.made).toBe(0)
    expect(seen.text).toContain('</style><script>alert(1)</script><img src=http://192.0.2.1/x onerror=alert(1)>')
  })

  it('prints with everything that is folded on the screen, but the single checks', async () => {
    const print = { ...desktop, media: 'print' } as const
    const { hidden, pdf } = await on(broken(), print, async (page) => ({
      hidden: await page.evaluate<number>(
        `[...document.querySelectorAll('.scenario .matrix, .pairs')].filter((it) => !it.checkVisibility({ contentVisibilityAuto: true })).length`,
      ),
      pdf: await page.pdf(),
    }))
    expect(hidden).toBe(0)
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
  })
})
