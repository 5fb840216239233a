import type { Cause, Finding } from '../../model/cause.ts'
import { cidrText, contains, networkOf, sizeOf } from '../../model/cidr.ts'
import { groupBy } from '../../model/group.ts'
import { isShadowed } from './cni.ts'
import { envStale } from './flannel.ts'
import { addressesOf, addressLine, isUp, linkLine, membersOf, seenOf, shown } from './ground.ts'
import { misassigned } from './networks.ts'
import { breaksOf, listOf, nameOf, podsOn, type Running, runningOn, whereOf } from './running.ts'

const inPod = ({ net }: Running, command: string) => `nsenter -t ${net.pid} -n ${command}`

/** What is wrong with eth0 of a pod; null where nothing is. */
function linkTrouble({ pod, net }: Running): { what: string; line: string } | null {
  const eth0 = net.links.find(({ name }) => name === 'eth0')
  if (!eth0) return { what: 'has no eth0', line: 'Device "eth0" does not exist.' }
  if (!isUp(eth0)) return { what: 'has eth0 down', line: linkLine(eth0) }
  const missing = pod.ips.filter((ip) => !eth0.addresses.some((address) => address.ip === ip))
  return missing.length > 0 ? { what: `lacks its address ${missing.join(', ')}`, line: addressLine(eth0) } : null
}

export const podLinkDown: Cause = {
  code: 'POD_LINK_DOWN',
  because:
    "The pod's own end of its link is gone, down or without the address that the API server tells everybody. It can neither send nor be reached.",
  shows: 'nsenter -t PID -n ip addr show eth0',
  fix: 'Make the pod anew: delete it.',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name } = member
      const bad = runningOn(picture, member).flatMap((running) => {
        const trouble = linkTrouble(running)
        return trouble ? [{ running, ...trouble }] : []
      })
      if (bad.length === 0) return []
      const pods = bad.map(({ running }) => running.pod)
      return [
        {
          where: whereOf(name, pods),
          message: `on ${name} ${listOf(bad.map(({ running, what }) => `${nameOf(running.pod)} ${what}`))}`,
          evidence: bad.slice(0, 4).map(({ running, line }) => shown(name, inPod(running, 'ip addr show eth0'), line)),
          breaks: breaksOf(pods),
        },
      ]
    }),
}

export const podRouteMissing: Cause = {
  code: 'POD_ROUTE_MISSING',
  because:
    'A pod reaches everything that is not on its own node by its default route to the bridge. Without it only pods of the same node answer, and answers to others never leave.',
  shows: 'nsenter -t PID -n ip route',
  fix: 'Make the pod anew: delete it.',
  needs: 'flannel',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name } = member
      const cut = runningOn(picture, member).filter((running) => {
        const { routes } = running.net
        const ways = routes.filter(({ to, type }) => type === 'unicast' && (to === '0.0.0.0/0' || to === '::/0'))
        return ways.length === 0 && routes.length > 0 && linkTrouble(running) === null
      })
      if (cut.length === 0) return []
      const pods = cut.map(({ pod }) => pod)
      return [
        {
          where: whereOf(name, pods),
          message: `${listOf(pods.map(nameOf))} on ${name} has no default route`,
          evidence: cut
            .slice(0, 4)
            .map((running) => shown(name, inPod(running, 'ip route'), mainRoutes(running) || '(nothing)')),
          breaks: breaksOf(pods),
        },
      ]
    }),
}

function mainRoutes({ net }: Running): string {
  return net.routes
    .filter(({ table, to }) => table === 'main' && !to.includes(':'))
    .map(({ line }) => line)
    .join('; ')
}

export const podIpDuplicate: Cause = {
  code: 'POD_IP_DUPLICATE',
  because:
    'Two pods were given one IP, so the packets for it reach one of them, and which one depends on the node that sends. This comes from two networks that hand out the same range, or from leases that were deleted.',
  shows: 'kubectl get pods -A -o wide',
  fix: 'Delete one of the pods, so that it gets another address, once what handed out the address twice is mended.',
  find(picture) {
    const doubled = misassigned(picture)
    const all = membersOf(picture).flatMap(({ name }) => podsOn(picture, name))
    const rows = all.flatMap((pod) => pod.ips.map((ip) => ({ ip, pod })))
    return [...groupBy(rows, ({ ip }) => ip)].flatMap(([ip, same]): Finding[] => {
      const pods = same.map(({ pod }) => pod)
      if (pods.length < 2 || pods.every(({ node }) => doubled.has(node))) return []
      return [
        {
          where: nameOf(pods[0]!),
          message: `${listOf(pods.map((pod) => `${nameOf(pod)} on ${pod.node}`))} have the same IP ${ip}`,
          evidence: pods.slice(0, 4).map((pod) => ({
            source: `kubectl -n ${pod.namespace} get pod ${pod.name} -o wide`,
            line: `${pod.name} ${ip} ${pod.node}`,
          })),
          breaks: breaksOf(pods),
        },
      ]
    })
  },
}

export const podIpOutsidePodcidr: Cause = {
  code: 'POD_IP_OUTSIDE_PODCIDR',
  because:
    "The pod's address is not in the podCIDR of its node, so no other node has a way to it. It was made with another CNI configuration, or before the node got its present podCIDR.",
  shows: 'kubectl get pods -A -o wide; ls /etc/cni/net.d',
  fix: 'Make the pod anew: delete it.',
  needs: 'flannel',
  find: (picture) =>
    membersOf(picture).flatMap((member): Finding[] => {
      const { name, api, view } = member
      const cidrs = (api?.podCIDRs ?? []).flatMap((text) => networkOf(text) ?? [])
      if (cidrs.length === 0 || misassigned(picture).has(name)) return []
      if (view && (isShadowed({ ...member, view }) || envStale({ ...member, view }))) return []
      const strays = podsOn(picture, name).filter((pod) =>
        pod.ips.some((ip) => !cidrs.some((cidr) => contains(cidr, ip))),
      )
      if (strays.length === 0) return []
      return [
        {
          where: whereOf(name, strays),
          message: `${listOf(strays.map((pod) => `${nameOf(pod)} (${pod.ips.join(', ')})`))} on ${name} is outside of its podCIDR ${cidrs.map(cidrText).join(', ')}`,
          evidence: strays.slice(0, 4).map((pod) => ({
            source: `kubectl -n ${pod.namespace} get pod ${pod.name} -o wide`,
            line: `${pod.name} ${pod.ips.join(',')} ${name}`,
          })),
          breaks: breaksOf(strays),
        },
      ]
    }),
}

/** Leases of pods that are being made or taken down just now are no leak yet. */
const tolerated = 10

export const ipamLeak: Cause = {
  code: 'IPAM_LEAK',
  because:
    'host-local keeps a file for each address it gave out, and the files of pods that went away with the node switched off stay. When all addresses are taken, no new pod of the node starts.',
  shows: 'ls /var/lib/cni/networks/cbr0',
  fix: 'Delete the files of /var/lib/cni/networks/NETWORK whose address no pod of the node has.',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name, view, cidr } = member
      if (!cidr || !picture.cluster) return []
      const used = new Set([
        ...picture.cluster.pods.filter((pod) => pod.node === name).flatMap((pod) => pod.ips),
        ...view.pods.flatMap(({ links }) => links.flatMap((link) => link.addresses.map(({ ip }) => ip))),
        ...addressesOf(view),
      ])
      return [...view.cni.leases].flatMap(([network, ips]): Finding[] => {
        const taken = ips.filter((ip) => contains(cidr, ip))
        const leaked = taken.filter((ip) => !used.has(ip))
        // the network's own address, the bridge's and the broadcast address are never given out
        const free = Number(sizeOf(cidr)) - 3 - taken.length
        const full = leaked.length > 0 && free <= 0
        if (leaked.length <= tolerated && !full) return []
        return [
          {
            where: name,
            message: `${leaked.length} addresses of ${cidrText(cidr)} on ${name} are taken by pods that do not exist, ${Math.max(0, free)} are free`,
            evidence: [shown(name, `ls /var/lib/cni/networks/${network}`, listOf(leaked))],
            ...(!full && { level: 'warning' as const }),
            breaks: { nodes: full ? [name] : [] },
          },
        ]
      })
    }),
}
