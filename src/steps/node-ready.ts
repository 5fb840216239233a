import { cluster } from '../facts/cluster.ts'
import { kubectl } from '../facts/kubectl.ts'
import type { Action } from '../model/action.ts'
import type { Host } from '../model/inventory.ts'
import { type Sh, sh } from '../model/shell.ts'
import { step } from '../model/step.ts'

const dns = 'kube-system/coredns'

/** What has to run on every node before its network can be proven. */
const daemons = ['kube-system/kube-proxy', 'kube-flannel/kube-flannel-ds']

/** Asked on the leader for all nodes: each is Ready and has its podCIDR, workers bear their role, the network's pods run. */
export const nodeReady = step({
  title: 'Every node is Ready; kube-proxy, the pod network and cluster DNS run',
  asks: () => ({ cluster }),
  plan: ({ cluster }, { hosts }) => [
    ...hosts.flatMap((host) => {
      const node = cluster?.nodes.get(host.name)
      const ready = node?.ready === true && node.podCIDR !== ''
      const named = host.role !== 'worker' || node?.roles.includes('worker')
      return [...(ready ? [] : [nodeIsReady(host)]), ...(named ? [] : [label(host)])]
    }),
    ...daemons.flatMap((name) => (isEverywhere(cluster?.workloads.get(name)) ? [] : [daemonIsEverywhere(name)])),
    ...(isUp(cluster?.workloads.get(dns)) ? [] : [dnsIsUp]),
  ],
})

/** One replica that answers is enough; the second one follows. */
function isUp(workload: { want: number; ready: number } | undefined): boolean {
  return workload !== undefined && (workload.ready > 0 || workload.want === 0)
}

function isEverywhere(workload: { want: number; ready: number } | undefined): boolean {
  return workload !== undefined && workload.want > 0 && workload.ready === workload.want
}

function daemonIsEverywhere(workload: string): Action {
  const [namespace = '', name = ''] = workload.split('/')
  const template = '{.status.numberReady} {.status.desiredNumberScheduled}'
  return {
    kind: 'wait',
    summary: `${name} to run on every node`,
    ask: `set -- $(${kubectl(sh`-n ${namespace} get daemonset ${name} -o ${`jsonpath=${template}`}`)})
[ "$2" -gt 0 ] && [ "$1" = "$2" ]`,
    timeoutSeconds: 180,
    evidence: shown(sh`-n ${namespace} get pods -o wide`, 'cat'),
  }
}

function nodeIsReady({ name }: Host): Action {
  const template = '{.spec.podCIDR} {.status.conditions[?(@.type=="Ready")].status}'
  return {
    kind: 'wait',
    summary: `node ${name} to be Ready`,
    ask: asked(sh`get node ${name} -o ${`jsonpath=${template}`}`, '?*" True"'),
    timeoutSeconds: 180,
    evidence: shown(sh`describe node ${name}`, 'sed -n "/^Conditions:/,/^Addresses:/p"'),
  }
}

const dnsIsUp: Action = {
  kind: 'wait',
  summary: 'cluster DNS to run',
  ask: asked(sh`-n kube-system get deployment coredns -o ${'jsonpath={.status.availableReplicas}'}`, '[1-9]*'),
  timeoutSeconds: 180,
  evidence: shown('-n kube-system get pods -l k8s-app=kube-dns -o wide', 'cat'),
}

/** Holds when what kubectl prints matches a pattern of `case`. */
function asked(question: Sh, pattern: string): Sh {
  return `case $(${kubectl(question)}) in ${pattern}) ;; *) exit 1 ;; esac`
}

function shown(question: Sh, filter: Sh): Sh {
  return `${kubectl(question)} 2>&1 | ${filter}`
}

function label({ name }: Host): Action {
  return {
    kind: 'exec',
    summary: `label node ${name} as worker`,
    command: kubectl(sh`label node ${name} --overwrite node-role.kubernetes.io/worker=`),
    timeoutSeconds: 30,
    undo: 'nothing',
  }
}
