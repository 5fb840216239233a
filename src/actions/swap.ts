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
  undo: ({ was }) => [{ kind: 'swap', want: 'on', was }],
}

function commands({ want, was }: SwapAction): string[] {
  return was.map(({ path, priority }) =>
    want === 'on' ? (priority < 0 ? sh`swapon ${path}` : sh`swapon -p ${priority} ${path}`) : sh`swapoff ${path}`,
  )
}
