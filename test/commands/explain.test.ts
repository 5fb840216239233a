import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { codesPage, explainCommand, explained } from '../../src/commands/explain.ts'
import type { CommandIo } from '../../src/commands/io.ts'
import { exits } from '../../src/model/trouble.ts'

/** What `k8snet explain ARGS` prints. */
async function explain(...args: string[]): Promise<string> {
  const said: string[] = []
  const io = { out: (text: string) => void said.push(text) } as CommandIo
  await explainCommand(io).exitOverride().parseAsync(args, { from: 'user' })
  return said.join('')
}

describe('a code', () => {
  it.each(explained().map((it) => [it.name, it] as const))(
    '%s says what it means, what to do and how k8snet ends',
    (_, it) => {
      expect(it.meaning).toMatch(/^[A-Za-z/].*\.$/)
      expect(it.fix).toMatch(/\S{2,} \S{2,}/)
      expect(it.exits.length).toBeGreaterThan(0)
      for (const exit of it.exits) expect(Object.values(exits)).toContain(exit)
    },
  )

  it.each([
    ['HOSTKEY_CHANGED', 4],
    ['YAML_SYNTAX', 2],
    ['PLAN_INVALID', 2],
    ['PLAN_OUTDATED', 8],
    ['LOCKED', 7],
    ['PORT_TAKEN', 5],
    ['ACTION_FAILED', 3],
    ['POD_UNREACHABLE', 6],
    ['DEFECT', 1],
    ['INTERRUPTED', 130],
  ])('%s comes with exit code %d', (code, exit) =>
    expect(explained().find(({ name }) => name === code)?.exits[0]).toBe(exit),
  )
})

describe('explain', () => {
  it('says all of one code, however it is written', async () => {
    expect(await explain('locked')).toBe(await explain('LOCKED'))
    expect(await explain('LOCKED')).toMatch(/^LOCKED: .*\n {2}fix: .*\n {2}exit code: 7\n$/)
  })

  it('lists every code, one per line', async () => {
    expect(
      (await explain())
        .trim()
        .split('\n')
        .map((line) => line.split(':')[0]),
    ).toEqual(explained().map(({ name }) => name))
  })

  it('gives JSON by code', async () => {
    expect(JSON.parse(await explain('LOCKED', '-o', 'json'))).toEqual({
      LOCKED: { meaning: expect.any(String), fix: expect.any(String), exits: [7] },
    })
  })

  it('refuses a code that there is not', async () => {
    await expect(explain('NO_SUCH_CODE')).rejects.toMatchObject({ exit: 2 })
  })
})

describe('docs/codes.md', () => {
  it('is what k8snet explain --markdown prints', async () => {
    expect(
      readFileSync('docs/codes.md', 'utf8'),
      'make it again: node dist/cli.js explain --markdown >docs/codes.md',
    ).toBe(codesPage())
    expect(await explain('--markdown')).toBe(codesPage())
  })

  it('has every code once as a row of four cells', () => {
    const rows = codesPage()
      .split('\n')
      .filter((line) => line.startsWith('| `'))
    expect(rows.map((row) => row.split('`')[1])).toEqual(explained().map(({ name }) => name))
    for (const row of rows) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(6)
  })
})
