import { randomBytes } from 'node:crypto'
import type { Fact, Facts, Questions } from '../model/fact.ts'
import type { Eyes } from '../model/ports.ts'
import { quote, type Sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'

/** What a host answered: by the text of the question. */
export interface Answers {
  get<T>(fact: Fact<T>): T
}

/** Every question of the lists once, by its text: steps that ask the same thing share the answer. */
export function questionsOf(lists: Iterable<Questions>): Fact<unknown>[] {
  const byText = new Map<string, Fact<unknown>>()
  for (const list of lists)
    for (const fact of Object.values(list)) if (!byText.has(fact.ask)) byText.set(fact.ask, fact)
  return [...byText.values()]
}

/**
 * Asks a host everything in one exec. Throws LOOK_FAILED with the question's own complaint when one of them could not be
 * answered; "not there" is an answer and never a failure.
 */
export async function gather(eyes: Eyes, facts: readonly Fact<unknown>[], signal?: AbortSignal): Promise<Answers> {
  const nonce = randomBytes(6).toString('hex')
  const reply = await eyes.look(frame(facts, nonce), { timeoutMs: 60_000, ...(signal && { signal }) })
  const outs = split(reply.out, nonce)
  const errs = split(reply.err, nonce)
  const answers = new Map<string, { fact: Fact<unknown>; out: string }>()
  facts.forEach((fact, i) => {
    const answer = outs.get(i)
    if (answer?.code !== 0) throw lookFailed(eyes.host.name, fact, answer?.code, errs.get(i)?.text ?? reply.err)
    answers.set(fact.ask, { fact, out: answer.text })
  })
  return {
    get<T>(fact: Fact<T>): T {
      const answer = answers.get(fact.ask)
      if (!answer) throw new Error(`a step asks what was not gathered: ${fact.ask.slice(0, 80)}`)
      return fact.parse(answer.out)
    },
  }
}

/** A step's facts out of a host's answers. */
export function factsFor<Q extends Questions>(questions: Q, answers: Answers): Facts<Q> {
  return Object.fromEntries(Object.entries(questions).map(([name, fact]) => [name, answers.get(fact)])) as Facts<Q>
}

/** Every answer ends with a marker line on both streams; the one on stdout bears the exit status. */
function frame(facts: readonly Fact<unknown>[], nonce: string): Sh {
  const mark = quote(`\n@${nonce} %s %s\n`)
  return facts.map(({ ask }, i) => `( ${ask}\n)\nprintf ${mark} ${i} $?\nprintf ${mark} ${i} 0 >&2`).join('\n')
}

function split(text: string, nonce: string): Map<number, { text: string; code: number }> {
  const parts = text.split(new RegExp(`\\n@${nonce} (\\d+) (\\d+)\\n`))
  const answers = new Map<number, { text: string; code: number }>()
  for (let i = 0; i + 2 < parts.length; i += 3)
    answers.set(Number(parts[i + 1]), { text: parts[i]!, code: Number(parts[i + 2]) })
  return answers
}

function lookFailed(host: string, fact: Fact<unknown>, code: number | undefined, err: string): Failure {
  const first = fact.ask.trim().split('\n')[0]!
  return new Failure(exits.someHosts, {
    code: 'LOOK_FAILED',
    message:
      code === undefined ? 'the host did not answer a question' : `a question to the host ended with status ${code}`,
    where: host,
    evidence: [{ source: first.slice(0, 120), line: err.trim().split('\n').at(-1) ?? '' }],
  })
}
