import { show } from '../actions/index.ts'
import { changedStatus } from '../actions/kind.ts'
import type { Emit } from '../model/event.ts'
import type { Host } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { RunReport } from '../model/report.ts'
import type { Sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { drain, drainCommand, type Leaving, removeCommand, removeNode } from './drain.ts'
import type { Past } from './journal.ts'
import { type Left, leftTrouble } from './left.ts'
import { type Return, returns } from './returns.ts'
import { type OnChanged, readOutcome, stopScript, undoScript } from './script.ts'
import { hostResults, tally } from './tally.ts'

export interface DownInput {
  readonly pasts: ReadonlyMap<Host, Past>
  /** The hosts that leave a cluster which goes on; the leader is then the one that lets them go. */
  readonly leaving: ReadonlyMap<Host, Leaving>
  readonly leader?: Hands
  readonly hands: ReadonlyMap<Host, Hands>
  readonly onChanged: OnChanged
  readonly prelude: Sh
  readonly emit: Emit
  readonly signal: AbortSignal
  readonly clock: () => number
}

/** What `down` would do on a host, as a plan shows it: the node drained, what was done taken back, the node removed. */
export function downPlan({ entries }: Past, leaving?: Leaving) {
  const node = (summary: string, command: Sh) => ({ step: 'node', summary, command })
  return [
    ...(leaving?.drain ? [node(`move the pods of node ${leaving.node} away`, drainCommand(leaving.node))] : []),
    ...returns(entries).flatMap(({ step, actions, unfinished }) =>
      actions.map((action) => {
        const shown = show(action)
        return { step, ...shown, summary: `${shown.summary}${unfinished ? ' (begun, not known to have ended)' : ''}` }
      }),
    ),
    ...(leaving ? [node(`remove node ${leaving.node} from the cluster`, removeCommand(leaving.node))] : []),
  ]
}

/** Undoes on every host what its journal says. What cannot be undone is named and does not stop the rest. */
export async function runDown(input: DownInput): Promise<RunReport> {
  const { pasts, emit, clock } = input
  const began = clock()
  const counts = tally(clock)
  const hosts = [...pasts.keys()]
  const stage = { name: 'undo', title: 'Undo what up did', hosts: 'all' as const, after: [], steps: [] }
  emit({ type: 'stage', stage: stage.name, title: stage.title, hosts: hosts.map(({ name }) => name) })
  await Promise.all(hosts.map((host) => counts.task(stage, host, [], emit, (done) => hostDown(host, input, done))))
  const results = hostResults(hosts, counts)
  return {
    ok: results.every(({ outcome }) => outcome !== 'failed'),
    hosts: results,
    stages: counts.stages(),
    ms: clock() - began,
  }
}

async function hostDown(host: Host, input: DownInput, done: { actions: number }): Promise<number> {
  const { pasts, leaving, leader, emit, signal } = input
  const past = pasts.get(host)!
  const node = leader && leaving.get(host)
  const planned = downPlan(past, node).length
  if (planned > 0) emit({ type: 'begin', stage: 'undo', host: host.name, actions: planned })
  const tell = (summary: string) => emit({ type: 'action', stage: 'undo', host: host.name, step: 'node', summary })
  if (node?.drain) {
    tell(`move the pods of node ${node.node} away`)
    await drain(leader!, host, node, (line) => void (/^evicting|evicted$/.test(line) && tell(line)), signal)
    done.actions += 1
  }
  const left = past.entries.length > 0 || past.traces ? await undoHost(host, past, input, done) : []
  const isOut = left.every(({ what }) => what.step !== 'kubeadm-join')
  if (node && isOut) {
    tell(`remove node ${node.node} from the cluster`)
    await removeNode(leader!, host, node)
    done.actions += 1
  }
  if (left.length > 0) throw new Failure(exits.someHosts, leftTrouble(host, left))
  return done.actions
}

/** Runs the undo on the host, and gives back what it left. */
async function undoHost(host: Host, past: Past, input: DownInput, done: { actions: number }): Promise<Left[]> {
  const { hands, prelude, emit, signal, onChanged, clock } = input
  const all = returns(past.entries)
  const byId = new Map(all.map((it) => [it.id, it]))
  const left: Left[] = []
  const hand = hands.get(host)!
  const at = { stage: 'undo', host: host.name }
  let [ended, began] = [0, clock()]
  const stop = () => void hand.change(stopScript).catch(() => undefined)
  const onLine = (line: string) => {
    const begun = line.startsWith('@begin ') ? byId.get(line.slice('@begin '.length)) : undefined
    if (begun) {
      began = clock()
      emit({ type: 'action', ...at, step: begun.step, summary: summaryOf(begun) })
      // A script that had not begun when the user interrupted has not seen the sign.
      if (signal.aborted) stop()
    }
    const outcome = readOutcome(line)
    const what = outcome && byId.get(outcome.id)
    if (!what) return
    ended += 1
    const kept = onChanged === 'keep' && outcome.status === changedStatus
    if (kept) emit({ type: 'note', text: `${host.name}: kept as somebody else changed it: ${summaryOf(what)}` })
    else if (outcome.status !== 0) left.push({ what, outcome })
    if (outcome.status === 0 || kept) done.actions += 1
    const end = outcome.status === 0 || kept ? ('done' as const) : ('failed' as const)
    emit({ type: 'done', ...at, step: what.step, summary: summaryOf(what), ms: clock() - began, outcome: end })
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    const script = undoScript(prelude, past.entries, onChanged)
    const reply = await hand.run(script, { timeoutMs: 30 * 60_000, signal, onLine })
    if (ended < all.length && reply.code === 0) throw stopped(host, all.slice(ended))
    if (ended < all.length || reply.code !== 0) throw broken(host, `${reply.out}\n${reply.err}`)
    if (left.length === 0) await hand.change(sweepScript)
    return left
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** What jobs of killed runs left in /run, on a host that has nothing else of ours. */
const sweepScript: Sh = `[ -e /var/lib/k8snet ] || [ ! -e /run/k8snet ] ||
(flock -w 5 9 && rm -rf /run/k8snet) 9>>/run/k8snet/job.lock`

const summaryOf = ({ actions, step }: Return): string => (actions[0] ? show(actions[0]).summary : step)

function stopped(host: Host, rest: readonly Return[]): Failure {
  return new Failure(exits.interrupted, {
    code: 'INTERRUPTED',
    message: `stopped: ${rest.length} not yet taken back, the next one: ${summaryOf(rest[0]!)}`,
    where: host.name,
    fix: 'run down again: it goes on with what the journal still has',
  })
}

function broken(host: Host, said: string): Failure {
  const lines = said.split('\n').filter((line) => line.trim() !== '' && !/^@(begin|done|failed) /.test(line))
  return new Failure(exits.someHosts, {
    code: 'ACTION_FAILED',
    message: 'the undo script ended early',
    where: host.name,
    evidence: lines.slice(-5).map((line) => ({ source: 'its last words', line: line.slice(0, 300) })),
    fix: 'run down again: it goes on with what the journal still has',
  })
}
