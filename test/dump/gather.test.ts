import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { gatherDump } from '../../src/dump/gather.ts'
import type { Eyes } from '../../src/model/ports.ts'
import { exits, Failure } from '../../src/model/trouble.ts'

const now = new Date('2026-11-21T06:00:00Z')
const options = { k8snet: '0.1.0', now }
const packed = (text: string) => gzipSync(text).toString('base64')

/** A host that answers what `answer` makes of the mark; it counts the execs. */
function host(answer: (mark: string, script: string) => { out: string; err?: string; code?: number }) {
  const seen = { execs: 0 }
  const eyes = {
    host: { name: 'x' },
    look: async (script: string) => {
      seen.execs += 1
      const mark = /^MARK=(\w+)$/m.exec(script)?.[1] ?? /printf '%s %s\\n' (\w+) version/.exec(script)?.[1] ?? ''
      return { err: '', code: 0, ...answer(mark, script) }
    },
  } as unknown as Eyes
  return { eyes, seen }
}

const node = () => host((mark) => ({ out: packed(`\n${mark} part rules\n0:\n\n${mark} part END\n`) }))
const leader = () =>
  host((mark) => ({
    out: packed(
      `${mark} version\n{"gitVersion":"v1.37.1"}\n${mark} lists\n{"items":[{"kind":"Node","metadata":{"name":"cp1"}}]}\n${mark} configs\n\n${mark} flannel\n{"items":[]}\n${mark} end\n`,
    ),
  }))

it('asks each node and the control plane once', async () => {
  const [a, b, lead] = [node(), node(), leader()]
  const dump = await gatherDump(
    lead.eyes,
    new Map([
      ['cp1', a.eyes],
      ['w1', b.eyes],
    ]),
    options,
  )
  expect(dump).toMatchObject({ format: 1, k8snet: '0.1.0', made: now.toISOString(), unread: [] })
  expect(dump.nodes.map((it) => [it.node, it.parts.rules])).toEqual([
    ['cp1', '0:\n'],
    ['w1', '0:\n'],
  ])
  expect(dump.cluster).toMatchObject({ version: '1.37.1', nodes: [{ name: 'cp1' }] })
  expect(dump.apiTrouble).toBeUndefined()
  expect([a.seen.execs, b.seen.execs, lead.seen.execs]).toEqual([1, 1, 1])
})

it('goes on without the nodes that do not answer, and says why', async () => {
  const lost = {
    host: {},
    look: () => Promise.reject(new Failure(exits.unreachable, { code: 'CONNECTION_LOST', message: 'The link broke.' })),
  } as unknown as Eyes
  const mute = host(() => ({ out: '', err: 'sh: gzip: not found\n', code: 127 })).eyes
  const dump = await gatherDump(
    leader().eyes,
    new Map([
      ['w1', lost],
      ['w2', mute],
      ['w3', node().eyes],
    ]),
    options,
  )
  expect(dump.nodes.map((it) => it.node)).toEqual(['w3'])
  expect(dump.unread).toEqual([
    { node: 'w1', why: 'CONNECTION_LOST: The link broke.' },
    { node: 'w2', why: 'it told nothing: sh: gzip: not found' },
  ])
})

it.each<[string, Eyes | undefined, RegExp]>([
  [
    'does not answer',
    host(() => ({ out: '', err: 'The connection to the server 10.0.0.1:6443 was refused\n', code: 1 })).eyes,
    /6443 was refused/,
  ],
  ['cannot be asked', undefined, /no control plane/],
])('dumps the nodes also where the API server %s', async (_, lead, why) => {
  const dump = await gatherDump(lead, new Map([['w1', node().eyes]]), options)
  expect(dump.nodes).toHaveLength(1)
  expect(dump.cluster).toBeUndefined()
  expect(dump.apiTrouble).toMatch(why)
})

it('is interrupted by its signal', async () => {
  const ended = AbortSignal.abort(new Error('interrupted'))
  await expect(gatherDump(undefined, new Map([['w1', node().eyes]]), { ...options, signal: ended })).rejects.toThrow(
    'interrupted',
  )
})
