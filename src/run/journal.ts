import type { JournalEntry } from '../model/action.ts'
import type { Eyes } from '../model/ports.ts'
import type { Sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { unconfirmed } from './revert.ts'
import { readJournal } from './script.ts'

/** What k8snet finds of itself on a host. */
export interface Past {
  /** What was done and is not yet undone, oldest first. */
  readonly entries: readonly JournalEntry[]
  /** There is anything of k8snet's, be it an empty directory. */
  readonly traces: boolean
  /** A script of a run that was cut off is still going on, or a change stands unconfirmed. */
  readonly busy: boolean
  /** By which a node of the cluster is known to be this host. */
  readonly machineId: string
  /** A kubelet is set up here. */
  readonly member: boolean
}

const look: Sh = `cat /var/lib/k8snet/journal 2>/dev/null || [ ! -e /var/lib/k8snet/journal ] || exit 1
echo
for it in /var/lib/k8snet /run/k8snet; do [ ! -e "$it" ] || echo @traces; done
[ ! -e /etc/kubernetes/kubelet.conf ] || echo @member
[ -z "$(${unconfirmed.ask})" ] || echo @busy
[ ! -e /run/k8snet/job.lock ] || flock -n /run/k8snet/job.lock true || echo @busy
[ ! -e /etc/machine-id ] || echo "@machine $(cat /etc/machine-id)"`

/** Asks a host in one exec. */
export async function pastOf(eyes: Eyes): Promise<Past> {
  const { code, out, err } = await eyes.look(look)
  if (code !== 0) {
    throw new Failure(exits.someHosts, {
      code: 'LOOK_FAILED',
      message: 'the journal could not be read',
      where: eyes.host.name,
      evidence: [{ source: '/var/lib/k8snet/journal', line: err.trim().split('\n').at(-1) ?? '' }],
    })
  }
  const said = new Set(out.split('\n').filter((line) => line.startsWith('@')))
  return {
    entries: readJournal(out),
    traces: said.has('@traces'),
    busy: said.has('@busy'),
    member: said.has('@member'),
    machineId: [...said].find((line) => line.startsWith('@machine '))?.slice('@machine '.length) ?? '',
  }
}
