import type { ClusterDump } from '../../src/model/dump.ts'
import { healthy, nodeOf, type OpenDump, partOf } from '../dump/healthy.ts'

/**
 * The healthy dump with further workers `w2`, `w3` …, each a copy of w1 with addresses of its own, which all nodes know: as a
 * cluster of that many nodes would print it.
 */
export function grown(workers: number): OpenDump {
  const dump = healthy()
  const cluster = dump.cluster!
  const model = JSON.stringify(nodeOf(dump, 'w1'))
  const api = JSON.stringify(cluster.nodes.find(({ name }) => name === 'w1'))
  const pods = JSON.stringify(cluster.pods.filter(({ node }) => node === 'w1'))
  const mac = /VtepMAC\\*":\\*"([^"\\]+)/.exec(api)![1]!
  const copies = Array.from({ length: workers - 1 }, (_, i) => i + 2)
  const macOf = (n: number): string => `0e:00:00:00:${hex(n >> 8)}:${hex(n & 255)}`
  const subnetOf = (n: number): string => `10.${244 + (n >> 8)}.${n & 255}.`
  const hostOf = (n: number): string => `192.168.${56 + (n >> 7)}.${(n & 127) + 64}`
  const copy = (text: string, n: number): string =>
    text
      .replaceAll('10.244.1.', subnetOf(n))
      .replaceAll('192.168.56.12', hostOf(n))
      .replaceAll('192.168.56.255', '192.168.63.255')
      .replaceAll('192.168.56.0/24', '192.168.56.0/21')
      .replaceAll(mac, macOf(n))
      .replaceAll('"w1"', `"w${n}"`)
      .replaceAll('hostname w1', `hostname w${n}`)
      .replace(/machine-id [0-9a-f]+/, `machine-id ${n.toString(16).padStart(32, '0')}`)
      .replace(
        /"[0-9a-f]{8}(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"/g,
        `"${n.toString(16).padStart(8, '0')}$1"`,
      )
      .replace(
        /pod[0-9a-f]{8}(_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{12})/g,
        `pod${n.toString(16).padStart(8, '0')}$1`,
      )
      .replace(/02:42:ac:11:00:04/g, `02:42:ac:12:${hex(n >> 8)}:${hex(n & 255)}`)
      .replace(/02:42:c0:a8:38:0c/g, `02:42:c0:a9:${hex(n >> 8)}:${hex(n & 255)}`)
  for (const node of dump.nodes)
    for (const [part, text] of Object.entries(node.parts))
      node.parts[part] = text
        .replaceAll('192.168.56.0/24', '192.168.56.0/21')
        .replaceAll('192.168.56.255', '192.168.63.255')
        .replace(/("local":"192\.168\.5\d\.\d+","prefixlen":)24/, '$121')
  for (const n of copies) {
    const node = JSON.parse(copy(model, n))
    // the rules of Services are the same on all nodes
    for (const part of ['iptables-save', 'nft'])
      node.parts[part] = partOf(dump, 'w1', part).replaceAll('10.244.1.0/24', `${subnetOf(n)}0/24`)
    dump.nodes.push(node)
    cluster.nodes.push(JSON.parse(copy(api, n)))
    cluster.pods.push(...JSON.parse(copy(pods, n)))
  }
  if (workers > 250) {
    const { kubeadm, controllerManager, proxy, flannel } = cluster.configs
    kubeadm!.podSubnet = controllerManager!.clusterCIDR = proxy!.clusterCIDR = flannel!.network = '10.244.0.0/14'
    for (const { parts } of dump.nodes)
      for (const part of ['flannel-env', 'iptables-save', 'nft'])
        parts[part] = parts[part]!.replaceAll('10.244.0.0/16', '10.244.0.0/14')
  }
  const peers = cluster.nodes.map((node) => ({
    name: node.name,
    cidr: node.podCIDRs[0]!,
    vtep: node.podCIDRs[0]!.replace('/24', ''),
    mac: /VtepMAC":"([^"]+)/.exec(node.annotations['flannel.alpha.coreos.com/backend-data']!)![1]!,
    ip: node.annotations['flannel.alpha.coreos.com/public-ip']!,
  }))
  for (const node of dump.nodes) {
    const others = peers.filter(({ name }) => name !== node.node)
    const own = peers.find(({ name }) => name === node.node)!
    const place = (part: string, of: RegExp, rows: string[]): void => {
      const lines = node.parts[part]!.split('\n')
      const at = lines.findIndex((line) => of.test(line))
      const rest = lines.filter((line) => !of.test(line))
      node.parts[part] = [...rest.slice(0, at), ...rows, ...rest.slice(at)].join('\n')
    }
    place(
      'neighbours',
      / dev flannel\.1 /,
      others.map(({ vtep, mac: lladdr }) => `${vtep} dev flannel.1 lladdr ${lladdr} PERMANENT`).sort(),
    )
    place(
      'fdb',
      / dev flannel\.1 /,
      others.map(({ mac: of, ip }) => `${of} dev flannel.1 dst ${ip} self permanent`).sort(),
    )
    place(
      'routes',
      /^10\.2\d+\.\d+\.0\/24 (via|dev cni0)/,
      peers
        .toSorted((a, b) => number(a.vtep) - number(b.vtep))
        .map(({ cidr, vtep }) =>
          cidr === own.cidr
            ? `${cidr} dev cni0 proto kernel scope link src ${vtep.replace(/0$/, '1')}`
            : `${cidr} via ${vtep} dev flannel.1 onlink`,
        ),
    )
  }
  return dump
}

const hex = (n: number): string => n.toString(16).padStart(2, '0')
const number = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

/** As a dump that nobody changes. */
export const asDump = (dump: OpenDump): ClusterDump => dump as ClusterDump
