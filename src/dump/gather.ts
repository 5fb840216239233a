import { readFile } from 'node:fs/promises'
import { type ClusterDump, type ClusterView, dumpFormat, type NodeDump } from '../model/dump.ts'
import type { Eyes } from '../model/ports.ts'
import { readNodeDump } from './node.ts'
import { readCluster } from './read-cluster.ts'
import { clusterScript, dumpScript } from './script.ts'

export interface DumpOptions {
  /** The version of k8snet. */
  readonly k8snet: string
  readonly now: Date
  readonly signal?: AbortSignal
}

/**
 * One exec on every node, and one on the control plane; all at once. It does not fail: a node that cannot be read is in
 * `unread`, and where the API server does not answer `apiTrouble` says why. Only an aborted signal throws.
 *
 * @param nodes By the name of the node in the cluster.
 */
export async function gatherDump(
  leader: Eyes | undefined,
  nodes: ReadonlyMap<string, Eyes>,
  { k8snet, now, signal }: DumpOptions,
): Promise<ClusterDump> {
  const template = await readFile(new URL('../../templates/dump.sh', import.meta.url), 'utf8')
  const [cluster, ...answers] = await Promise.all([
    settled(leader ? askCluster(leader, signal) : Promise.reject(new Error('no control plane was asked'))),
    ...[...nodes].map(([name, eyes]) => settled(askNode(name, eyes, template, signal))),
  ])
  signal?.throwIfAborted()
  const all = [...nodes.keys()].map((node, i) => ({ node, ...(answers[i] as Settled<NodeDump>) }))
  return {
    format: dumpFormat,
    k8snet,
    made: now.toISOString(),
    nodes: all.flatMap(({ value }) => value ?? []),
    unread: all.flatMap(({ node, why }) => (why === undefined ? [] : [{ node, why }])),
    ...(cluster.value ? { cluster: cluster.value } : { apiTrouble: cluster.why ?? '' }),
  }
}

type Settled<T> = { readonly value: T; readonly why?: undefined } | { readonly value?: undefined; readonly why: string }

async function settled<T>(work: Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await work }
  } catch (error) {
    return { why: (error as Error).message }
  }
}

/** What one node says of itself. Throws a Failure of the connection, or an Error that says why its answer is none. */
export async function askNode(node: string, eyes: Eyes, template: string, signal?: AbortSignal): Promise<NodeDump> {
  const mark = crypto.randomUUID().replaceAll('-', '')
  const { out, err } = await eyes.look(dumpScript(template, mark), { timeoutMs: 60_000, ...(signal && { signal }) })
  if (out.trim() === '') throw new Error(`it told nothing: ${err.trim().split('\n').at(-1) || 'no error either'}`)
  return readNodeDump(node, out, mark)
}

/** What the API server says, asked on the control plane. */
export async function askCluster(eyes: Eyes, signal?: AbortSignal): Promise<ClusterView> {
  const mark = crypto.randomUUID().replaceAll('-', '')
  const { out, err, code } = await eyes.look(clusterScript(mark), { timeoutMs: 60_000, ...(signal && { signal }) })
  if (code !== 0 || out.trim() === '')
    throw new Error(err.trim().split('\n').at(-1) || 'the API server does not answer')
  return readCluster(out, mark)
}
