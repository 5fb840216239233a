import { probeNamespace } from '../model/probes.ts'
import { quote, type Sh, sh } from '../model/shell.ts'
import { eventTemplate, stateTemplate } from './cluster.ts'
import { extraPods, frame, label, podsOfNode } from './manifests.ts'

export { containersOfA, podA, podB, probePort, serviceName } from './manifests.ts'

/** What a killed run left behind is removed by the first run after this time. */
const leftoverSeconds = 600
const startSeconds = 30
/** The exit status of {@link createPods} on a host that no cluster knows. */
export const noCluster = 44
const readyNodes =
  '{{range .items}}{{$n := .metadata.name}}{{range .status.conditions}}{{if eq .type "Ready"}}{{if eq .status "True"}}{{$n}} {{end}}{{end}}{{end}}{{end}}'
const namespaces = `{{range .items}}{{.metadata.name}} {{index .metadata.labels "${label}"}}{{"\\n"}}{{end}}`

/**
 * Shell for the leader: makes the probe pods on those of `nodes` that are Ready, waits until they run, and prints the state
 * of the cluster (see parseState); exits with {@link noCluster} where there is none. `image` is one that every node has already: nothing is pulled. `dnsDomain` is given for the
 * full level, which has more of everything.
 */
export function createPods(namespace: string, nodes: readonly string[], image: string, dnsDomain?: string): Sh {
  const full = dnsDomain !== undefined
  return [
    'export KUBECONFIG=/etc/kubernetes/admin.conf KUBECACHEDIR=/dev/null/none',
    'now=$(date +%s)',
    sh`wanted=${` ${nodes.join(' ')} `}`,
    sh`ready=$(kubectl get nodes -o go-template=${readyNodes}) || {`,
    `  [ -e /etc/kubernetes/admin.conf ] || [ -e /etc/kubernetes/kubelet.conf ] || exit ${noCluster}`,
    '  exit 1',
    '}',
    '(',
    sh`  kubectl get namespaces -l ${label} -o go-template=${namespaces} | while read -r name started; do`,
    `    case $name in ${probeNamespace}*) ;; *) continue ;; esac`,
    `    [ $((now - started)) -le ${leftoverSeconds} ] || kubectl delete namespace "$name" --wait=false`,
    '  done',
    ') >/dev/null 2>&1 </dev/null &',
    '{',
    sh`  printf '%s\\n' ${frame(namespace, dnsDomain)} | sed "s/@NOW@/$now/"`,
    ...(full ? ["  first='' second='' last=''"] : []),
    '  for node in $ready; do',
    '    case $wanted in *" $node "*) ;; *) continue ;; esac',
    ...(full
      ? [
          '    last=$node turn=other',
          '    if [ -z "$first" ]; then first=$node turn=first; elif [ -z "$second" ]; then second=$node; fi',
          sh`    printf '%s\\n' ${podsOfNode(namespace, image, full)} | sed "s/@NODE@/$node/g; s/@TURN@/$turn/g"`,
        ]
      : [sh`    printf '%s\\n' ${podsOfNode(namespace, image, full)} | sed "s/@NODE@/$node/g"`]),
    '  done',
    ...(full
      ? [
          '  [ -z "$first" ] ||',
          sh`    printf '%s\\n' ${extraPods(namespace, image)} | sed "s/@FIRST@/$first/g; s/@SECOND@/\${second:-$first}/g; s/@LAST@/$last/g"`,
        ]
      : []),
    '} | kubectl create -f - >/dev/null || exit 1',
    sh`kubectl -n ${namespace} wait pod --all --for=condition=Ready ${`--timeout=${startSeconds}s`} >/dev/null 2>&1 ||`,
    sh`  kubectl -n ${namespace} get events --field-selector type=Warning -o go-template=${eventTemplate}`,
    sh`kubectl get ${full ? 'nodes,pods,services,ingresses' : 'nodes,pods,services'} -A -o go-template=${stateTemplate} || exit 1`,
    'wait',
  ].join('\n')
}

/** Shell for the leader: removes the pods at once; their namespace follows. */
export function removePods(namespace: string): Sh {
  return [
    'export KUBECONFIG=/etc/kubernetes/admin.conf KUBECACHEDIR=/dev/null/none',
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
