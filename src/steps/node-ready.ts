import { cluster, daemonPods, daemons } from '../facts/cluster.ts'
import type { Action } from '../model/action.ts'
import type { Host } from '../model/inventory.ts'
import { kubectl } from '../model/kubectl.ts'
import { type Sh, sh } from '../model/shell.ts'
import { step } from '../model/step.ts'

const dns = 'kube-system/coredns'

/**
 * Asked on the leader for the hosts of the run, each by itself, so that a node which is dead or not of this run blocks nothing:
 * it is Ready and has its podCIDR, a worker bears its role, and kube-proxy and the pod network run on it. What the API server
 * says of a node that is not yet Ready is not its last word, so what depends on it is then waited for, too.
 */
export const nodeReady = step({
  title: 'Every node is Ready; kube-proxy, the pod network and cluster DNS run',
  asks: () => ({ cluster }),
  plan: ({ cluster }, { hosts }) => {
    const plans = hosts.map((host) => {
      const node = cluster?.nodes.get(host.name)
      const ready = node?.ready === true && node.podCIDR !== ''
      const runs = ready && daemons.every((name) => node.daemons.has(name))
      const named = host.role !== 'worker' || node?.roles.includes('worker')
      return {
        ready,
        nodes: [...(ready ? [] : [nodeIsReady(host)]), ...(named ? [] : [label(host)])],
        daemons: runs ? [] : [daemonsRun(host)],
      }
    })
    const settled = plans.every(({ ready }) => ready) && isUp(cluster?.workloads.get(dns))
    return [
      ...plans.flatMap(({ nodes }) => nodes),
      ...plans.flatMap(({ daemons }) => daemons),
      ...(settled ? [] : [dnsIsUp]),
    ]
  },
})

/** One replica that answers is enough; the second one follows. */
function isUp(workload: { want: number; ready: number } | undefined): boolean {
  return workload !== undefined && (workload.ready > 0 || workload.want === 0)
}

function daemonsRun({ name }: Host): Action {
  const pods = kubectl(`${daemonPods} ${sh`--field-selector ${`spec.nodeName=${name}`}`}`)
  const ready = daemons.map((daemon) => sh`*${`pod ${daemon} ${name} True`}*`)
  return {
    kind: 'wait',
    summary: `kube-proxy and the pod network to run on ${name}`,
    ask: `pods=$(${pods})
${ready.map((pattern) => `case $pods in ${pattern}) ;; *) exit 1 ;; esac`).join('\n')}`,
    timeoutSeconds: 180,
    evidence: shown(sh`get pods -A -o wide --field-selector ${`spec.nodeName=${name}`}`, 'cat'),
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
