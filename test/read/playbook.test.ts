import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { distance, nearest } from '../../src/model/nearest.ts'
import type { Failure } from '../../src/model/trouble.ts'
import { parsePlaybook, readPlaybook } from '../../src/read/playbook.ts'

const good = `stages:
  - { name: prepare, title: Prepare, hosts: all, steps: [swap, sysctls] }
  - { name: init, title: Initialise, hosts: leader, after: [prepare], steps: [init] }
  - { name: join, title: Join, hosts: others, after: [prepare, leader.init, others.prepare], steps: [] }
`
const known = ['swap', 'sysctls', 'init']
const faults = (text: string) => {
  try {
    parsePlaybook('p.yaml', text, known)
  } catch (error) {
    return (error as Failure).troubles.map((t) => `${t.code} ${t.where} ${t.fix ?? ''}`.trim())
  }
  return []
}

test('a good playbook is its stages', () => {
  expect(parsePlaybook('p.yaml', good, known).stages.map((s) => [s.name, s.hosts, s.after, s.steps])).toEqual([
    ['prepare', 'all', [], ['swap', 'sysctls']],
    ['init', 'leader', ['prepare'], ['init']],
    ['join', 'others', ['prepare', 'leader.init', 'others.prepare'], []],
  ])
})

describe('a playbook is refused', () => {
  test.each([
    [
      'for a step that does not exist',
      '[swap, sysctls]',
      '[swpa, sysctls]',
      'STEP_UNKNOWN p.yaml:2:58 did you mean swap?',
    ],
    [
      'for waiting for a stage that does not exist',
      '[prepare]',
      '[prepair]',
      'STEP_UNKNOWN p.yaml:3:61 did you mean prepare?',
    ],
    ['for waiting for itself', '[prepare]', '[init]', 'STEP_UNKNOWN p.yaml:3:61'],
    ['for waiting for a stage below', '[prepare]', '[join]', 'STEP_UNKNOWN p.yaml:3:61'],
    ['for waiting for others who have no such stage', 'leader.init', 'others.init', 'STEP_UNKNOWN p.yaml:4:64'],
    ['for two stages of one name', 'name: init', 'name: prepare', 'NAME_DUPLICATE p.yaml:3:13'],
    ['for unknown hosts', 'hosts: all', 'hosts: some', 'VALUE_TYPE p.yaml:2:45'],
    ['for an unknown key', 'title: Prepare,', 'title: Prepare, when: x,', 'VALUE_TYPE p.yaml:2:5'],
  ])('%s', (_, piece, by, expected) => {
    expect(good).toContain(piece)
    expect(faults(good.replace(piece, by))[0]).toBe(expected)
  })
})

test('a playbook that the package does not have is FILE_NOT_FOUND', () => {
  expect(() => readPlaybook('nothing', known)).toThrow(/FILE_NOT_FOUND/)
  expect(() => readPlaybook('../package', known)).toThrow(/FILE_NOT_FOUND/)
})

test('every playbook of the package is of the right form', () => {
  const names = readdirSync(new URL('../../playbooks/', import.meta.url)).map((file) => file.replace(/\.yaml$/, ''))
  for (const name of names) {
    // Which steps exist is the business of the steps; here a playbook may only fail for those.
    try {
      readPlaybook(name, [])
    } catch (error) {
      expect((error as Failure).troubles.filter((t) => !t.message.endsWith('is no step'))).toEqual([])
    }
  }
})

test.each([
  ['podSubent', 'podSubnet'],
  ['adress', 'address'],
  ['PODSUBNET', 'podSubnet'],
  ['node_ip', 'nodeIP'],
  ['colour', undefined],
  ['x', undefined],
])('%s most likely means %s', (word, meant) => {
  expect(nearest(word, ['podSubnet', 'address', 'nodeIP', 'role', 'key'])).toBe(meant)
})

test.each([
  ['', '', 0],
  ['', 'ab', 2],
  ['ab', 'ba', 1],
  ['kitten', 'sitting', 3],
])('between %j and %j lie %i changes', (a, b, changes) => {
  expect([distance(a, b), distance(b, a)]).toEqual([changes, changes])
})
