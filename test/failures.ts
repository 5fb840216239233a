import { appendFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Reporter, TestModule } from 'vitest/node'

type Errors = readonly { readonly message?: string; readonly diff?: string; readonly stack?: string }[]

const linesKept = 60
const short = (text: string): string[] => {
  const lines = stripVTControlCharacters(text).split('\n')
  return lines.length > linesKept ? [...lines.slice(0, linesKept), `... ${lines.length - linesKept} lines more`] : lines
}

/**
 * Keeps whatever failed, be it only at the first try, with its message and diff, in the file that $FAILURES names, so that
 * `npm test` can say it once more at its end: the log of CI is long, and is read from its end.
 */
export default class Failures implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], broken: Errors): void {
    const file = process.env.FAILURES
    if (!file) return
    const tell = (what: string, errors: Errors) => {
      const said = errors.flatMap((it) => [it.message ?? '', it.diff ?? '', it.stack?.split('\n    at ')[1] ?? ''])
      const lines = [what, ...short(said.join('\n')).map((line) => `    ${line}`)]
      appendFileSync(file, `\n${lines.join('\n')}\n`)
    }
    if (broken.length > 0) tell('FAILED outside of every test', broken)
    for (const module of modules) {
      const path = relative(process.cwd(), module.moduleId)
      if (module.errors().length > 0) tell(`FAILED ${path}`, module.errors())
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0) tell(`FAILED ${path} > ${suite.fullName}`, suite.errors())
      for (const test of module.children.allTests()) {
        const errors = test.result().errors ?? []
        const name = `${path} > ${test.fullName}`
        if (test.result().state === 'failed') tell(`FAILED ${name}`, errors)
        else if (test.diagnostic()?.flaky) tell(`PASSED ONLY AT THE SECOND TRY ${name}`, errors)
      }
    }
  }
}
