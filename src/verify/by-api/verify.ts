import { randomBytes } from 'node:crypto'
import type { Inventory } from '../../model/inventory.ts'
import type { KubeApi, KubePod } from '../../model/kube.ts'
import { probeNamespace } from '../../model/probes.ts'
import type { VerifyReport } from '../../model/report.ts'
import { exits, Failure } from '../../model/trouble.ts'
import { counted } from '../../model/words.ts'
import { addressChecks } from '../addresses.ts'
import type { Case } from '../case.ts'
import { familyCheck } from '../host-checks.ts'
import { judge } from '../judge.ts'
import { podA } from '../manifests.ts'
import { choosePairs } from '../pairs.ts'
import { planCases } from '../plan.ts'
import { wants } from '../select.ts'
import type { Fault } from '../trouble.ts'
import { networkOf, type Row, rowOf } from './answers.ts'
import { kernelUnseen, kubeletChecks, namespaceChecks, probeChecks, withoutLevel } from './checks.ts'
import { listsOf, resultsOf } from './lists.ts'
import { type PodPrograms, shownName } from './manifests.ts'
import { makeFrame, removeAll, type Started, startPods } from './pods.ts'
import { podState, stateOf } from './state.ts'

export interface ByApiOptions {
  /** The image of the probe pods: agnhost, or any with python3 or perl. */
  readonly image: string
  readonly programs: PodPrograms
  readonly level?: 'quick' | 'full'
  /** Scenarios and nodes to keep to: see {@link wants}. */
  readonly only?: ReadonlySet<string>
  /** How long pods may take to start, the pulling of their image included. */
  readonly startMs?: number
  readonly signal?: AbortSignal
  /** Gets a line whenever something begins. */
  readonly emit?: (line: string) => void
}

/** Longer than a round of probes and its repetition take, when there are few of them. */
const rowMs = 30_000
/** A program makes at least this many probes at once. */
const atOnce = 50

/**
 * Proves the network of a cluster through its API server alone: probe pods on every node make the same checks as `verify` does
 * over SSH, as far as a pod can; each tests its own row at the same time as the others, and tells of it in its log. What takes
 * SSH is in the report as skipped. It removes all it made. Throws a Failure where the API server does not answer or does not
 * allow it, or (INTERRUPTED) when `signal` is aborted.
 */
export async function verifyByApi(api: KubeApi, inventory: Inventory, options: ByApiOptions): Promise<VerifyReport> {
  const began = performance.now()
  const namespace = `${probeNamespace}${randomBytes(4).toString('hex')}`
  const { signal, only, level = 'quick' } = options
  const pairs = choosePairs(inventory.hosts.map(({ name }) => name))
  try {
    const checks = (await run(api, inventory, options, namespace, pairs)).filter((it) => wants(only, inventory, it))
    if (signal?.aborted) throw interrupted(signal)
    return {
      ok: !checks.some(({ outcome }) => outcome === 'failed'),
      ms: Math.round(performance.now() - began),
      level,
      checks,
      ...(pairs.pairs < pairs.of && { sampled: { pairs: pairs.pairs, of: pairs.of } }),
    }
  } catch (cause) {
    throw signal?.aborted ? interrupted(signal) : cause
  } finally {
    await removeAll(api, namespace)
  }
}

async function run(
  api: KubeApi,
  inventory: Inventory,
  options: ByApiOptions,
  namespace: string,
  pairs: ReturnType<typeof choosePairs>,
) {
  const { image, programs, startMs = 120_000, signal, only, level, emit = () => {} } = options
  const before = await stateOf(api)
  const names = inventory.hosts.map(({ name }) => name)
  const leader = inventory.hosts.find(({ role }) => role === 'control-plane')
  const notReady = new Map(
    before.nodes.flatMap(({ name, ready, reason }) => (ready ? [] : [[name, reason || 'no condition Ready'] as const])),
  )
  const nodes = names.filter((name) => !notReady.has(name))
  const making = { namespace, image, startMs, ...(signal && { signal }) }
  emit(`probe pods on ${counted(nodes.length, 'node')}`)
  await makeFrame(api, namespace, programs, new Date())
  const servers = await startPods(api, 'b', nodes, [], making)
  if (servers.pods.size === 0) return [...probeChecks(names, notReady, [servers]), ...addressChecks(inventory, before)]

  const plan = async (clients?: Started): Promise<Case[]> => {
    const state = await stateOf(api)
    const probes = [...shown('b', servers), ...(clients ? shown('a', clients) : [])]
    return planCases({
      inventory,
      state: { ...state, pods: [...state.pods.filter((pod) => pod.namespace !== namespace), ...probes] },
      namespace,
      running: new Set(servers.pods.keys()),
      fromController: new Set(),
      pairs,
    }).filter((item) => isAsked(item) && wants(only, inventory, item))
  }
  const asked = await plan()
  const lists = listsOf(asked)
  emit(counted(asked.length, 'path'))
  const [clients, hosts] = (await Promise.all(
    (['a', 'host'] as const).map((kind) => startPods(api, kind, nodes, lists.lines.get(kind) ?? [], making)),
  )) as [Started, Started]
  const most = Math.max(0, ...[...lists.lines.values()].map((lines) => lines.length))
  const until = performance.now() + rowMs + Math.ceil(most / atOnce) * 5000
  const read = async (pods: Started['pods'], container: string) =>
    new Map(
      await Promise.all(
        [...pods].map(async ([node, pod]) => [node, await rowOf(api, pod, container, until, signal)] as const),
      ),
    )
  const [rows, hostRows, networks] = await Promise.all([
    read(clients.pods, 'two'),
    read(hosts.pods, 'one'),
    Promise.all([...clients.pods].map(async ([node, pod]) => [node, await networkOf(api, pod, 'one')] as const)),
  ])
  const cases = await plan(clients)
  const answers = answersOf(rows, hostRows, [servers, clients])
  const faults = {
    a: faultsOf(clients, rows, notReady),
    b: faultsOf(servers, new Map(), notReady),
    host: faultsOf(hosts, hostRows, notReady),
  }
  const results = resultsOf(cases, lists, answers)
  return [
    ...namespaceChecks(names, new Map(networks), rows),
    ...cases.map((item) => judge(withoutFaults(item, faults), results)),
    ...kubeletChecks(leader?.name ?? 'api-server', names, rows),
    ...addressChecks(inventory, before),
    ...familyCheck(before),
    ...kernelUnseen(names),
    ...probeChecks(names, notReady, [servers, clients], rows),
    ...withoutLevel(level),
  ]
}

/** A client does not know the address of the other clients yet, and servers are no clients. Both are as good as their neighbours. */
const isAsked = ({ scenario, place, to, server }: Case): boolean =>
  place !== 'b' && !(scenario === 'node-to-pod' && server !== undefined && to === podA(server))

function shown(kind: 'a' | 'b', { pods }: Started) {
  return [...pods].map(([node, pod]) => ({ ...podState(pod), name: shownName(kind, node) }))
}

/** By place and node; with the names that the checks have for the pods. */
function answersOf(rows: ReadonlyMap<string, Row>, hostRows: ReadonlyMap<string, Row>, started: readonly Started[]) {
  const kinds = ['b', 'a'] as const
  const names = new Map(
    started.flatMap(({ pods }, i) =>
      [...pods].map(([node, { metadata }]: [string, KubePod]) => [metadata.name, shownName(kinds[i] ?? 'a', node)]),
    ),
  )
  const translated = ({ results }: Row) =>
    new Map(
      [...results].map(([id, it]) => [
        id,
        { ...it, text: it.text.replaceAll(/[^ ,]+/g, (word) => names.get(word) ?? word) },
      ]),
    )
  return new Map([
    ...[...rows].map(([node, row]) => [`a ${node}`, translated(row)] as const),
    ...[...hostRows].map(([node, row]) => [`host ${node}`, translated(row)] as const),
  ])
}

type Faults = ReadonlyMap<string, string>

/** Why the pods of a kind can tell nothing, by node. */
function faultsOf({ faults }: Started, rows: ReadonlyMap<string, Row>, notReady: ReadonlyMap<string, string>): Faults {
  const said = (all: Iterable<[string, Fault | undefined]>) =>
    [...all].flatMap(([node, fault]) => (fault ? [[node, fault.evidence] as const] : []))
  return new Map([
    ...[...notReady].map(([node, reason]) => [node, `the node is not Ready: ${reason}`] as const),
    ...said(faults),
    ...said([...rows].map(([node, { fault }]) => [node, fault])),
  ])
}

/** What could not be asked is unknown, which is to say skipped. */
function withoutFaults(item: Case, faults: { a: Faults; b: Faults; host: Faults }): Case {
  if (item.verdict || item.skip !== undefined) return item
  const own = faults[item.place].get(item.node)
  const other = item.server === undefined || item.scenario === 'containers' ? undefined : faults.b.get(item.server)
  if (own !== undefined) return { ...item, skip: `${item.node}: ${own}` }
  return other === undefined ? item : { ...item, skip: `${item.server}: ${other}` }
}

function interrupted(signal: AbortSignal): Failure {
  if (signal.reason instanceof Failure) return signal.reason
  return new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'the verification was interrupted' })
}
