import type { KubeApi, KubeNode, KubePod } from '../../model/kube.ts'
import { probeNamespace } from '../../model/probes.ts'
import { Failure } from '../../model/trouble.ts'
import { label } from '../manifests.ts'
import type { Fault } from '../trouble.ts'
import { daemonSet, frame, type Kind, listMaps, type PodPrograms } from './manifests.ts'

/** A pod that cannot start for any of these reasons is given this long to be wrong about it. */
const hopelessMs = 10_000
const pollMs = 400
/** What a killed run left behind is removed by the first run after this time. */
const leftoverSeconds = 600

export interface Making {
  readonly namespace: string
  readonly image: string
  /** How long pods may take to start, the pulling of their image included. */
  readonly startMs: number
  readonly signal?: AbortSignal
}

/** The pods of one kind: those that run, and why there is none on the other nodes. */
export interface Started {
  /** By node. */
  readonly pods: ReadonlyMap<string, KubePod>
  readonly faults: ReadonlyMap<string, Fault>
}

/** Makes the namespace with what the pods need, and removes what runs that were killed left behind. */
export async function makeFrame(api: KubeApi, namespace: string, programs: PodPrograms, now: Date): Promise<void> {
  const old = await api.list<KubeNode>(`/api/v1/namespaces?labelSelector=${encodeURIComponent(label)}`)
  const before = now.getTime() / 1000 - leftoverSeconds
  const left = old.filter(
    ({ metadata }) => metadata.name.startsWith(probeNamespace) && Number(metadata.labels?.[label]) < before,
  )
  await Promise.all(left.map(({ metadata }) => removeAll(api, metadata.name)))
  const [first, ...rest] = frame(namespace, programs, now)
  if (first) await api.create(...first)
  await Promise.all(rest.map(([collection, object]) => api.create(collection, object)))
}

/** Removes all of it, at once and whatever happened. Never fails: what stays is removed by the next run. */
export async function removeAll(api: KubeApi, namespace: string): Promise<void> {
  const quietly = (work: Promise<void>) =>
    work.catch((cause: unknown) => {
      if (!(cause instanceof Failure)) throw cause
    })
  // Without them nothing makes the pods anew.
  await quietly(api.remove(`/apis/apps/v1/namespaces/${namespace}/daemonsets`, { graceSeconds: 0 }))
  await Promise.all([
    quietly(api.remove(`/api/v1/namespaces/${namespace}/pods`, { graceSeconds: 0 })),
    quietly(api.remove(`/api/v1/namespaces/${namespace}`)),
  ])
}

/** Makes the pods of a kind, which have these lists of probes, and waits until one runs on each node. */
export async function startPods(
  api: KubeApi,
  kind: Kind,
  nodes: readonly string[],
  lines: readonly string[],
  { namespace, image, startMs, signal }: Making,
): Promise<Started> {
  const maps = listMaps(lines.length > 0 ? lines : ['']).map(({ name, object }) => ({
    name: `${kind}-${name}`,
    object: { ...object, metadata: { name: `${kind}-${name}` } },
  }))
  await Promise.all(maps.map(({ object }) => api.create(`/api/v1/namespaces/${namespace}/configmaps`, object)))
  const set = daemonSet(
    kind,
    image,
    maps.map(({ name }) => name),
  )
  await api.create(`/apis/apps/v1/namespaces/${namespace}/daemonsets`, set)
  const began = performance.now()
  for (;;) {
    const all = await api.list<KubePod>(`/api/v1/namespaces/${namespace}/pods?labelSelector=probe%3D${kind}`)
    const byNode = new Map(all.map((pod) => [nodeOf(pod), pod]))
    const waited = performance.now() - began
    const late = nodes.filter((node) => !runs(byNode.get(node)))
    const hopeless = late.every((node) => waited > hopelessMs && isStuck(byNode.get(node)))
    if (late.length === 0 || hopeless || waited > startMs || signal?.aborted)
      return {
        pods: new Map([...byNode].filter(([, pod]) => runs(pod))),
        faults: new Map(late.map((node) => [node, lateness(kind, node, byNode.get(node), waited)])),
      }
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

/** A pod that the scheduler has not placed yet says for which node it is meant in its affinity only. */
function nodeOf({ spec }: KubePod): string {
  const affinity = (spec as PlacedSpec | undefined)?.affinity?.nodeAffinity
    ?.requiredDuringSchedulingIgnoredDuringExecution
  return spec?.nodeName ?? affinity?.nodeSelectorTerms?.[0]?.matchFields?.[0]?.values?.[0] ?? ''
}

interface PlacedSpec {
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms?: readonly {
          readonly matchFields?: readonly { readonly values?: readonly string[] }[]
        }[]
      }
    }
  }
}

function runs(pod: KubePod | undefined): pod is KubePod {
  const { podIP, containerStatuses = [] } = pod?.status ?? {}
  return podIP !== undefined && containerStatuses.length > 0 && containerStatuses.every(({ state }) => state?.running)
}

/** Why its containers do not run, in the words of the kubelet. */
function waitsFor(pod: KubePod | undefined): string {
  for (const { state } of pod?.status?.containerStatuses ?? []) {
    const it = state?.waiting ?? state?.terminated
    if (it?.reason && it.reason !== 'ContainerCreating') return [it.reason, it.message].filter(Boolean).join(': ')
  }
  return ''
}

const isStuck = (pod: KubePod | undefined): boolean => waitsFor(pod) !== ''

function lateness(kind: Kind, node: string, pod: KubePod | undefined, waited: number): Fault {
  const seconds = Math.round(waited / 1000)
  const unscheduled = pod?.status?.conditions?.find((it) => it.type === 'PodScheduled' && it.status === 'False')
  const said = waitsFor(pod) || unscheduled?.message || pod?.status?.message
  const what = pod
    ? `${pod.status?.phase ?? 'Pending'} after ${seconds} s: ${said ?? 'the kubelet does not say why'}`
    : `not there after ${seconds} s: something keeps pods from being made (quota, admission)`
  return { code: 'PROBE_FAILED', evidence: `probe pod ${kind} of node ${node} is ${what}` }
}
