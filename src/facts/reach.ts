import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/**
 * Which of these addresses a host that is no member yet cannot reach. All are pinged side by side; one that does not answer is
 * tried by TCP where bash is there, since a firewall may drop pings. A refused connection is an answer.
 */
export function unreached(ips: readonly string[]): Fact<readonly string[]> {
  return {
    ask: sh`[ ! -e /etc/kubernetes/kubelet.conf ] && command -v ping >/dev/null || exit 0
reach() {
  ping -n -q -c 1 -W 1 "$1" >/dev/null 2>&1 && return
  ping -n -q -c 2 -W 1 "$1" >/dev/null 2>&1 && return
  command -v bash >/dev/null || return
  said=$(LC_ALL=C timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/22"' "$1" 2>&1) && return
  case $said in *refused*) return ;; esac
  echo "$1"
}
for ip in ${ips}; do reach "$ip" & done
wait`,
    parse: (out) => out.split('\n').filter((line) => line !== ''),
  }
}
