import { membership } from '../../facts/membership.ts'
import { listeners } from '../../facts/ports.ts'
import type { Site } from '../../model/step.ts'
import { guard } from '../../model/step.ts'
import { isOurs } from './member.ts'

/** Nothing else listens where Kubernetes and the pod network will. */
export const ports = guard({
  title: 'The ports that Kubernetes needs are free',
  asks: (site) => ({ listeners: listeners(portsOf(site)), membership }),
  look: (all, inventory) =>
    [...all]
      .filter(([, { membership }]) => !isOurs(membership, inventory))
      .flatMap(([host, { listeners }]) =>
        listeners.map(({ protocol, port, line }) => ({
          code: 'PORT_TAKEN',
          message: `port ${port}/${protocol} of ${host.name} is in use`,
          where: host.name,
          ...(line !== '' && { evidence: [{ source: 'ss -lntup', line }] }),
          fix: 'stop what listens there, or give it another port',
        })),
      ),
})

/** kubelet, kube-proxy and flannel on every host, the rest on control planes; then the port of the overlay. */
function portsOf({ host, inventory }: Site): { protocol: 'tcp' | 'udp'; port: number }[] {
  const { backend, port } = inventory.cluster.network
  const overlay = { vxlan: port ?? 8472, udp: port ?? 8285, 'host-gw': null }[backend]
  const tcp = [10248, 10249, 10250, 10256, 18472]
  const control = host.role === 'control-plane' ? [2379, 2380, 6443, 10257, 10259] : []
  return [
    ...[...control, ...tcp].map((port) => ({ protocol: 'tcp' as const, port })),
    ...(overlay === null ? [] : [{ protocol: 'udp' as const, port: overlay }]),
  ]
}
