import type { Inventory } from '../model/inventory.ts'
import type { Eyes } from '../model/ports.ts'
import type { Check } from '../model/report.ts'
import { type Sh, sh } from '../model/shell.ts'
import { checkId } from './case.ts'
import type { ClusterState } from './cluster.ts'
import { failed } from './judge.ts'
import { podA } from './manifests.ts'
import { troubleOf } from './trouble.ts'

const seconds = 4
const atOnce = 8

/**
 * Shell for the leader: asks every kubelet through the API server for its health and for the log of a probe pod, which is the
 * way of `kubectl logs` and `exec`. Prints `kubelet NODE ok`, or `kubelet NODE WHY`.
 */
export function askKubelets(namespace: string, nodes: readonly { readonly name: string; readonly pod?: string }[]): Sh {
  return [
    'export KUBECONFIG=/etc/kubernetes/admin.conf KUBECACHEDIR=/dev/null/none',
    sh`pods=${`/api/v1/namespaces/${namespace}/pods`}`,
    'ask() {',
    `  kubectl get --request-timeout=${seconds}s --raw "/api/v1/nodes/$1/proxy/healthz" || return 1`,
    `  [ -z "$2" ] || kubectl get --request-timeout=${seconds}s --raw "$pods/$2/log?container=one"`,
    '}',
    'report() {',
    '  said=$(ask "$1" "$2" 2>&1) || said=$(ask "$1" "$2" 2>&1) || { echo "kubelet $1 $(printf %s "$said" | tr "\\n" " ")"; return; }',
    '  echo "kubelet $1 ok"',
    '}',
    ...nodes.flatMap(({ name, pod = '' }, i) => [
      sh`report ${name} ${pod} &`,
      ...((i + 1) % atOnce === 0 ? ['wait'] : []),
    ]),
    'wait',
  ].join('\n')
}

/** The API server reaches the kubelet of every node of the cluster; a node that it does not know has no check. */
export async function kubeletChecks(
  leader: Eyes,
  inventory: Inventory,
  state: ClusterState,
  namespace: string,
  signal?: AbortSignal,
): Promise<Check[]> {
  const nodes = inventory.hosts
    .filter(({ name }) => state.nodes.some((node) => node.name === name))
    .map(({ name }) => {
      const pod = state.pods.find((it) => it.namespace === namespace && it.name === podA(name) && it.ready)
      return { name, ...(pod && { pod: pod.name }) }
    })
  const began = performance.now()
  const said = new Map<string, { text: string; ms: number }>()
  let why = 'the API server was not asked'
  try {
    const reply = await leader.look(askKubelets(namespace, nodes), {
      timeoutMs: (4 * seconds * Math.ceil(nodes.length / atOnce) + 10) * 1000,
      ...(signal && { signal }),
      onLine: (line) => {
        const [, name, text] = /^kubelet (\S+) (.*)$/.exec(line.trimEnd()) ?? []
        if (name) said.set(name, { text: text ?? '', ms: Math.round(performance.now() - began) })
      },
    })
    why = reply.err.trim().split('\n').at(-1) || why
  } catch (cause) {
    why = troubleOf(cause).evidence
  }
  return nodes.map(({ name }): Check => {
    const of = { scenario: 'kubelet' as const, from: leader.host.name, to: name, protocol: 'tcp' as const }
    const check = { ...of, id: checkId(of) }
    const answer = said.get(name)
    if (!answer) return { ...check, outcome: 'skipped', ms: 0, evidence: why }
    if (answer.text === 'ok') return { ...check, outcome: 'passed', ms: answer.ms }
    const evidence = `kubectl get --raw /api/v1/nodes/${name}/proxy/healthz: ${answer.text.trim()}`
    return failed(check, { code: 'KUBELET_UNREACHABLE', evidence }, answer.ms)
  })
}
