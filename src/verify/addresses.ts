import { type Cidr, contains, networkOf, overlaps } from '../model/cidr.ts'
import type { Inventory } from '../model/inventory.ts'
import type { Check } from '../model/report.ts'
import { checkId } from './case.ts'
import type { ClusterState, NodeState, PodState } from './cluster.ts'
import { failed } from './judge.ts'
import type { Fault } from './trouble.ts'

type Finding = Fault | null

/**
 * The checks that take no packet: every node of the inventory is Ready and has a podCIDR of its own inside podSubnet; every
 * pod IP is inside its node's podCIDR and nobody else's. Pods in the host's network and pods that ended are left out.
 */
export function addressChecks(inventory: Inventory, state: ClusterState): Check[] {
  const subnet = networkOf(inventory.cluster.podSubnet)
  const pods = state.pods.filter((pod) => pod.phase === 'Running' && !pod.hostNetwork && pod.ip && !pod.leaving)
  const cidrs = new Map(state.nodes.map((node) => [node.name, networkOf(node.podCIDR ?? '')]))
  // Other networks may give out addresses as they like: of calico or cilium, podCIDR says nothing.
  const follows = inventory.cluster.network.provider === 'flannel'
  return inventory.hosts.flatMap(({ name }) => {
    const node = state.nodes.find((it) => it.name === name)
    const ready = check(name, 'ready', readiness(name, node))
    if (!node) return [ready]
    const own = cidrs.get(name) ?? null
    const others = [...cidrs].filter(([other]) => other !== name)
    const local = pods.filter((pod) => pod.node === name)
    return [
      ready,
      follows
        ? check(name, 'podcidr-in-subnet', assigned(node, own) ?? inside(node, own, subnet, inventory))
        : unknown(name, 'podcidr-in-subnet'),
      check(name, 'podcidr-disjoint', disjoint(node, own, others)),
      follows
        ? check(name, 'pod-ip-in-podcidr', own ? strays(local, node, own) : null)
        : unknown(name, 'pod-ip-in-podcidr'),
      check(name, 'pod-ip-unique', duplicates(local, pods)),
    ]
  })
}

function readiness(name: string, node: NodeState | undefined): Finding {
  if (!node) return { code: 'NODE_NOT_READY', evidence: `kubectl get nodes: there is no node ${name}` }
  return node.ready
    ? null
    : { code: 'NODE_NOT_READY', evidence: `kubectl get node ${name}: ${node.reason || 'no condition Ready'}` }
}

function assigned(node: NodeState, own: Cidr | null): Finding {
  return own
    ? null
    : { code: 'PODCIDR_UNASSIGNED', evidence: `node ${node.name}: spec.podCIDR is ${node.podCIDR ?? 'empty'}` }
}

function inside(node: NodeState, own: Cidr | null, subnet: Cidr | null, inventory: Inventory): Finding {
  if (!own || !subnet || contains(subnet, own)) return null
  return {
    code: 'PODCIDR_OUTSIDE',
    evidence: `node ${node.name}: podCIDR ${node.podCIDR} is not in podSubnet ${inventory.cluster.podSubnet}`,
  }
}

function disjoint(node: NodeState, own: Cidr | null, others: readonly (readonly [string, Cidr | null])[]): Finding {
  const clash = others.filter(([, cidr]) => own && cidr && overlaps(own, cidr)).map(([other]) => other)
  if (clash.length === 0) return null
  return {
    code: 'PODCIDR_DUPLICATE',
    evidence: `podCIDR ${node.podCIDR} of ${node.name} overlaps that of ${clash.join(', ')}`,
  }
}

function strays(local: readonly PodState[], node: NodeState, own: Cidr): Finding {
  const out = local.filter((pod) => !contains(own, pod.ip as string))
  if (out.length === 0) return null
  const list = out.map((pod) => `${pod.namespace}/${pod.name} ${pod.ip}`).join(', ')
  return { code: 'POD_IP_OUTSIDE_PODCIDR', evidence: `podCIDR of ${node.name} is ${node.podCIDR}; outside: ${list}` }
}

function duplicates(local: readonly PodState[], all: readonly PodState[]): Finding {
  for (const pod of local) {
    const same = all.filter((other) => other.ip === pod.ip)
    if (same.length > 1) {
      const list = same.map((other) => `${other.namespace}/${other.name} on ${other.node}`).join(', ')
      return { code: 'POD_IP_DUPLICATE', evidence: `${pod.ip} belongs to ${list}` }
    }
  }
  return null
}

function check(from: string, to: string, finding: Finding): Check {
  const of = { scenario: 'addresses' as const, from, to }
  const whole = { ...of, id: checkId(of) }
  return finding ? failed(whole, finding) : { ...whole, outcome: 'passed', ms: 0 }
}

function unknown(from: string, to: string): Check {
  const of = { scenario: 'addresses' as const, from, to }
  const evidence = 'the pod network is not flannel: it need not follow the podCIDRs of the nodes'
  return { ...of, id: checkId(of), outcome: 'skipped', ms: 0, evidence }
}
