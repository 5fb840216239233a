import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'

/** Where a script on this machine waits until the test lets it go on, however slow the machine is. */
export interface Gate {
  /** What the script says where it is to wait. */
  readonly wait: string
  /** Waits until a script waits here. */
  here(): Promise<void>
  open(): void
}

const closed = new Set<string>()

export function gate(): Gate {
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-gate-'))
  closed.add(dir)
  return {
    wait: `touch ${dir}/here 2>/dev/null; while [ -d ${dir} ] && [ ! -e ${dir}/open ]; do sleep 0.05; done`,
    here: () =>
      vi.waitFor(
        () => {
          if (!existsSync(join(dir, 'here'))) throw new Error('no script has come to the gate')
        },
        { timeout: 60_000, interval: 20 },
      ),
    open: () => writeFileSync(join(dir, 'open'), ''),
  }
}

/** After each test: whatever still waits at a gate goes on, and nothing is left of them. */
export function openGates(): void {
  for (const dir of closed) rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  closed.clear()
}
