import { describe, expect, it } from 'vitest'
import type { Span, Timeline } from '../../src/model/record.ts'
import { timelineText } from '../../src/view/timeline.ts'

const header: Timeline['header'] = {
  type: 'run',
  format: 1,
  verb: 'up',
  cluster: 'lab',
  inventory: '/home/me/inventory.yaml',
  hosts: ['cp1', 'w1', 'w2'],
  began: '2026-11-20T14:03:11.123Z',
  by: 'me@desk',
  version: '0.1.0',
}
const look = { color: false, utf8: false, width: 80 }
const three: Timeline = {
  dir: '/state/runs/20261120T140311.123Z-up-lab',
  header,
  ms: 20_000,
  exit: 3,
  spans: [
    { stage: 'connect', from: 0, to: 1000, outcome: 'done' },
    { stage: 'prepare', host: 'cp1', from: 1000, to: 9000, outcome: 'changed' },
    { stage: 'prepare', host: 'w1', from: 1000, to: 11_000, outcome: 'changed' },
    { stage: 'init', host: 'cp1', from: 9000, to: 18_000, outcome: 'changed' },
    { stage: 'join', host: 'w1', from: 18_000, to: 20_000, outcome: 'failed' },
  ],
  steps: [
    { host: 'cp1', step: 'kubeadm-init', ms: 8900 },
    { host: 'w1', step: 'images', ms: 6000 },
    { host: 'cp1', step: 'images', ms: 4000 },
  ],
  errors: [{ code: 'ACTION_FAILED', message: 'kubeadm join: ended with status 1', where: 'w1: kubeadm-join' }],
}

describe('the timeline of a run', () => {
  it('has bars to scale, the slowest steps, and the errors', () => {
    expect(timelineText(three, look)).toBe(`up of lab: some hosts failed, 20.0 s
2026-11-20 14:03:11 UTC, by me@desk, 3 hosts, /home/me/inventory.yaml
record: /state/runs/20261120T140311.123Z-up-lab

connect       ###                                                   1.0 s
prepare  cp1    #####################                               8.0 s
         w1     ###########################                         10.0 s
init     cp1                         ########################       9.0 s
join     w1                                                 ######  2.0 s failed

slowest steps
kubeadm-init  cp1 8.9 s
images        w1 6.0 s   median of 2 hosts 4.0 s

ACTION_FAILED: kubeadm join: ended with status 1 (w1: kubeadm-join)
`)
  })

  it('uses block characters where they are understood, and no line is wider than the terminal', () => {
    for (const width of [60, 80, 132]) {
      const lines = timelineText({ ...three, errors: [] }, { ...look, utf8: true, width })
        .split('\n')
        .slice(3)
      expect(lines.join('')).toMatch(/█[▏▎▍▌▋▊▉]? /)
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width)
    }
  })

  it('says of a run that was killed how far it came', () => {
    const { exit: _, ...killed } = three
    expect(timelineText(killed, look)).toMatch(/^up of lab: no end after 20\.0 s: k8snet was killed/)
  })

  it('of a hundred hosts has a bar per stage and the slowest twenty hosts, those that failed first', () => {
    const hosts = Array.from({ length: 100 }, (_, i) => `w${i}`)
    const spans = hosts.flatMap((host, i): Span[] => [
      { stage: 'prepare', host, from: 0, to: 5000 + 10 * i, outcome: 'changed' },
      { stage: 'join', host, from: 10_000, to: 12_000 + i, outcome: i === 7 ? 'failed' : 'changed' },
    ])
    const text = timelineText({ ...three, header: { ...header, hosts }, spans, steps: [], errors: [] }, look)
    const lines = text.split('\n')
    expect(lines.length).toBeLessThan(40)
    expect(lines.filter((line) => /100 hosts {2}/.test(line)).map((line) => line.replace(/ +#+ +/, ' '))).toEqual([
      'prepare  100 hosts median 5.5 s',
      'join     100 hosts median 2.0 s, 1 failed',
    ])
    const slowest = lines.slice(lines.indexOf('the slowest:') + 1).filter((line) => line.includes('#'))
    expect(slowest).toHaveLength(20)
    expect(slowest[0]).toContain('w7 ')
    expect(slowest.filter((line) => /w99 /.test(line))).toHaveLength(1)
  })
})
