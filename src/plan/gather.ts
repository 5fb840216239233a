import { randomBytes } from 'node:crypto'
import type { Fact, Facts, Questions, Reply } from '../model/fact.ts'
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
  return answersOf(readAll(eyes.host.name, facts, nonce, reply))
}

/** Made apart from the reply: what can still be asked here must not keep the whole text of it. */
function answersOf(answers: ReadonlyMap<string, unknown>): Answers {
  return {
    get<T>(fact: Fact<T>): T {
      if (!answers.has(fact.ask)) throw new Error(`a step asks what was not gathered: ${fact.ask.slice(0, 80)}`)
      return answers.get(fact.ask) as T
    },
  }
}

/** What every question's answer says, by the question's text. */
function readAll(host: string, facts: readonly Fact<unknown>[], nonce: string, reply: Reply): Map<string, unknown> {
  const outs = split(reply.out, nonce)
  const errs = split(reply.err, nonce)
  return new Map(
    facts.map((fact, i) => {
      const answer = outs.get(i)
      if (answer?.code !== 0) throw lookFailed(host, fact, answer?.code, errs.get(i)?.text ?? reply.err)
      const { ask, value } = read(fact, answer.text)
      return [ask, value]
    }),
  )
}

interface Read {
  readonly ask: string
  readonly out: string
  readonly value: unknown
}

/** What was last asked and answered, by who reads it: hosts that are alike answer alike, and share question and answer. */
const last = new WeakMap<Fact<unknown>['parse'], Read>()

function read({ ask, parse }: Fact<unknown>, out: string): Read {
  const before = last.get(parse)
  const same = before?.ask === ask ? before : undefined
  if (same?.out === out) return same
  // a copy: a part of a string keeps the whole of it, which are the answers to all questions
  const own = Buffer.from(out).toString()
  const now = { ask: same?.ask ?? ask, out: own, value: parse(own) }
  last.set(parse, now)
  return now
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
  const mark = `\n@${nonce} `
  const answers = new Map<number, { text: string; code: number }>()
  let from = 0
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, from)) {
    const end = text.indexOf('\n', at + mark.length)
    if (end < 0) break
    const [i, code] = text.slice(at + mark.length, end).split(' ')
    answers.set(Number(i), { text: text.slice(from, at), code: Number(code) })
    from = end + 1
  }
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
