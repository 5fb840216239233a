import { quote, type Sh, sh } from '../model/shell.ts'
import { eventTemplate, stateTemplate } from './cluster.ts'

/** The port that the probe servers listen on in their pods, TCP and UDP. */
export const probePort = 18420
export const serviceName = 'probe'
/** The pods of a node: `a` has two containers and is the client, `b` has one and stands behind the Service. */
export const podA = (node: string) => `a-${node}`
export const podB = (node: string) => `b-${node}`
/** Of pod `a`: the server runs in the namespace of the first container, the client in that of the second. */
export const containersOfA = ['one', 'two'] as const

const label = 'k8snet.dev/verify'
/** What a killed run left behind is removed by the first run after this time. */
const leftoverSeconds = 600
const startSeconds = 30
const readyNodes =
  '{{range .items}}{{$n := .metadata.name}}{{range .status.conditions}}{{if eq .type "Ready"}}{{if eq .status "True"}}{{$n}} {{end}}{{end}}{{end}}{{end}}'
const namespaces = `{{range .items}}{{.metadata.name}} {{index .metadata.labels "${label}"}}{{"\\n"}}{{end}}`

/**
 * Shell for the leader: makes the probe pods on those of `nodes` that are Ready, waits until they run, and prints the state
 * of the cluster (see parseState). `image` is one that every node has already: nothing is pulled.
 */
export function createPods(namespace: string, nodes: readonly string[], image: string): Sh {
  return [
    'export KUBECONFIG=/etc/kubernetes/admin.conf',
    'now=$(date +%s)',
    sh`wanted=${` ${nodes.join(' ')} `}`,
    sh`ready=$(kubectl get nodes -o go-template=${readyNodes}) || exit 1`,
    '(',
    sh`  kubectl get namespaces -l ${label} -o go-template=${namespaces} | while read -r name started; do`,
    `    case $name in k8snet-verify-*) ;; *) continue ;; esac`,
    `    [ $((now - started)) -le ${leftoverSeconds} ] || kubectl delete namespace "$name" --wait=false`,
    '  done',
    ') >/dev/null 2>&1 </dev/null &',
    '{',
    sh`  printf '%s\\n' ${frameManifest(namespace)} | sed "s/@NOW@/$now/"`,
    '  for node in $ready; do',
    sh`    case $wanted in *" $node "*) printf '%s\\n' ${podManifest(namespace, image)} | sed "s/@NODE@/$node/g" ;; esac`,
    '  done',
    '} | kubectl create -f - >/dev/null || exit 1',
    sh`kubectl -n ${namespace} wait pod --all --for=condition=Ready ${`--timeout=${startSeconds}s`} >/dev/null 2>&1 ||`,
    sh`  kubectl -n ${namespace} get events --field-selector type=Warning -o go-template=${eventTemplate}`,
    sh`kubectl get nodes,pods,services -A -o go-template=${stateTemplate} || exit 1`,
    'wait',
  ].join('\n')
}

/** Shell for the leader: removes the pods at once; their namespace follows. */
export function removePods(namespace: string): Sh {
  return [
    'export KUBECONFIG=/etc/kubernetes/admin.conf',
    sh`kubectl delete namespace ${namespace} --wait=false --ignore-not-found >/dev/null &`,
    sh`kubectl -n ${namespace} delete pods --all --force --grace-period=0 --wait=false >/dev/null 2>&1`,
    'wait $!',
  ].join('\n')
}

/** Shell that prints the reference of a pause image the host has, or nothing. */
export const pauseImage: Sh = [
  '{ crictl images -o yaml || ctr -n k8s.io images ls -q; } 2>/dev/null |',
  `  sed -n ${quote('s/^[- "]*\\([^ "]*\\/pause:[^ "@]*\\).*/\\1/p')} | head -n 1`,
].join('\n')

function frameManifest(namespace: string): string {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { [label]: '@NOW@', ...privileged } } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'probe', namespace } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: serviceName, namespace },
      spec: {
        type: 'NodePort',
        selector: { probe: 'b' },
        ports: (['tcp', 'udp'] as const).map((name) => ({
          name,
          protocol: name.toUpperCase(),
          port: probePort,
          targetPort: probePort,
        })),
      },
    },
  ]
    .map((object) => `---\n${JSON.stringify(object)}`)
    .join('\n')
}

const privileged = { 'pod-security.kubernetes.io/enforce': 'privileged' }

/** The two pods of a node, with @NODE@ for its name. Pinned to it, so that no scheduler, taint or cordon is in the way. */
function podManifest(namespace: string, image: string): string {
  const pod = (letter: 'a' | 'b', containers: readonly string[]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${letter}-@NODE@`, namespace, labels: { probe: letter } },
    spec: {
      nodeName: '@NODE@',
      serviceAccountName: 'probe',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: containers.map((name) => ({ name, image, imagePullPolicy: 'Never' })),
    },
  })
  return [pod('a', containersOfA), pod('b', ['one'])].map((object) => `---\n${JSON.stringify(object)}`).join('\n')
}
