import type { ClusterDump, NodeDump } from '../../model/dump.ts'
import type { Edited } from '../fault.ts'

/** The dump with one part of its first worker changed. */
function part(dump: ClusterDump, name: string, change: (text: string) => string): ClusterDump {
  const worker = workerOf(dump)
  const nodes = dump.nodes.map(
    (node): NodeDump =>
      node.node === worker ? { ...node, parts: { ...node.parts, [name]: change(node.parts[name] ?? '') } } : node,
  )
  return { ...dump, nodes }
}

function podCIDRs(dump: ClusterDump, change: (own: readonly string[], leaders: readonly string[]) => string[]) {
  if (!dump.cluster) return dump
  const worker = workerOf(dump)
  const leader = dump.cluster.nodes.find(({ controlPlane }) => controlPlane)?.podCIDRs ?? []
  const nodes = dump.cluster.nodes.map((node) =>
    node.name === worker ? { ...node, podCIDRs: change(node.podCIDRs, leader) } : node,
  )
  return { ...dump, cluster: { ...dump.cluster, nodes } }
}

const workerOf = ({ cluster }: ClusterDump) => cluster?.nodes.find(({ controlPlane }) => !controlPlane)?.name

/** The kernel of all hosts of a lab is one, and an API server refuses these. */
export const edited: readonly Edited[] = [
  { code: 'PODCIDR_UNASSIGNED', title: 'a node without podCIDR', edit: (dump) => podCIDRs(dump, () => []) },
  {
    code: 'PODCIDR_DUPLICATE',
    title: 'a node with the podCIDR of another',
    edit: (dump) => podCIDRs(dump, (_, leaders) => [...leaders]),
  },
  {
    code: 'PODCIDR_OUTSIDE',
    title: 'a podCIDR outside of podSubnet',
    edit: (dump) => podCIDRs(dump, () => ['10.99.1.0/24']),
  },
  {
    code: 'CONNTRACK_FULL',
    title: 'the table of connections is full',
    edit: (dump) =>
      part(dump, 'sysctls', (text) => {
        const max = /nf_conntrack_max[^0-9]*(\d+)/.exec(text)?.[1] ?? '0'
        return text.replace(/(nf_conntrack_count[^0-9]*)\d+/, `$1${max}`)
      }),
  },
  {
    code: 'CERT_EXPIRING',
    title: 'a certificate has ended',
    edit: (dump) => part(dump, 'certificates', (text) => text.replace(/\d{4} GMT/, '2020 GMT')),
  },
  {
    code: 'INOTIFY_LIMIT',
    title: 'hardly any file watches are allowed',
    edit: (dump) => part(dump, 'sysctls', (text) => text.replace(/(max_user_instances[^0-9]*)\d+/, '$116')),
  },
]
