import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadDump, saveDump } from '../../src/dump/save.ts'
import type { ClusterDump } from '../../src/model/dump.ts'
import { Failure } from '../../src/model/trouble.ts'
import { healthy } from './healthy.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k8snet-dump-'))
})
afterEach(() => rm(dir, { recursive: true }))

it('gives back what was saved', async () => {
  const dump = healthy() as ClusterDump
  await saveDump(dir, dump)
  expect(await loadDump(dir)).toEqual(dump)
  expect((await readdir(join(dir, 'nodes'))).sort()).toEqual(['cp1.json', 'w1.json'])
})

it('saves a node of any name within the directory', async () => {
  const dump = { ...healthy(), nodes: [{ node: '../../x', parts: {}, problems: {} }] } as ClusterDump
  await saveDump(join(dir, 'a'), dump)
  expect(await readdir(join(dir, 'a', 'nodes'))).toHaveLength(1)
  expect(await readdir(dir)).toEqual(['a'])
  expect((await loadDump(join(dir, 'a'))).nodes[0]!.node).toBe('../../x')
})

it('says where it cannot save', async () => {
  await writeFile(join(dir, 'taken'), '')
  const failure = await saveDump(join(dir, 'taken'), healthy() as ClusterDump).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(Failure)
  expect((failure as Failure).troubles[0]).toMatchObject({ code: 'FILE_UNWRITABLE', where: join(dir, 'taken') })
})

describe('a dump that cannot be read', () => {
  const put = (file: string, text: string) => writeFile(join(dir, file), text)
  const change = async (file: string, edit: (it: Record<string, unknown>) => void) => {
    const it = JSON.parse(await readFile(join(dir, file), 'utf8'))
    edit(it)
    await put(file, JSON.stringify(it))
  }
  it.each<[string, () => Promise<void>, string, RegExp]>([
    ['has no cluster.json', () => rm(join(dir, 'cluster.json')), 'cluster.json', /no such file/],
    ['is no JSON', () => put('cluster.json', '{'), 'cluster.json', /no JSON/],
    ['is a list', () => put('cluster.json', '[]'), 'cluster.json', /no dump/],
    [
      'has another form',
      () =>
        change('cluster.json', (it) => {
          it.format = 99
        }),
      'cluster.json',
      /form 99.*reads 1/,
    ],
    [
      'has no form',
      () =>
        change('cluster.json', (it) => {
          delete it.format
        }),
      'cluster.json',
      /form \(none\)/,
    ],
    [
      'has no nodes',
      () =>
        change('cluster.json', (it) => {
          delete it.nodes
        }),
      'cluster.json',
      /no nodes/,
    ],
    ['lacks the file of a node', () => rm(join(dir, 'nodes/w1.json')), 'nodes/w1.json', /no such file/],
    [
      'has the file of another node',
      () =>
        change('nodes/w1.json', (it) => {
          it.node = 'w9'
        }),
      'nodes/w1.json',
      /no dump of the node w1/,
    ],
    [
      'has a part that is no text',
      () =>
        change('nodes/w1.json', (it) => {
          it.parts = { links: [1] }
        }),
      'nodes/w1.json',
      /no dump of the node w1/,
    ],
  ])('%s', async (_, spoil, file, why) => {
    await saveDump(dir, healthy() as ClusterDump)
    await spoil()
    const failure = await loadDump(dir).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Failure)
    const [trouble] = (failure as Failure).troubles
    expect(trouble).toMatchObject({ code: 'DUMP_INVALID', where: join(dir, file) })
    expect(trouble!.message).toMatch(why)
    expect(trouble!.fix).toMatch(/--save/)
  })
})
