import type { ExecAction } from '../model/action.ts'
import { quote, sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** A command; skipped when its `unless` says that the work is already done. */
export const exec: KindOf<ExecAction> = {
  show: ({ summary, command }) => ({ summary, command }),
  compile: ({ command, unless, timeoutSeconds }) => {
    const run = sh`timeout ${timeoutSeconds} sh -ec ` + quote(command)
    return unless ? `if ( ${unless}\n) >/dev/null 2>&1; then :; else ${run}; fi` : run
  },
  undo: ({ undo }) => (undo === 'nothing' ? [] : undo),
}
