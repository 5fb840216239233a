import type { Host } from '../model/inventory.ts'
import { kubectl, kubectlAsAdmin } from '../model/kubectl.ts'
import type { Hands } from '../model/ports.ts'
import { type Sh, sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { Past } from './journal.ts'

/** A host that leaves a cluster which goes on without it: its node, as the control plane knows it. */
export interface Leaving {
  readonly node: string
  /** Its pods are moved to other nodes first. */
  readonly drain: boolean
  /** Somebody keeps it from getting pods already. */
  readonly cordoned: boolean
}

/** So long a pod may take to go: twice what it has by default. */
const drainSeconds = 60

export const drainCommand = (node: string): Sh =>
  sh`kubectl drain ${node} --ignore-daemonsets --delete-emptydir-data --force --timeout=${drainSeconds}s`
export const removeCommand = (node: string): Sh => sh`kubectl delete node ${node} --ignore-not-found`

/**
 * Which hosts are nodes of the leader's cluster, by their machine-id, so that no other node of the same name is meant. Undefined
 * where the control plane does not answer. A node that is not Ready cannot give its pods away in order.
 */
export async function leavingHosts(
  leader: Hands,
  pasts: ReadonlyMap<Host, Past>,
): Promise<ReadonlyMap<Host, Leaving> | undefined> {
  const path = `{range .items[*]}{.metadata.name} {.status.nodeInfo.machineID} {.status.conditions[?(@.type=="Ready")].status} {.spec.unschedulable}{"\\n"}{end}`
  const reply = await leader.look(kubectl(sh`get nodes -o ${`jsonpath=${path}`}`))
  if (reply.code !== 0) return undefined
  const nodes = reply.out.split('\n').map((line) => line.split(' '))
  return new Map(
    [...pasts].flatMap(([host, { machineId, member }]): [Host, Leaving][] => {
      const [node, , ready, cordoned] = nodes.find(([, id]) => id === machineId && id !== '') ?? []
      return node ? [[host, { node, drain: ready === 'True' && member, cordoned: cordoned === 'true' }]] : []
    }),
  )
}

/** Moves a node's pods away. Throws DRAIN_FAILED with what holds it, and lets the node take pods again. */
export async function drain(
  leader: Hands,
  host: Host,
  { node, cordoned }: Leaving,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const options = { timeoutMs: 1000 * (drainSeconds + 60), signal, onLine }
  const reply = await leader.change(`${viaConfig(drainCommand(node))} 2>&1`, options)
  if (reply.code === 0) return
  if (!cordoned) await leader.change(`${viaConfig(sh`kubectl uncordon ${node}`)} 2>&1`)
  const said = [...new Set(reply.out.trim().split('\n'))]
  const held = said.filter((line) => line.includes('will retry'))
  const lines = held.length > 0 ? held : said.filter((line) => /error|timed out/i.test(line))
  throw new Failure(exits.someHosts, {
    code: 'DRAIN_FAILED',
    message: `the pods of node ${node} did not all go within ${drainSeconds} s; it stays in the cluster${cordoned ? '' : ', and takes pods again'}`,
    where: host.name,
    evidence: lines.slice(-6).map((line) => ({ source: `kubectl drain ${node}`, line: line.slice(0, 500) })),
    fix: 'make room for what holds it (kubectl get pdb -A; pods with a long grace period), or add --no-drain: its pods then end with it',
  })
}

/** Takes the node out of the cluster. */
export async function removeNode(leader: Hands, host: Host, { node }: Leaving): Promise<void> {
  const reply = await leader.change(`${viaConfig(removeCommand(node))} 2>&1`)
  if (reply.code === 0) return
  throw new Failure(exits.someHosts, {
    code: 'ACTION_FAILED',
    message: `the host is taken back, yet its node ${node} is still in the cluster`,
    where: host.name,
    evidence: [{ source: removeCommand(node), line: reply.out.trim().split('\n').at(-1) ?? '' }],
    fix: 'run down again, or remove the node by hand',
  })
}

const viaConfig = (command: Sh): Sh => command.replace(/^kubectl/, kubectlAsAdmin)
