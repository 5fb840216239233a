import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type { Fact, Reply } from '../../src/model/fact.ts'
import type { Host } from '../../src/model/inventory.ts'
import type { Eyes } from '../../src/model/ports.ts'
import { Failure } from '../../src/model/trouble.ts'
import { factsFor, gather, questionsOf } from '../../src/plan/gather.ts'
import { run } from '../helpers/cli.ts'

let execs = 0
/** This machine's own sh as the host. */
const eyes: Eyes = {
  host: { name: 'here' } as Host,
  look: async (script) => {
    execs += 1
    return run('sh', ['-s'], { input: `main() {\n${script}\n}\nmain </dev/null` })
  },
}
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const fact = (ask: string): Fact<string> => ({ ask, parse: (out) => out })

describe('gathering', () => {
  it.each([
    ['nothing', 'true', ''],
    ['a line', 'echo a', 'a\n'],
    ['text without an end of line', 'printf a', 'a'],
    ['what looks like a marker', "printf '@0 0 0\\n'", '@0 0 0\n'],
    ['several lines', "printf 'a\\n\\nb\\n'", 'a\n\nb\n'],
    ['what a script left by exit', 'echo a; exit 0; echo b', 'a\n'],
    ['what came before a complaint', 'echo a; echo b >&2', 'a\n'],
  ])('returns %s as it was said', async (_, ask, expected) => {
    const questions = { before: fact('echo before'), it: fact(ask), after: fact('echo after') }
    const answers = await gather(eyes, questionsOf([questions]))
    expect(factsFor(questions, answers)).toEqual({ before: 'before\n', it: expected, after: 'after\n' })
  })

  it('asks everything in one exec, and the same question once', async () => {
    const [a, b, same] = [fact('echo x >>"$TMPDIR/none" 2>/dev/null; echo a'), fact('echo b'), fact('echo b')]
    expect(questionsOf([{ a, b }, { same }])).toHaveLength(2)
    execs = 0
    const answers = await gather(eyes, questionsOf([{ a, b }, { same }]))
    expect(execs).toBe(1)
    expect(answers.get(same)).toBe('b\n')
  })

  it('tells "could not look" from "not there", and quotes the complaint of the question that failed', async () => {
    const lists = [{ a: fact('cat /no/such/file 2>/dev/null || :') }, { b: fact('echo the reason >&2; exit 3') }]
    const error = await gather(eyes, questionsOf(lists)).catch((it: unknown) => it)
    expect(error).toBeInstanceOf(Failure)
    expect((error as Failure).troubles).toMatchObject([
      { code: 'LOOK_FAILED', where: 'here', evidence: [{ line: 'the reason' }] },
    ])
  })

  it('keeps of an answer only what was asked, and not the whole text', async () => {
    let reply: WeakRef<Reply> | undefined
    const once: Eyes = {
      ...eyes,
      look: async (script) => {
        const it = await eyes.look(script)
        reply = new WeakRef(it)
        return it
      },
    }
    const a = fact('echo a')
    const answers = await gather(once, [a])
    // a collection may leave what was used last
    for (let tries = 0; tries < 20 && reply!.deref(); tries++) {
      await pause(1)
      collectGarbage()
    }
    await pause(1)
    expect(reply!.deref()).toBeUndefined()
    expect(answers.get(a)).toBe('a\n')
  })

  it('reads what hosts answer alike once, also where each host has a question of its own', async () => {
    const parse = (out: string) => ({ out })
    const asked = [1, 2].map(() => ({ ask: 'echo a', parse }))
    const [one, two] = await Promise.all(asked.map(async (it) => (await gather(eyes, [it])).get(it)))
    expect(two).toBe(one)
    const other = { ask: 'echo b', parse }
    expect((await gather(eyes, [other])).get(other)).toEqual({ out: 'b\n' })
  })

  it('fails when the host stops answering half-way', async () => {
    const cut: Eyes = { ...eyes, look: async (script) => ({ ...(await eyes.look(script)), out: 'a' }) }
    await expect(gather(cut, [fact('echo a')])).rejects.toThrow(/LOOK_FAILED/)
  })
})
