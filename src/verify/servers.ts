import type { Eyes, Hands } from '../model/ports.ts'
import { sh } from '../model/shell.ts'
import type { ClusterState } from './cluster.ts'
import { type Programs, serverScript } from './host-script.ts'
import { containersOfA, hostPorts, podA, podB, probePort } from './manifests.ts'
import { type Fault, troubleOf } from './trouble.ts'

/** The servers of a node's probe pods, and where its clients go in. */
export interface NodeServers {
  /** Container -> a process of it: `a-w1/two` -> 4711 */
  readonly pids: ReadonlyMap<string, number>
  /** Container -> its network namespace: net:[4026532500] */
  readonly networks: ReadonlyMap<string, string>
  /** The servers that listen, by the names of their pods; `h-NODE` in the network of the node itself. */
  readonly ready: ReadonlySet<string>
  /** In the full level: the lines of resolv.conf of pod a. */
  readonly resolv: readonly string[]
  /** Why no check of this node can be made; one cause for all of them. */
  readonly trouble?: Fault
}

const startMs = 30_000
/** Longer than any run takes, on a busy machine too; the servers end sooner, when the channel does. */
const lifeSeconds = 600

/** A node as it was before its probe pods came, or why it could not be asked. */
export type NodeBefore = { readonly forwards: boolean } | { readonly trouble: Fault }

const forwarding = '/proc/sys/net/ipv4/ip_forward'

/** Does the node forward packets? To be asked before there are probe pods: the CNI bridge plugin switches it on for each pod. */
export async function lookBefore(eyes: Eyes, signal?: AbortSignal): Promise<NodeBefore> {
  try {
    const reply = await eyes.look(sh`cat ${forwarding}`, { timeoutMs: 10_000, ...(signal && { signal }) })
    return { forwards: reply.out.trim() !== '0' }
  } catch (cause) {
    return { trouble: troubleOf(cause) }
  }
}

/**
 * Starts the servers of one node, which forwards packets again only if it did `before`: what the pods' coming changed on the
 * host is changed back, and what is proven is the network as it was found. Resolves
 * when both servers listen or something is wrong. They run until `stop` is aborted. The full level has more of them, and it is
 * no trouble of the node when one of these does not listen.
 */
export async function startServers(
  hands: Hands,
  before: { readonly forwards: boolean },
  state: ClusterState,
  namespace: string,
  programs: Programs,
  stop: AbortSignal,
  full = false,
): Promise<NodeServers> {
  const node = hands.host.name
  const pids = new Map<string, number>()
  const networks = new Map<string, string>()
  const resolv: string[] = []
  const ready = new Set<string>()
  const found = { pids, networks, ready, resolv }
  const wanted = [podA(node), podB(node)]
  const own = state.pods.filter((pod) => pod.namespace === namespace && pod.node === node)
  const late = wanted.find((name) => !own.some((pod) => pod.name === name && pod.ready && pod.ip))
  if (late !== undefined) return { ...found, trouble: notStarted(state, node, late) }
  const pods = own.filter((pod) => pod.ready && pod.ip && (full || wanted.includes(pod.name)))
  const host = { name: `h-${node}`, port: hostPorts(namespace).server, ip: hands.host.nodeIP }
  const asked = [...pods.map(({ name }) => name), ...(full ? [host.name] : [])]

  const errors: string[] = []
  const settled = () => asked.every((name) => ready.has(name) || errors.some((line) => line.includes(` ${name} `)))
  const trouble = await new Promise<Fault | undefined>((resolve, reject) => {
    const timer = setTimeout(
      () => resolve({ code: 'PROBE_FAILED', evidence: `no probe server listens after ${startMs / 1000} s` }),
      startMs,
    )
    const script = serverScript(
      programs,
      pods.map(({ name, containers }) => ({ name, containers: inOrder(containers) })),
      probePort,
      lifeSeconds,
      full ? host : undefined,
    )
    const read = (line: string) => {
      const [word, name = '', pid, network = ''] = line.split(' ')
      if (word === 'error') errors.push(line.slice('error '.length))
      if (word === 'ready') ready.add(name)
      if (word === 'resolv' && name === podA(node)) resolv.push(line.slice(`resolv ${name} `.length))
      if (word === 'pid') {
        pids.set(name, Number(pid))
        networks.set(name, network)
      }
      if (settled()) resolve(wanted.every((pod) => ready.has(pod)) ? undefined : notListening(errors))
    }
    hands
      .change(before.forwards ? script : `${sh`echo 0 >${forwarding}`}\n${script}`, {
        timeoutMs: (lifeSeconds + 5) * 1000,
        signal: stop,
        onLine: read,
      })
      .then((reply) => {
        const said = errors[0] ?? reply.err.trim().split('\n').at(-1) ?? ''
        resolve({ code: 'PROBE_FAILED', evidence: said || `the probe servers ended with status ${reply.code}` })
      })
      .catch((cause: unknown) => resolve(troubleOf(cause)))
      .catch(reject)
      .finally(() => clearTimeout(timer))
  })
  return trouble ? { ...found, trouble } : found
}

function notListening(errors: readonly string[]): Fault {
  return { code: 'PROBE_FAILED', evidence: errors[0] ?? 'a probe server does not listen' }
}

/** The containers of pod a in the order of containersOfA: the server lives in the first. */
function inOrder(containers: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const rank = (name: string) => (containersOfA as readonly string[]).indexOf(name)
  return new Map([...containers].sort(([a], [b]) => rank(a) - rank(b)))
}

function notStarted(state: ClusterState, node: string, name: string): Fault {
  const machine = state.nodes.find((it) => it.name === node)
  if (!machine) return { code: 'PROBE_FAILED', evidence: `the cluster has no node ${node}` }
  if (!machine.ready)
    return { code: 'PROBE_FAILED', evidence: `no probe pods, node ${node} is not Ready: ${machine.reason}` }
  const said = state.events.filter((event) => event.object === name).at(-1)?.message
  const phase = state.pods.find((pod) => pod.name === name)?.phase ?? 'absent'
  return { code: 'PROBE_FAILED', evidence: `probe pod ${name} is ${phase}: ${said ?? 'not ready, without an event'}` }
}
