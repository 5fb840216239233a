import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/** Which of these commands the host lacks; `systemd` stands for a host that was booted by it. */
export function missing(commands: readonly string[]): Fact<readonly string[]> {
  return {
    ask: sh`PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
for c in ${commands}; do command -v "$c" >/dev/null || echo "$c"; done
[ -d /run/systemd/system ] || echo systemd`,
    parse: (out) => out.split('\n').filter((line) => line !== ''),
  }
}
