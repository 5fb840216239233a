import type { Fact } from '../model/fact.ts'
import { kubectl } from '../model/kubectl.ts'
import { sh } from '../model/shell.ts'
import { membershipMark } from './membership.ts'

export interface Cluster {
  readonly nodes: ReadonlyMap<string, Node>
  /** By namespace/name. */
  readonly workloads: ReadonlyMap<string, Workload>
}

export interface Node {
  readonly ready: boolean
  /** Empty as long as the controller manager has not given it one. */
  readonly podCIDR: string
  readonly roles: readonly string[]
  /** The kubelet's version: v1.37.1 */
  readonly version: string
  /** The network's daemons, of {@link daemons}, that have a ready pod on this very node. */
  readonly daemons: ReadonlySet<string>
}

export interface Workload {
  /** The annotation k8snet.dev/digest; empty where there is none. */
  readonly digest: string
  readonly want: number
  readonly ready: number
}

/** Annotation of what k8snet applies: a hash of the text it was applied from. */
export const digestAnnotation = 'k8snet.dev/digest'

/** What has to run on every node before its network can be proven: DaemonSets by namespace/name. */
export const daemons = ['kube-system/kube-proxy', 'kube-flannel/kube-flannel-ds'] as const

/**
 * Words for kubectl that list the pods of DaemonSets, which all bear the label; one line each: pod NAMESPACE/DAEMONSET NODE True.
 * A pod that is being deleted is not ready, whatever it says. A DaemonSet's own counts tell nothing of a node: they lag behind
 * it, and count nodes that are dead.
 */
export const daemonPods = sh`get pods -A -l pod-template-generation -o go-template=${`{{range .items}}\
{{$pod := .}}{{range .metadata.ownerReferences}}pod {{$pod.metadata.namespace}}/{{.name}} {{or $pod.spec.nodeName "-"}} {{end}}\
{{if .metadata.deletionTimestamp}}False{{else}}{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}}{{end}}
{{end}}`}`

const template = `{{range .items}}{{if eq .kind "Node"}}node {{.metadata.name}} \
{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}} {{or .spec.podCIDR "-"}} {{.status.nodeInfo.kubeletVersion}} \
{{range $k, $v := .metadata.labels}}{{$k}},{{end}}
{{else}}work {{.metadata.namespace}}/{{.metadata.name}} {{with .metadata.annotations}}{{or (index . "${digestAnnotation}") "-"}}{{else}}-{{end}} \
{{if eq .kind "DaemonSet"}}{{or .status.desiredNumberScheduled 0}} {{or .status.numberReady 0}}\
{{else}}{{or .spec.replicas 0}} {{or .status.availableReplicas 0}}{{end}}
{{end}}{{end}}`

/** What the API server says, asked where admin.conf lies; null where there is no cluster (yet). */
export const cluster: Fact<Cluster | null> = {
  ask: `[ -e /etc/kubernetes/admin.conf ] && [ -x /usr/local/bin/kubectl ] || exit 0
${sh`[ ! -e ${membershipMark} ] || ! grep -q begun ${membershipMark} || exit 0`}
echo cluster
${kubectl(sh`get nodes,daemonsets,deployments -A -o go-template=${template}`)} &
pods=$(${kubectl(daemonPods)})
rc=$?
wait $! && [ $rc = 0 ] || exit 1
printf '%s\\n' "$pods"`,
  parse: (out) => (out.startsWith('cluster\n') ? parseCluster(out) : null),
}

function parseCluster(out: string): Cluster {
  const rows = out.split('\n').map((line) => line.split(' '))
  const running = readyPods(rows)
  return {
    nodes: new Map(
      rows
        .filter(([kind]) => kind === 'node')
        .map(([, name = '', ready, podCIDR = '', version = '', labels = '']) => [
          name,
          {
            ready: ready === 'True',
            podCIDR: podCIDR === '-' ? '' : podCIDR,
            roles: rolesOf(labels),
            version,
            daemons: running.get(name) ?? new Set(),
          },
        ]),
    ),
    workloads: new Map(
      rows
        .filter(([kind]) => kind === 'work')
        .map(([, name = '', digest = '', want, ready]) => [
          name,
          { digest: digest === '-' ? '' : digest, want: Number(want), ready: Number(ready) },
        ]),
    ),
  }
}

/** By node, the daemons with a ready pod on it. */
function readyPods(rows: readonly string[][]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const [kind, daemon = '', node = '', ready] of rows) {
    if (kind !== 'pod' || ready !== 'True' || !(daemons as readonly string[]).includes(daemon)) continue
    found.set(node, (found.get(node) ?? new Set()).add(daemon))
  }
  return found
}

const roleLabel = 'node-role.kubernetes.io/'

function rolesOf(labels: string): string[] {
  return labels
    .split(',')
    .filter((label) => label.startsWith(roleLabel))
    .map((label) => label.slice(roleLabel.length))
}
