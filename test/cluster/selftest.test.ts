import { beforeAll, describe, expect, it } from 'vitest'
import { type Code, codes } from '../../src/model/codes.ts'
import { edited } from '../../src/selftest/faults/edited.ts'
import type { Row } from '../../src/selftest/selftest.ts'
import { trials } from '../../src/selftest/trials.ts'
import { k8snet, run } from '../helpers/cli.ts'
import { json } from '../helpers/lab.ts'

/**
 * Every fault of the catalogue on the real lab, one after the other: the right cause comes first, all that failed is explained,
 * and afterwards all is clean again. Then clean runs without a false alarm; their number is small here, K8SNET_ROUNDS says another.
 */
let rows: Row[]

beforeAll(async () => {
  const up = await run('sh', ['vagrant/demo.sh'])
  expect(up.code, up.err).toBe(0)
  const ended = await json('lab', 'selftest')
  expect(ended.json?.rows, ended.err).toBeDefined()
  rows = await onceMore(ended.json.rows)
})

/** The cluster goes on with its own business meanwhile: what came out wrong is tried once more, and said; wrong twice is wrong. */
async function onceMore(first: Row[]): Promise<Row[]> {
  const wrong = first.filter(({ problems }) => problems.length > 0)
  if (wrong.length === 0) return first
  const codes = [...new Set(wrong.flatMap((row) => row.codes))]
  console.error(`once more: ${wrong.map((row) => `${row.title}: ${row.problems.join('; ')}`).join('\n')}`)
  const { json: again } = await json('lab', 'selftest', '--only', codes.join(','))
  return first.map((row) => again.rows.find(({ title }: Row) => wrong.includes(row) && title === row.title) ?? row)
}

describe('k8snet lab selftest', () => {
  it.each([
    ...edited.map(({ code, title }) => [code as string, title]),
    ...trials.map((trial) => [trial.map(({ code }) => code).join(' + '), trial.map(({ title }) => title).join('; ')]),
  ])('names %s first: %s', (code, title) => {
    const row = rows.find((it) => it.title === title && it.codes.join(' + ') === code)
    expect(row).toBeDefined()
    expect(row?.problems).toEqual([])
  })

  it('tried at least 40 causes', () => {
    const seen = new Set<Code>(rows.flatMap((row) => row.codes))
    expect(seen.size).toBeGreaterThanOrEqual(40)
    for (const code of seen) expect(codes).toHaveProperty(code)
  })

  it('leaves a cluster without any finding, run after run', async () => {
    const ended = await json('lab', 'selftest', '--rounds', process.env.K8SNET_ROUNDS ?? '5')
    expect(ended.json.rows.filter(({ problems }: Row) => problems.length > 0)).toEqual([])
    expect(ended.code).toBe(0)
  })

  it('refuses a cause that it has no fault for, and says which there are', async () => {
    const ended = await k8snet(['lab', 'selftest', '--only', 'NONSENSE'])
    expect(ended.code).toBe(2)
    expect(ended.err).toMatch(/USAGE: there is no fault for NONSENSE[\s\S]*PEER_FDB_STALE/)
  })
})
