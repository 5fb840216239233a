import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { expect } from 'vitest'
import type { Hands } from '../../src/model/ports.ts'

export interface StoppedClock {
  /** Sets the clock on by 1000 s, up to eight times. */
  setOn(): void
  /** The host has the machine's clock again. */
  goOn(): Promise<void>
}

/**
 * Stops the clock that scripts on a host go by (/proc/uptime), so that no pause of a busy machine counts. The host needs a mount
 * namespace of its own; `file` is where its clock stands meanwhile.
 */
export async function stopClock(hands: Hands, file: string): Promise<StoppedClock> {
  let thousands = 1
  writeFileSync(file, `${thousands}000.00 0.00\n`)
  expect((await hands.change(`mount --bind '${file}' /proc/uptime`)).code).toBe(0)
  return {
    setOn() {
      thousands += 1
      if (thousands > 9) throw new Error('the clock goes no further')
      // one byte is another one, so whoever reads meanwhile reads the one time or the other
      const at = openSync(file, 'r+')
      writeSync(at, String(thousands))
      closeSync(at)
    },
    goOn: async () => {
      expect((await hands.change('umount /proc/uptime')).code).toBe(0)
    },
  }
}
