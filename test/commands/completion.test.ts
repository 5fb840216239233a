import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporary } from '../bundle/fixture.ts'
import { k8snet } from '../helpers/cli.ts'

/** The completion scripts, asked by the shells themselves. */

const dir = temporary()
beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const ended = await k8snet(['completion', shell])
    expect([ended.code, ended.err]).toEqual([0, ''])
    writeFileSync(join(dir, `k8snet.${shell}`), ended.out)
  }
  mkdirSync(join(dir, 'inventories'))
  writeFileSync(join(dir, 'my inventory.yaml'), '')
})

/** [the words so far, the last one being completed; what is offered] */
const cases: [string[], string[] | RegExp][] = [
  [['u'], ['up']],
  [['co'], /\bcompletion\b/],
  [
    ['lab', ''],
    ['down', 'selftest', 'ssh', 'status', 'up'],
  ],
  [
    ['bundle', 'c'],
    ['check', 'create'],
  ],
  [['up', '--pl'], ['--plan']],
  [['up', 'my inventory.yaml', '--det'], []],
  [['plan', 'my inventory.yaml', '--det'], ['--detailed-exitcode']],
  [
    ['up', '-o', ''],
    ['json', 'text'],
  ],
  [['up', '--output', 'j'], ['json']],
  [['lab', 'up', '--hos'], ['--hosts']],
  [
    ['bundle', 'create', '--from', ''],
    ['releases', 'source'],
  ],
  [
    ['explain', 'HOSTKEY_'],
    ['HOSTKEY_CHANGED', 'HOSTKEY_UNKNOWN'],
  ],
  [['up', 'my'], ['my inventory.yaml']],
  [['up', 'my inventory.yaml', '--plan', 'inv'], /^inventories\/?$/],
  [
    ['completion', ''],
    ['bash', 'fish', 'zsh'],
  ],
  [['up', '--only', ''], []],
]

function offered(shell: 'bash' | 'fish', words: string[]): string[] {
  const line = ['k8snet', ...words].map((word) => word.replaceAll(' ', '\\ ')).join(' ')
  const ended =
    shell === 'bash'
      ? run('bash', '-c', bash, 'bash', ...words)
      : run('fish', '--no-config', '-c', 'source ./k8snet.fish; complete -C $argv[1]', line)
  expect([ended.status, ended.stderr]).toEqual([0, ''])
  const lines = ended.stdout.split('\n').filter((it) => it !== '')
  return lines.map((it) => it.split('\t')[0]!.replaceAll('\\ ', ' ')).sort()
}
const bash = `source ./k8snet.bash
COMP_WORDS=(k8snet "$@") COMP_CWORD=$#
_k8snet
[ \${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"`

const run = (shell: string, ...words: string[]) => spawnSync(shell, words, { cwd: dir, encoding: 'utf8' })
const has = (shell: string): boolean => spawnSync(shell, ['-c', ':']).status === 0

describe('bash', () => {
  it.each(cases)('after %j offers %s', (words, expected) => same(offered('bash', words), expected))

  it.each([
    [['up', '--output', '=', 'j'], ['json']],
    [
      ['up', '--output', '='],
      ['json', 'text'],
    ],
  ])('after %j, as it splits --output=, offers %s', (words, expected) =>
    expect(offered('bash', words)).toEqual(expected),
  )

  it('knows the command after the script was read', () => {
    expect(run('bash', '-c', 'source ./k8snet.bash && complete -p k8snet').stdout).toBe('complete -F _k8snet k8snet\n')
  })
})

describe.runIf(has('fish'))('fish', () => {
  it.each(cases)('after %j offers %s', (words, expected) => same(offered('fish', words), expected))
})

describe.runIf(has('zsh'))('zsh', () => {
  it('takes the script', () => {
    const ended = run('zsh', '-n', 'k8snet.zsh')
    expect([ended.status, ended.stderr]).toEqual([0, ''])
  })
})

it('another shell is refused with those that there are', async () => {
  const ended = await k8snet(['completion', 'tcsh'])
  expect([ended.code, ended.err]).toEqual([2, expect.stringContaining('bash, zsh, fish')])
})

function same(offered: string[], expected: string[] | RegExp): void {
  if (Array.isArray(expected)) expect(offered).toEqual(expected)
  else expect(offered.join('\n')).toMatch(expected)
}
