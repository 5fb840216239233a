// Adds up the results of the layers; a layer that left no result counts as failed. The last line is what CI reads.
import { existsSync, readFileSync } from 'node:fs'

const [dir, ...expected] = process.argv.slice(2)
let passed = 0
let failed = 0
for (const layer of expected) {
  const file = `${dir}/${layer}.json`
  if (!existsSync(file)) {
    console.log(`${layer}: left no result`)
    failed += 1
    continue
  }
  const result = JSON.parse(readFileSync(file, 'utf8'))
  const notRun = result.numPendingTests + result.numTodoTests
  const brokenFiles = result.testResults.filter(
    (it) => it.status === 'failed' && it.assertionResults.every((test) => test.status !== 'failed'),
  ).length
  if (result.numTotalTests === 0 || notRun > 0)
    console.log(`${layer}: ${result.numTotalTests} tests, ${notRun} of them did not run`)
  passed += result.numPassedTests
  failed += result.numFailedTests + notRun + brokenFiles + (result.numTotalTests === 0 ? 1 : 0)
}
process.exitCode = failed > 0 ? 1 : 0
console.log(`${passed} passed, ${failed} failed`)
