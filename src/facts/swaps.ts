import type { SwapAction } from '../model/action.ts'
import type { Fact } from '../model/fact.ts'

/** The active swap areas. A path's blanks are written \040 in /proc/swaps, as the kernel does everywhere. */
export const swaps: Fact<SwapAction['was']> = {
  ask: '[ ! -e /proc/swaps ] || cat /proc/swaps',
  parse: (out) =>
    out
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s+/))
      .filter((words) => words.length >= 5)
      .map((words) => ({
        path: words[0]!.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
        priority: Number(words[4]),
      })),
}
