import { expect, it } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    fault?: { name: string; expected: string; seen: string }
  }
}

/**
 * A named fault: what k8snet is to do about it, and what it was seen to do, as texts of one form that are compared. The reporter
 * of the layer prints both for every fault.
 */
export function fault(name: string, expected: string, inject: () => Promise<string>): void {
  it(name, async ({ task }) => {
    const row = { name, expected, seen: 'nothing' }
    task.meta.fault = row
    row.seen = await inject()
    expect(row.seen).toBe(expected)
  })
}
