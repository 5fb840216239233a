import { appendFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

const linesKept = 60
const short = (text: string): string[] => {
  const lines = stripVTControlCharacters(text).split('\n')
  return lines.length > linesKept ? [...lines.slice(0, linesKept), `... ${lines.length - linesKept} lines more`] : lines
}

/**
 * Keeps whatever failed, with its message and diff, in the file that $FAILURES names, so that `npm test` can say it
 * once more at its end: the log of CI is long, and is read from its end.
 */
export default class Failures implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], broken: readonly SerializedError[]): void {
    const file = process.env.FAILURES
    if (!file) return
    const tell = (name: string, errors: readonly { message?: string; diff?: string; stack?: string }[]) => {
      const said = errors.flatMap((it) => [it.message ?? '', it.diff ?? '', it.stack?.split('\n    at ')[1] ?? ''])
      appendFileSync(
        file,
        `\nFAILED ${name}\n${short(said.join('\n'))
          .map((line) => `    ${line}\n`)
          .join('')}`,
      )
    }
    if (broken.length > 0) tell('outside of every test', broken)
    for (const module of modules) {
      const path = relative(process.cwd(), module.moduleId)
      if (module.errors().length > 0) tell(path, module.errors())
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0) tell(`${path} > ${suite.fullName}`, suite.errors())
      for (const test of module.children.allTests('failed'))
        tell(`${path} > ${test.fullName}`, test.result().errors ?? [])
    }
  }
}
