import type { Hands } from '../model/ports.ts'
import { type Sh, sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { settleReverts } from './revert.ts'

/** How long a script that an earlier run has left may take to its next stop. */
const longestMs = 15 * 60_000
const roundSeconds = 10

/** Asks what runs on the host to stop after the action under way, waits a while, and says `free` once nothing runs. */
const round: Sh = sh`lock=/run/k8snet/job.lock
[ -e "$lock" ] || { echo free; exit 0; }
: >/run/k8snet/stop
flock -w ${roundSeconds} "$lock" rm -f /run/k8snet/stop && echo free
exit 0`

/**
 * Lets what an earlier run has left on the host come to its end. Waits until nothing runs on the host that an earlier run has left there, having asked it to stop after the action under way;
 * then what stands unconfirmed is confirmed, since whoever asks this has come in anew.
 * `onLine` hears, every few seconds, that it is still waited for. Throws a Failure: TIMEOUT after 15 minutes, CONNECTION_LOST,
 * INTERRUPTED.
 */
export async function settle(hands: Hands, signal: AbortSignal, onLine?: (line: string) => void): Promise<void> {
  const began = performance.now()
  while ((await hands.change(round, { signal })).out !== 'free\n') {
    const waited = performance.now() - began
    if (waited > longestMs) throw stillBusy(hands.host.name)
    onLine?.(`${hands.host.name}: waiting for what an earlier run has left running (${Math.round(waited / 1000)} s)`)
  }
  await hands.change(settleReverts, { timeoutMs: 5 * 60_000, signal })
}

function stillBusy(host: string): Failure {
  return new Failure(exits.someHosts, {
    code: 'TIMEOUT',
    message: `what an earlier run has left running there did not come to a stop in ${longestMs / 60_000} minutes`,
    where: host,
    fix: "look what it does: systemctl status 'k8snet-*'; cat /run/k8snet/jobs/*/log",
  })
}
