import { cgroupVersion } from '../facts/cgroup.ts'
import { container } from '../facts/container.ts'
import { directories } from '../facts/directories.ts'
import { leftConfig } from '../facts/left-config.ts'
import { type Membership, membership } from '../facts/membership.ts'
import { tables } from '../facts/tables.ts'
import { type Site, step } from '../model/step.ts'
import { kubeadm } from './kubeadm.ts'
import { endpointOf, joinConfig } from './kubeadm-config.ts'

/** The host is a member of the leader's cluster. */
export const kubeadmJoin = step({
  title: 'The host has joined the cluster',
  asks: () => ({ membership, container, cgroupVersion, directories, tables, leftConfig }),
  plan: ({ membership, container, cgroupVersion, ...before }, site) =>
    isMember(membership, site)
      ? []
      : kubeadm('join', joinConfig(site, { container, cgroupVersion }), { ...before, half: membership.half }),
})

/** A kubelet that talks to the leader, and to the leader's own CA where that is known. */
export function isMember({ kubelet, half }: Membership, site: Site): boolean {
  if (kubelet === null || half || kubelet.server !== `https://${site.leader?.endpoint ?? endpointOf(site)}`)
    return false
  return site.leader === undefined || kubelet.caCertHash === '' || kubelet.caCertHash === site.leader.caCertHash
}
