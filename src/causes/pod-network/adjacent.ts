import type { Cause, Finding } from '../../model/cause.ts'
import { contains, networkOf } from '../../model/cidr.ts'
import type { Picture } from '../../model/dump.ts'
import { backendOf, membersOf, type Seen, seenOf, shown } from './ground.ts'

/** The peers of a node that are on none of its networks. */
export function notAdjacent(picture: Picture, { name, view }: Seen): { name: string; ip: string }[] {
  if (backendOf(picture) !== 'host-gw') return []
  const networks = view.links
    .filter((link) => !/^(cni|flannel|veth)/.test(link.name))
    .flatMap((link) => link.addresses.flatMap(({ ip, prefix }) => networkOf(`${ip}/${prefix}`) ?? []))
  if (networks.length === 0) return []
  return membersOf(picture).flatMap(({ name: peer, lease, cidr }) => {
    if (peer === name || !lease.ip || !cidr || networks.some((network) => contains(network, lease.ip!))) return []
    return [{ name: peer, ip: lease.ip }]
  })
}

export const hostGwNotAdjacent: Cause = {
  code: 'HOST_GW_NOT_ADJACENT',
  because:
    'The backend host-gw makes each node the gateway to its pods, and a gateway has to be on the same link. Between nodes with a router in between there is no such route, or the router does not know what to do with the packets.',
  shows: 'ip route; kubectl get nodes -o wide',
  fix: 'Use the backend vxlan, with DirectRouting where some of the nodes are on one link.',
  needs: 'host-gw',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const far = notAdjacent(picture, member)
      if (far.length === 0) return []
      const { name, lease } = member
      return [
        {
          where: far.length === 1 ? `${name} -> ${far[0]!.name}` : name,
          message: `${far.map((peer) => `${peer.name} (${peer.ip})`).join(', ')} is on no network of ${name} (${lease.ip ?? ''})`,
          evidence: [shown(name, `ip route get ${far[0]!.ip}`, `${far[0]!.ip} is reached by a gateway`)],
          breaks: { pairs: far.map((peer) => [name, peer.name] as const) },
        },
      ]
    }),
}
