import type { Eyes, Hands } from '../model/ports.ts'
import { exits, Failure } from '../model/trouble.ts'
import { type ClusterState, parseState } from './cluster.ts'
import { createPods, noCluster, pauseImage, removePods } from './pods.ts'
import { troubleOf } from './trouble.ts'

/**
 * Makes the probe pods and waits until they run; `pause` is the image, by default the one that the leader has. Failure: NO_CLUSTER,
 * APISERVER_UNREACHABLE.
 */
export async function makePods(
  leader: Hands,
  namespace: string,
  eyes: readonly Eyes[],
  { pause: image, signal }: { readonly pause?: string; readonly signal?: AbortSignal },
  dnsDomain: string | undefined,
): Promise<ClusterState> {
  const options = { timeoutMs: 60_000, ...(signal && { signal }) }
  const ref = image ?? (await leader.look(pauseImage, options)).out.trim()
  const names = eyes.map((it) => it.host.name)
  const reply = await leader.change(createPods(namespace, names, ref || 'registry.k8s.io/pause', dnsDomain), options)
  if (reply.code === 0) return parseState(reply.out)
  if (reply.code === noCluster)
    throw new Failure(exits.badInput, {
      code: 'NO_CLUSTER',
      message: 'this host is in no cluster: /etc/kubernetes has neither admin.conf nor kubelet.conf',
      where: leader.host.name,
      fix: 'k8snet up INVENTORY',
    })
  throw new Failure(exits.network, {
    code: 'APISERVER_UNREACHABLE',
    message: 'the probe pods could not be made',
    where: leader.host.name,
    evidence: [{ source: 'kubectl', line: reply.err.trim().split('\n').at(-1) ?? '' }],
  })
}

/** Removes the pods whatever happened, also when the user interrupted; a leader that is gone leaves them to the next run. */
export async function removeProbes(leader: Hands, namespace: string): Promise<void> {
  await leader.change(removePods(namespace), { timeoutMs: 20_000 }).catch((cause: unknown) => void troubleOf(cause))
}

export const isNoCluster = (cause: unknown): boolean =>
  cause instanceof Failure && cause.troubles[0]?.code === 'NO_CLUSTER'
