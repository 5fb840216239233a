import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Action, FileState } from '../../src/model/action.ts'
import { Secret } from '../../src/model/secret.ts'
import { applyScript, readJournal, readOutcome, undoScript } from '../../src/run/script.ts'
import { run } from '../helpers/cli.ts'

/** The kinds on a real file system, by a real POSIX shell: applied, undone, and everything is as it was. */

let dir: string
let prelude: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'k8snet-actions-'))
  mkdirSync(`${dir}/run`)
  prelude = readFileSync('templates/prelude.sh', 'utf8')
    .replaceAll('/var/lib/k8snet', `${dir}/state`)
    .replaceAll('/run/k8snet', `${dir}/run`)
})
afterEach(() => rmSync(dir, { recursive: true }))

const owner = '0:0'
const stateOf = (path: string): FileState => ({
  content: readFileSync(path, 'utf8'),
  mode: `0${(statSync(path).mode & 0o7777).toString(8)}`,
  owner,
})
const items = (actions: readonly Action[]) => actions.map((action, i) => ({ id: `id${i}`, step: 'test', action }))

async function shell(script: string) {
  const ended = await run('sh', ['-s'], { input: `main() {\n${script}\n}\nmain </dev/null` })
  return { ...ended, outcomes: ended.out.split('\n').flatMap((line) => readOutcome(line) ?? []) }
}
const apply = (actions: readonly Action[]) => shell(applyScript(prelude, items(actions)))
const undoAll = () => shell(undoScript(prelude, readJournal(readFileSync(`${dir}/state/journal`, 'utf8'))))
const tree = () =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/^(state|run)/.test(name))
    .sort()

describe('a file', () => {
  it('is made with its directories, and undo leaves neither', async () => {
    const before = tree()
    const ended = await apply([
      { kind: 'file', path: `${dir}/a/b/new.conf`, was: null, want: { content: "it's $new\n", mode: '0640' } },
    ])
    expect(ended.outcomes).toEqual([{ id: 'id0', status: 0, output: '' }])
    expect(stateOf(`${dir}/a/b/new.conf`)).toMatchObject({ content: "it's $new\n", mode: '0640' })
    await undoAll()
    expect(tree()).toEqual(before)
  })

  it('that was there comes back to the byte, with its mode', async () => {
    writeFileSync(`${dir}/old`, 'old, no newline at the end', { mode: 0o600 })
    const was = stateOf(`${dir}/old`)
    await apply([{ kind: 'file', path: `${dir}/old`, was, want: { content: 'new\n', mode: '0644' } }])
    expect(readFileSync(`${dir}/old`, 'utf8')).toBe('new\n')
    await undoAll()
    expect(stateOf(`${dir}/old`)).toEqual(was)
  })

  it('that somebody changed after the plan is left alone, and what follows is not done', async () => {
    writeFileSync(`${dir}/old`, 'mine\n')
    const was = { content: 'what the plan saw\n', mode: '0644', owner }
    const ended = await apply([
      { kind: 'file', path: `${dir}/old`, was, want: { content: 'new\n', mode: '0644' } },
      { kind: 'file', path: `${dir}/next`, was: null, want: { content: '', mode: '0644' } },
    ])
    expect(ended.outcomes).toEqual([{ id: 'id0', status: 97, output: '' }])
    expect(tree()).toEqual(['old'])
    expect(readFileSync(`${dir}/old`, 'utf8')).toBe('mine\n')
  })

  it('that somebody changed after up is not overwritten by undo, and the rest is undone', async () => {
    await apply([
      { kind: 'file', path: `${dir}/one`, was: null, want: { content: '1', mode: '0644' } },
      { kind: 'file', path: `${dir}/two`, was: null, want: { content: '2', mode: '0644' } },
    ])
    writeFileSync(`${dir}/two`, 'edited')
    const ended = await undoAll()
    expect(ended.outcomes.map(({ id, status }) => [id, status])).toEqual([
      ['id1', 97],
      ['id0', 0],
    ])
    expect(tree()).toEqual(['two'])
    expect(readJournal(readFileSync(`${dir}/state/journal`, 'utf8')).map(({ id }) => id)).toEqual(['id1'])
  })

  it('that was made, removed by somebody, and made again leaves nothing either', async () => {
    const action: Action = { kind: 'file', path: `${dir}/a/one`, was: null, want: { content: '1', mode: '0644' } }
    await apply([action])
    rmSync(`${dir}/a/one`)
    await shell(applyScript(prelude, [{ id: 'again', step: 'test', action }]))
    const ended = await undoAll()
    expect(ended.outcomes.map(({ status }) => status)).toEqual([0])
    expect(readdirSync(dir)).toEqual([])
  })

  it('that is already what it is to be is no reason to stop: a run that broke off may have made it', async () => {
    writeFileSync(`${dir}/one`, '1')
    const ended = await apply([{ kind: 'file', path: `${dir}/one`, was: null, want: { content: '1', mode: '0600' } }])
    expect(ended.outcomes.map(({ status }) => status)).toEqual([0])
    expect(stateOf(`${dir}/one`)).toMatchObject({ content: '1', mode: '0600' })
  })

  it('with a secret is written, yet the journal and the action never show it', async () => {
    const action: Action = {
      kind: 'file',
      path: `${dir}/run/token`,
      was: null,
      want: { content: new Secret('canary'), mode: '0600' },
      transient: true,
    }
    await apply([action])
    expect(readFileSync(`${dir}/run/token`, 'utf8')).toBe('canary')
    expect(JSON.stringify(action)).not.toContain('canary')
    expect(readdirSync(`${dir}/state`)).not.toContain('journal')
  })
})

describe('lines of a foreign file', () => {
  const fstab = 'UUID=1 / ext4 defaults 0 1\n/swap none swap sw 0 0\n# tail\n'
  it.each([
    [
      'replaced',
      [{ was: '/swap none swap sw 0 0', want: '#/swap none swap sw 0 0' }],
      'UUID=1 / ext4 defaults 0 1\n#/swap none swap sw 0 0\n# tail\n',
    ],
    ['added', [{ was: null, want: '10.0.0.1 w1' }], `${fstab}10.0.0.1 w1\n`],
    ['removed', [{ was: '# tail', want: null }], 'UUID=1 / ext4 defaults 0 1\n/swap none swap sw 0 0\n'],
    ['with backslashes', [{ was: null, want: 'a\\nb \\1 & $x' }], `${fstab}a\\nb \\1 & $x\n`],
  ])('are %s, every other line stays, and undo gives the file back', async (_, edits, expected) => {
    writeFileSync(`${dir}/fstab`, fstab, { mode: 0o640 })
    const was = stateOf(`${dir}/fstab`)
    await apply([{ kind: 'line', path: `${dir}/fstab`, edits }])
    expect(stateOf(`${dir}/fstab`)).toEqual({ ...was, content: expected })
    await undoAll()
    if (expected.length > fstab.length || edits[0]!.want) expect(stateOf(`${dir}/fstab`)).toEqual(was)
    else expect(readFileSync(`${dir}/fstab`, 'utf8').split('\n').sort()).toEqual(fstab.split('\n').sort())
    expect(tree()).toEqual(['fstab'])
  })

  it('that are no longer there stop the run with the file untouched', async () => {
    writeFileSync(`${dir}/fstab`, fstab)
    const ended = await apply([{ kind: 'line', path: `${dir}/fstab`, edits: [{ was: 'gone', want: '#gone' }] }])
    expect(ended.outcomes.map(({ status }) => status)).toEqual([97])
    expect(readFileSync(`${dir}/fstab`, 'utf8')).toBe(fstab)
    expect(tree()).toEqual(['fstab'])
  })
})

describe('a command', () => {
  const exec = (over: object): Action => ({
    kind: 'exec',
    summary: 'try',
    command: 'true',
    timeoutSeconds: 100,
    undo: 'nothing',
    ...over,
  })

  it.each([
    ['that fails in the middle stops there', { command: `false; touch ${'x'}` }, 1],
    ['that takes too long is ended', { command: 'sleep 100', timeoutSeconds: 1 }, 124],
    ['whose work is done already is not run', { command: 'exit 9', unless: 'true' }, 0],
    ['whose check fails is run', { command: 'exit 9', unless: 'false' }, 9],
  ])('%s', async (_, over, status) => {
    expect((await apply([exec(over)])).outcomes.map((outcome) => outcome.status)).toEqual([status])
  })

  it('shows what it printed when it fails', async () => {
    const ended = await apply([exec({ command: 'echo to out; echo to err >&2; exit 3' })])
    expect(ended.outcomes).toEqual([{ id: 'id0', status: 3, output: 'to out\nto err' }])
  })

  it('is undone by the actions it names, the last change first, and nothing is kept on the host afterwards', async () => {
    await apply([
      exec({ command: `mkdir ${dir}/d`, undo: [exec({ command: `rmdir ${dir}/d` })] }),
      { kind: 'file', path: `${dir}/d/f`, was: null, want: { content: '', mode: '0644' } },
    ])
    expect(tree()).toEqual(['d', 'd/f'])
    const ended = await undoAll()
    expect(ended.outcomes.map(({ status }) => status)).toEqual([0, 0])
    expect(readdirSync(dir)).toEqual([])
  })
})

describe('waiting', () => {
  const wait = (ask: string): Action => ({
    kind: 'wait',
    summary: 'it',
    ask,
    timeoutSeconds: 1,
    evidence: 'echo because',
  })

  it('ends as soon as it holds', async () => {
    expect((await apply([wait('true')])).outcomes).toEqual([{ id: 'id0', status: 0, output: '' }])
  })

  it('fails at its deadline and says why', async () => {
    expect((await apply([wait('false')])).outcomes).toEqual([
      { id: 'id0', status: 1, output: 'still not so after 1 s\nbecause' },
    ])
  })
})
