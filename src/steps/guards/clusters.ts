import { type Membership, membership } from '../../facts/membership.ts'
import { remains } from '../../facts/remains.ts'
import { type Host, type Inventory, leaderOf } from '../../model/inventory.ts'
import { guard } from '../../model/step.ts'
import type { Trouble } from '../../model/trouble.ts'
import { isOurs, serverOf } from './member.ts'

/** No host belongs to another cluster, and none holds what an older one left. */
export const clusters = guard({
  title: 'No host is part of another cluster or holds remains of one',
  asks: () => ({ membership, remains }),
  look: (all, inventory) => {
    const leader = all.get(leaderOf(inventory))?.membership
    return [...all].flatMap(([host, { membership, remains }]) =>
      membership.half ? [] : [...other(host, membership, leader, inventory), ...leftovers(host, membership, remains)],
    )
  },
})

function other(host: Host, { kubelet, half }: Membership, leader: Membership | undefined, inventory: Inventory) {
  if (kubelet === null) return []
  const evidence = [{ source: '/etc/kubernetes/kubelet.conf', line: `server: ${kubelet.server}` }]
  const trouble = (message: string): Trouble[] => [
    {
      code: 'OTHER_CLUSTER',
      message,
      where: host.name,
      evidence,
      fix: `take ${host.name} out of that cluster (kubeadm reset), or out of the inventory`,
    },
  ]
  if (!isOurs({ kubelet, admin: null, half }, inventory))
    return trouble(`${host.name} is a member of the cluster at ${kubelet.server}, not at ${serverOf(inventory)}`)
  if (leader && !leader.half && leader.kubelet === null)
    return trouble(`${host.name} is a member of a cluster whose control plane is no longer there`)
  const hash = leader?.kubelet?.caCertHash
  if (hash && kubelet.caCertHash && hash !== kubelet.caCertHash)
    return trouble(`${host.name} is a member of a cluster with another CA than ${leaderOf(inventory).name}'s`)
  return []
}

function leftovers(host: Host, { kubelet }: Membership, remains: readonly string[]): Trouble[] {
  if (kubelet !== null || remains.length === 0) return []
  return [
    {
      code: 'LEFTOVERS',
      message: `${host.name} is no member of a cluster but holds remains of one`,
      where: host.name,
      evidence: remains.slice(0, 6).map((line) => ({ source: 'found', line })),
      fix: `remove them (kubeadm reset -f, then rm -rf /etc/cni/net.d, ip link delete …), or reinstall ${host.name}`,
    },
  ]
}
