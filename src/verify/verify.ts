import { randomBytes } from 'node:crypto'
import type { Host, Inventory } from '../model/inventory.ts'
import type { Eyes, Hands } from '../model/ports.ts'
import { probeNamespace } from '../model/probes.ts'
import type { Check, VerifyReport } from '../model/report.ts'
import { exits, Failure } from '../model/trouble.ts'
import { counted } from '../model/words.ts'
import { addressChecks } from './addresses.ts'
import { type Case, checkId, type Scene } from './case.ts'
import { type Asking, patient, runEverywhere, tries } from './clients.ts'
import { endpointGone } from './endpoint-gone.ts'
import { nodeWith } from './ends-of-scene.ts'
import { fullScene } from './full-scene.ts'
import { familyCheck, forwardCheck, namespaceChecks, troubleCheck } from './host-checks.ts'
import type { Programs } from './host-script.ts'
import { ingressChecks } from './ingress.ts'
import { failed, judge, withoutFollowers } from './judge.ts'
import { kubeletChecks } from './kubelet.ts'
import { podB, serviceName } from './manifests.ts'
import { nodePortChecks, type OutsideProbe, reachable } from './outside.ts'
import { choosePairs, type Pairs } from './pairs.ts'
import { planCases } from './plan.ts'
import type { ProbeResult } from './probe.ts'
import { isNoCluster, makePods, removeProbes } from './probe-pods.ts'
import { wants } from './select.ts'
import { lookBefore, type NodeServers, startServers } from './servers.ts'
import { type Fault, troubleOf } from './trouble.ts'

export interface VerifyOptions {
  readonly programs: Programs
  /** `full` is all of `quick`, which is what is done where nothing is said, and much more. */
  readonly level?: 'quick' | 'full'
  /** In the full level: an address outside of the cluster, or a name, with or without :PORT (443), that pods have to reach. */
  readonly egress?: string
  /** With more nodes than this (50), only some pairs are tried, see {@link choosePairs}; the suspicious ones always are. */
  readonly allPairsUpTo?: number
  readonly suspicious?: readonly (readonly [string, string])[]
  /** The pause image that every node has, by its full reference; asked of the leader where nothing is said. */
  readonly pause?: string
  /** Scenarios and nodes to keep to: see {@link wants}. */
  readonly only?: ReadonlySet<string>
  readonly signal?: AbortSignal
  /** Gets a line whenever something begins. */
  readonly emit?: (line: string) => void
  /** How the controller tries a NodePort; without it the nodes try each other's. */
  readonly outside?: OutsideProbe
  /** Runs while the probe pods are there and their servers listen, beside the probes: the dump, which is to see them. */
  readonly alongside?: () => Promise<unknown>
}

/** The cluster as SSH reaches it. A host of the inventory that is not in `nodes` could not be reached. */
export interface Reached {
  readonly leader: Hands
  readonly nodes: ReadonlyMap<Host, Hands>
}

/** Not a pod but the control plane itself got no answer. */
const apiDown =
  'See on that host why the API server does not answer: crictl ps -a --name kube-apiserver, and journalctl -u kubelet.'

/** Rules that were only being written when a path was tried get this long before it is tried again. */
const retryMs = 300

/**
 * Proves the network of a cluster: every scenario, on every node and ordered pair of nodes. It makes probe pods and always
 * removes them. A broken network is a report that is not ok, never an error; throws a Failure only where there is no cluster
 * (NO_CLUSTER), or when `signal` is aborted (INTERRUPTED).
 */
export async function verify(cluster: Reached, inventory: Inventory, options: VerifyOptions): Promise<VerifyReport> {
  const began = performance.now()
  const namespace = `${probeNamespace}${randomBytes(4).toString('hex')}`
  const stops: AbortController[] = []
  const onStop = () => {
    const stop = new AbortController()
    stops.push(stop)
    return stop.signal
  }
  const level = options.level ?? 'quick'
  const names = inventory.hosts.map(({ name }) => name)
  const pairs = choosePairs(names, options.suspicious, options.allPairsUpTo)
  let checks: Check[]
  try {
    checks = await run(cluster, inventory, options, { namespace, pairs }, onStop)
  } catch (cause) {
    if (options.signal?.aborted) throw interrupted()
    if (isNoCluster(cause)) throw cause
    const fault = troubleOf(cause)
    const of = { scenario: 'api' as const, from: 'controller', to: cluster.leader.host.name }
    checks = [
      { ...failed({ ...of, id: checkId(of) }, fault), ...(fault.code === 'APISERVER_UNREACHABLE' && { fix: apiDown }) },
    ]
  } finally {
    for (const stop of stops) stop.abort()
    await removeProbes(cluster.leader, namespace)
  }
  if (options.signal?.aborted) throw interrupted()
  const kept = checks.filter((check) => wants(options.only, inventory, check))
  return {
    ok: !kept.some((check) => check.outcome === 'failed'),
    ms: Math.round(performance.now() - began),
    level,
    checks: kept,
    ...(pairs.pairs < pairs.of && { sampled: { pairs: pairs.pairs, of: pairs.of } }),
  }
}

async function run(
  { leader, nodes }: Reached,
  inventory: Inventory,
  options: VerifyOptions,
  { namespace, pairs }: { readonly namespace: string; readonly pairs: Pairs },
  onStop: () => AbortSignal,
): Promise<Check[]> {
  const full = options.level === 'full'
  const { programs, signal, outside, emit = () => {}, alongside } = options
  const found = inventory.hosts.flatMap((host) => nodes.get(host) ?? [])
  const before = new Map(
    await Promise.all(found.map(async (it) => [it.host.name, await lookBefore(it, signal)] as const)),
  )
  const reached = found.flatMap((hands) => {
    const was = before.get(hands.host.name)
    return was && 'forwards' in was ? [{ hands, was }] : []
  })
  const eyes = reached.map(({ hands }) => hands)
  emit(`probe pods on ${counted(eyes.length, 'node')}`)
  const [state, near] = await Promise.all([
    makePods(leader, namespace, eyes, options, full ? inventory.cluster.dnsDomain : undefined),
    outside ? reachable(inventory.hosts, outside, signal) : new Set<string>(),
  ])
  const servers = new Map<string, NodeServers>()
  await Promise.all(
    reached.map(async ({ hands, was }) =>
      servers.set(hands.host.name, await startServers(hands, was, state, namespace, programs, onStop(), full)),
    ),
  )
  const troubles = new Map<string, Fault>()
  for (const { name } of inventory.hosts) {
    const was = before.get(name)
    const fault = was && 'trouble' in was ? was.trouble : servers.get(name)?.trouble
    if (fault) troubles.set(name, fault)
    else if (!was) troubles.set(name, { code: 'HOST_UNREACHABLE', evidence: `${name} was not reached by SSH` })
  }
  const running = new Set(inventory.hosts.map(({ name }) => name).filter((name) => !troubles.has(name)))
  const base = { inventory, state, namespace, running, fromController: near, pairs }
  const scene: Scene = full ? { ...base, full: fullScene(servers, options.egress) } : base
  const cases = planCases(scene)
    .filter((item) => wants(options.only, inventory, item))
    .map((item) => withoutTroubled(item, troubles))

  emit(counted(cases.length, 'path'))
  const nodePort = state.services
    .find((service) => service.namespace === namespace && service.name === serviceName)
    ?.nodePorts.get('tcp')
  const tried = inventory.hosts.filter(
    ({ name: to }) =>
      near.has(to) && wants(options.only, inventory, { scenario: 'outside-to-service', from: 'controller', to }),
  )
  const going = endpointGone(leader, namespace, nodeWith(scene, 'u') ?? '', cases, signal)
  // A host takes few calls at once: what can wait lets the deletion pass, for the clients watch what comes of it.
  const beside = full ? going.done.then(alongside) : alongside?.()
  // It is waited for at the end; what goes wrong before must not leave it unheard.
  beside?.catch(() => {})
  const kubelets = () => kubeletChecks(leader, inventory, state, namespace, signal)
  const [first, fromController, ...further] = await Promise.all([
    ask(eyes, cases, servers, { seconds: tries[0], started: going.started }, options, troubles).finally(going.stop),
    outside && nodePort ? nodePortChecks(tried, nodePort, [...running].map(podB).sort(), outside, signal) : [],
    full ? going.done.then(kubelets) : [],
    full ? ingressChecks(state, outside, signal) : [],
  ])
  const again = cases.filter(
    (item) => !item.skip && !item.verdict && !item.once && judge(item, first).outcome !== 'passed',
  )
  const results = new Map(first)
  if (again.length > 0 && !signal?.aborted) {
    emit(`${counted(again.length, 'path')} once more`)
    await new Promise((resolve) => setTimeout(resolve, retryMs))
    const asking = { seconds: tries[1] }
    for (const [id, result] of await ask(eyes, again.map(patient), servers, asking, options, troubles))
      results.set(id, result)
  }
  await beside
  return [
    ...namespaceChecks(inventory, servers, troubles),
    ...withoutFollowers(
      cases,
      cases.map((item) => judge(withoutTroubled(item, troubles), results)),
    ),
    ...fromController,
    ...further.flat(),
    ...addressChecks(inventory, state),
    ...familyCheck(state),
    ...reached.map(({ hands, was }) => forwardCheck(hands.host.name, was.forwards)),
    ...[...troubles].map(([node, fault]) => troubleCheck(node, fault)),
  ]
}

/** Runs the probes of the cases; a node that is lost on the way joins the troubled ones. */
async function ask(
  eyes: readonly Eyes[],
  cases: readonly Case[],
  servers: ReadonlyMap<string, NodeServers>,
  asking: Omit<Asking, 'signal'>,
  { programs, signal }: VerifyOptions,
  troubles: Map<string, Fault>,
): Promise<Map<number, ProbeResult>> {
  const runnable = cases.filter((item) => item.skip === undefined)
  const { results, lost } = await runEverywhere(eyes, runnable, servers, programs, {
    ...asking,
    ...(signal && { signal }),
  })
  for (const [node, fault] of lost) troubles.set(node, fault)
  return results
}

/** One failure of a node is one failed check; what could not be asked because of it is unknown, which is to say skipped. */
function withoutTroubled(item: Case, troubles: ReadonlyMap<string, Fault>): Case {
  const node = [item.node, item.server].find((name) => name !== undefined && troubles.has(name))
  if (node === undefined || item.verdict) return item
  return { ...item, skip: `${node}: ${troubles.get(node)?.evidence}` }
}

function interrupted(): Failure {
  return new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'the verification was interrupted' })
}
