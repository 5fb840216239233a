import type { Cause, Finding } from '../../model/cause.ts'
import { groupBy } from '../../model/group.ts'
import { addressesOf, membersOf, nodeEvidence, seenOf, shown, tunnelOf } from './ground.ts'
import { setChecksums } from './remedy.ts'

export const kubeletWrongNodeIp: Cause = {
  code: 'KUBELET_WRONG_NODE_IP',
  because:
    'The API server and the other nodes reach the kubelet and everything in the network of the node at its InternalIP. It is not an address of this node, or another node has the same one, so logs, exec and packets to the node go elsewhere.',
  shows: 'kubectl get nodes -o wide; ip addr',
  fix: 'Set --node-ip of the kubelet (KUBELET_EXTRA_ARGS) to the address on which the nodes reach each other, and restart the kubelet.',
  find(picture) {
    const rows = membersOf(picture).flatMap(({ name, api }) => (api?.internalIPs ?? []).map((ip) => ({ ip, name })))
    const shared = [...groupBy(rows, ({ ip }) => ip)].flatMap(([ip, same]): [string, string[]][] =>
      same.length > 1 ? [[ip, same.map(({ name }) => name)]] : [],
    )
    const doubled = new Set(shared.flatMap(([, names]) => names))
    const breaks = (nodes: string[]) =>
      ({
        nodes,
        scenarios: ['kubelet', 'pod-to-node', 'outside-to-service', 'node-to-service', 'host-port', 'traffic-policy'],
      }) as const
    const foreign = seenOf(picture).flatMap(({ name, api, view }): Finding[] => {
      const own = addressesOf(view)
      const strange = (api?.internalIPs ?? []).filter((ip) => !own.includes(ip))
      if (strange.length === 0 || own.length === 0 || doubled.has(name)) return []
      return [
        {
          where: name,
          message: `the InternalIP ${strange.join(', ')} of ${name} is no address of it`,
          evidence: [
            nodeEvidence(name, 'status.addresses InternalIP', strange.join(', ')),
            shown(name, 'ip -o addr', own.slice(0, 6).join(', ')),
          ],
          breaks: breaks([name]),
        },
      ]
    })
    return [
      ...shared.map(
        ([ip, names]): Finding => ({
          where: names.length === 2 ? names.join(' -> ') : names[0]!,
          message: `${names.join(' and ')} have the same InternalIP ${ip}`,
          evidence: names.slice(0, 4).map((name) => nodeEvidence(name, 'status.addresses InternalIP', ip)),
          breaks: breaks(names),
        }),
      ),
      ...foreign,
    ]
  },
}

export const vxlanCsumOffload: Cause = {
  code: 'VXLAN_CSUM_OFFLOAD',
  because:
    'The kernel or the network card of a sender is asked to finish the checksums of tunnel packets and gets them wrong, so the receiver drops them. Packets to pod IPs may pass while those to Services are lost or take a minute.',
  shows: 'nstat -az UdpInCsumErrors; ethtool -k flannel.1',
  fix: 'ethtool -K flannel.1 tx-checksum-ip-generic off on all nodes, and a udev rule so that it stays.',
  needs: 'vxlan',
  find(picture) {
    const seen = seenOf(picture)
    const feature = 'tx-checksum-ip-generic'
    return seen.flatMap(({ name, view }): Finding[] => {
      const wrong = view.counters.get('Udp.InCsumErrors') ?? 0
      const right = view.counters.get('Udp.InDatagrams') ?? 0
      if (wrong < 20 || wrong < 0.05 * (wrong + right)) return []
      const senders = seen.filter((it) => it.name !== name && !it.view.offload?.get(feature)?.startsWith('off'))
      if (senders.length === 0) return []
      const on = senders.filter((it) => it.view.offload?.get(feature)?.startsWith('on') && tunnelOf(picture, it))
      const [one] = on
      return [
        {
          where: name,
          message: `${name} dropped ${wrong} UDP packets with wrong checksums and took ${right}; ${senders.map((it) => it.name).join(', ')} leave checksums to the device`,
          evidence: [
            shown(
              name,
              'nstat -az UdpInCsumErrors UdpInDatagrams',
              `UdpInCsumErrors ${wrong}, UdpInDatagrams ${right}`,
            ),
            ...(one ? [shown(one.name, `ethtool -k flannel.1`, `${feature}: ${one.view.offload?.get(feature)}`)] : []),
          ],
          breaks: { nodes: [name], acrossOnly: true },
          ...(on.length > 0 && {
            remedy: on.map((it) => ({
              node: it.name,
              actions: [setChecksums(tunnelOf(picture, it)?.name ?? '', feature)],
            })),
          }),
        },
      ]
    })
  },
}
