import type { Reporter, TestModule } from 'vitest/node'

/** Prints the table of the faults at the end: what was injected, what k8snet was to do, what it did. */
export default class FaultTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = modules.flatMap((module) =>
      [...module.children.allTests()].flatMap((test) => {
        const { fault } = test.meta()
        return fault ? [[test.fullName.replace(' > ', ' '), fault.expected, fault.seen]] : []
      }),
    )
    if (rows.length === 0) return
    const all = [
      ['FAULT', 'EXPECTED', 'SEEN'],
      ...rows.map(([name, expected, seen]) => [name!, expected!, seen === expected ? 'as expected' : seen!]),
    ]
    const widths = [0, 1].map((i) => Math.max(...all.map((cells) => cells[i]!.length)))
    const lines = all.map(
      ([name, expected, seen]) => `${name!.padEnd(widths[0]!)}  ${expected!.padEnd(widths[1]!)}  ${seen}`,
    )
    console.log(`\n${lines.join('\n')}`)
  }
}
