import type { Breaks, Cause, Finding } from '../../model/cause.ts'
import type { Picture } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import type { Evidence } from '../../model/trouble.ts'
import { linkLine, nodeEvidence, type Seen, seenOf, shown, tunnelOf } from './ground.ts'

const across = (node: string): Breaks => ({ nodes: [node], acrossOnly: true })

export const vtepMacDrift: Cause = {
  code: 'VTEP_MAC_DRIFT',
  because:
    'The other nodes address the packets of the tunnel to the MAC address that flannel announced for this node. Its device has another one by now (systemd-udevd gives new devices one of its own), so the kernel here drops them as not meant for it.',
  shows: 'ip link show flannel.1',
  fix: 'Restart flannel on the node (delete its pod there). So that it stays: a .link file for flannel.* with MACAddressPolicy=none in /etc/systemd/network.',
  needs: 'vxlan',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name, lease } = member
      const tunnel = tunnelOf(picture, member)
      if (!tunnel || !lease.mac || tunnel.mac.toLowerCase() === lease.mac) return []
      return [
        {
          where: name,
          message: `${tunnel.name} of ${name} has the MAC address ${tunnel.mac}, flannel announced ${lease.mac}`,
          evidence: [
            shown(name, `ip link show ${tunnel.name}`, linkLine(tunnel)),
            nodeEvidence(
              name,
              'metadata.annotations["flannel.alpha.coreos.com/backend-data"]',
              `{"VNI":${lease.vni ?? ''},"VtepMAC":"${lease.mac}"}`,
            ),
          ],
          breaks: across(name),
        },
      ]
    }),
}

/** What most tunnel devices have; what flannel was told, where at least one of them has it. */
function common(values: readonly number[], told: number | undefined): number | undefined {
  if (told !== undefined && values.includes(told)) return told
  return [...groupBy(values, (value) => value)].sort((a, b) => b[1].length - a[1].length)[0]?.[0]
}

/** Nodes whose tunnel device differs from the others in its VNI or its port. */
export function odd(picture: Picture, what: 'id' | 'port'): { member: Seen; value: number; others: number }[] {
  const rows = seenOf(picture).flatMap((member) => {
    const value = tunnelOf(picture, member)?.vxlan?.[what]
    return value === undefined ? [] : [{ member, value }]
  })
  const flannel = picture.cluster?.configs.flannel
  const others = common(
    rows.map(({ value }) => value),
    what === 'id' ? flannel?.vni : flannel?.port,
  )
  return others === undefined ? [] : rows.filter(({ value }) => value !== others).map((row) => ({ ...row, others }))
}

function oddFindings(picture: Picture, what: 'id' | 'port'): Finding[] {
  return odd(picture, what).map(({ member, value, others }) => {
    const tunnel = tunnelOf(picture, member)!
    const [key, said] = what === 'id' ? ['VNI', `vxlan id ${value}`] : ['UDP port', `vxlan dstport ${value}`]
    const evidence: Evidence[] = [shown(member.name, `ip -d link show ${tunnel.name}`, said)]
    const flannel = picture.cluster?.configs.flannel
    if (flannel)
      evidence.push({
        source: `kubectl -n ${flannel.namespace} get configmap kube-flannel-cfg -o yaml`,
        line: what === 'id' ? `"VNI": ${flannel.vni}` : `"Port": ${flannel.port}`,
      })
    return {
      where: member.name,
      message: `${tunnel.name} of ${member.name} uses the ${key} ${value}, those of the other nodes ${others}`,
      evidence,
      breaks: across(member.name),
    }
  })
}

export const vniMismatch: Cause = {
  code: 'VNI_MISMATCH',
  because:
    'The number of the virtual network stands in every packet of the tunnel. A device takes only packets with its own, the others arrive at the node and are dropped there without a trace.',
  shows: 'ip -d link show flannel.1',
  fix: 'Restart flannel on the node (delete its pod there); if the device stays as it is, ip link del flannel.1 first.',
  needs: 'vxlan',
  find: (picture) => oddFindings(picture, 'id'),
}

export const vxlanPortMismatch: Cause = {
  code: 'VXLAN_PORT_MISMATCH',
  because:
    'Each node sends to the UDP port that its own device has. Where the devices have different ports, the packets arrive at a port on which nobody listens.',
  shows: 'ip -d link show flannel.1',
  fix: 'Restart flannel on the node (delete its pod there); if the device stays as it is, ip link del flannel.1 first.',
  needs: 'vxlan',
  find: (picture) => oddFindings(picture, 'port'),
}
