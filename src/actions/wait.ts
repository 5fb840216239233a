import type { WaitAction } from '../model/action.ts'
import type { KindOf } from './kind.ts'

/** Something the host has to come to by itself, asked again until it holds or the time is up. */
export const wait: KindOf<WaitAction> = {
  show: ({ summary, timeoutSeconds }) => ({ summary: `wait for ${summary} (at most ${timeoutSeconds} s)` }),
  compile: ({ ask, timeoutSeconds, evidence }) =>
    [
      `end=$(($(date +%s) + ${timeoutSeconds}))`,
      `until ( ${ask}\n) >/dev/null 2>&1; do`,
      `  if [ "$(date +%s)" -ge "$end" ]; then echo 'still not so after ${timeoutSeconds} s'; ${evidence ?? ':'}; exit 1; fi`,
      `  sleep 0.3`,
      `done`,
    ].join('\n'),
  undo: () => [],
}
