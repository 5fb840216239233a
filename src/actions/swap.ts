import type { SwapAction } from '../model/action.ts'
import { sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** The swap areas that are active now; what happens at boot is the business of lines and services. */
export const swap: KindOf<SwapAction> = {
  show: (action) => ({
    summary: `switch swap ${action.want ?? 'off'}: ${action.was.map(({ path }) => path).join(', ')}`,
    command: commands(action).join('; '),
  }),
  compile: (action) => commands(action).join('\n'),
  undo: ({ was }) => [{ kind: 'swap', want: 'on', was: was.toSorted((a, b) => b.priority - a.priority) }],

  thing: () => '',
  merge: (first, { was, ...later }) => ({
    ...later,
    was: [...first.was, ...was.filter(({ path }) => !first.was.some((area) => area.path === path))],
  }),
}

function commands({ want, was }: SwapAction): string[] {
  return was.map(({ path, priority }) => {
    if (want !== 'on') return sh`swapoff ${path}`
    const on = priority < 0 ? sh`swapon ${path}` : sh`swapon -p ${priority} ${path}`
    return sh`swapping ${asInProc(path)} || ` + on
  })
}

/** Blanks and backslashes as the kernel writes them in /proc/swaps. */
function asInProc(path: string): string {
  return path.replace(/[\s\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
