import { describe, expect, it } from 'vitest'
import { podNetworkCauses } from '../../src/causes/pod-network.ts'
import type { Breaks } from '../../src/model/cause.ts'
import { addLine, dropLines, editCluster, editLink, nodeOf, partOf, replace } from '../dump/healthy.ts'
import { annotate, down, linkGone, macOf, podOn, tunnelDown } from './pod-network-faults.ts'
import { grown } from './pod-network-grown.ts'
import { eachComesAlone, type Row } from './rows.ts'

const w1 = (more: Partial<Breaks> = {}): Breaks => ({ nodes: ['w1'], ...more })
const across = w1({ acrossOnly: true })
const pair: Breaks = { pairs: [['cp1', 'w1']] }

type FullRow = Row & { readonly breaks: Breaks }

const table: FullRow[] = [
  {
    code: 'KUBELET_WRONG_NODE_IP',
    fault: 'every node has the address of the NAT interface as its InternalIP',
    edit: (dump) =>
      editCluster(dump, ({ nodes }) => {
        for (const node of nodes) node.internalIPs = ['10.0.2.15']
      }),
    where: 'cp1 -> w1',
    shows: 'status.addresses InternalIP: 10.0.2.15',
    breaks: expect.objectContaining({ nodes: ['cp1', 'w1'] }),
  },
  {
    code: 'KUBELET_WRONG_NODE_IP',
    fault: 'the InternalIP is an address that the node does not have',
    edit: (dump) =>
      editCluster(dump, ({ nodes }) => (nodes.find(({ name }) => name === 'w1')!.internalIPs = ['192.168.56.99'])),
    where: 'w1',
    shows: '192.168.56.99',
    breaks: expect.objectContaining({ nodes: ['w1'] }),
  },
  {
    code: 'CIDR_MISMATCH_FLANNEL',
    fault: 'net-conf.json has another Network',
    edit: (dump) => editCluster(dump, ({ configs }) => (configs.flannel!.network = '10.245.0.0/16')),
    where: 'kube-flannel/kube-flannel-cfg',
    shows: '"Network": "10.245.0.0/16"',
    // flannel runs with what it read before
    breaks: { nodes: [] },
  },
  {
    code: 'CIDR_MISMATCH_FLANNEL',
    fault: 'net-conf.json has another Network, and flannel of a node was started anew and ended at once',
    edit: (dump) => {
      editCluster(dump, ({ configs, pods }) => {
        configs.flannel!.network = '10.245.0.0/16'
        pods.find(({ namespace, node }) => namespace === 'kube-flannel' && node === 'w1')!.ready = false
      })
      delete nodeOf(dump, 'w1').parts['flannel-env']
    },
    where: 'kube-flannel/kube-flannel-cfg',
    shows: 'podSubnet: 10.244.0.0/16',
    breaks: w1(),
  },
  {
    code: 'CIDR_MISMATCH_PROXY',
    fault: 'kube-proxy has another clusterCIDR',
    edit: (dump) => editCluster(dump, ({ configs }) => (configs.proxy!.clusterCIDR = '10.200.0.0/16')),
    where: 'kube-system/kube-proxy',
    shows: 'clusterCIDR: 10.200.0.0/16',
    breaks: expect.objectContaining({ scenarios: expect.arrayContaining(['pod-to-service']) }),
  },
  {
    code: 'CIDR_MISMATCH_PROXY',
    fault: 'the controller manager has another --cluster-cidr',
    edit: (dump) => editCluster(dump, ({ configs }) => (configs.controllerManager!.clusterCIDR = '10.200.0.0/16')),
    where: 'kube-system/kube-controller-manager',
    shows: '--cluster-cidr=10.200.0.0/16',
    breaks: { scenarios: ['addresses'] },
  },
  {
    code: 'PODCIDR_UNASSIGNED',
    fault: 'a node without podCIDR, so flannel does not start there and has written nothing',
    edit: (dump) => {
      editCluster(dump, (cluster) => {
        const node = cluster.nodes.find(({ name }) => name === 'w1')!
        node.podCIDRs = []
        node.annotations = {}
        cluster.pods.splice(0, cluster.pods.length, ...cluster.pods.filter((pod) => pod.node !== 'w1'))
      })
      linkGone(dump, 'w1', 'flannel.1')
      linkGone(dump, 'w1', 'cni0')
      delete nodeOf(dump, 'w1').parts['flannel-env']
      delete nodeOf(dump, 'w1').parts['cni-conf/10-flannel.conflist']
      for (const part of ['routes', 'neighbours', 'fdb']) dropLines(dump, 'cp1', part, 'dev flannel.1 ')
    },
    where: 'w1',
    shows: 'spec.podCIDR: (absent)',
    breaks: w1(),
  },
  {
    code: 'PODCIDR_DUPLICATE',
    fault: 'both nodes have one podCIDR, and work with it',
    edit: (dump) => {
      const { parts } = nodeOf(dump, 'w1')
      for (const part of Object.keys(parts)) parts[part] = parts[part]!.replaceAll('10.244.1.', '10.244.0.')
      for (const part of ['routes', 'neighbours']) dropLines(dump, 'cp1', part, 'dev flannel.1')
      dropLines(dump, 'w1', 'routes', 'dev flannel.1 onlink')
      editCluster(dump, (cluster) => {
        cluster.nodes.find(({ name }) => name === 'w1')!.podCIDRs = ['10.244.0.0/24']
        for (const pod of cluster.pods) pod.ips = pod.ips.map((ip) => ip.replace('10.244.1.', '10.244.0.'))
        for (const slice of cluster.slices)
          for (const endpoint of slice.endpoints) endpoint.ip = endpoint.ip.replace('10.244.1.', '10.244.0.')
      })
      replace(dump, 'cp1', 'iptables-save', '10.244.1.', '10.244.0.')
    },
    where: 'cp1 -> w1',
    shows: 'spec.podCIDR: 10.244.0.0/24',
    breaks: { nodes: ['cp1', 'w1'] },
  },
  {
    code: 'CIDR_OVERLAP_HOST',
    fault: 'docker0 with a network of the pods',
    edit: (dump) =>
      addLine(dump, 'w1', 'routes', '10.244.0.0/16 dev docker0 proto kernel scope link src 10.244.0.1 linkdown'),
    where: 'w1',
    shows: '10.244.0.0/16 dev docker0 proto kernel',
    breaks: { nodes: [] },
  },
  {
    code: 'CIDR_OVERLAP_HOST',
    fault: "an interface on the network of another node's pods",
    edit: (dump) => addLine(dump, 'w1', 'routes', '10.244.0.0/25 dev tun0 proto kernel scope link src 10.244.0.9'),
    where: 'w1',
    shows: '10.244.0.0/25 dev tun0',
    breaks: { pairs: [['w1', 'cp1']] },
  },
  {
    code: 'CIDR_OVERLAP_HOST',
    fault: 'a VPN with a route into the network of Services',
    edit: (dump) => addLine(dump, 'w1', 'routes', '10.100.0.0/16 via 10.8.0.1 dev tun0'),
    where: 'w1',
    shows: '10.100.0.0/16 via 10.8.0.1 dev tun0',
    breaks: expect.objectContaining({ nodes: ['w1'], scenarios: expect.arrayContaining(['node-to-service']) }),
  },
  {
    code: 'CIDR_OVERLAP_HOST',
    fault: 'a route of a VPN that is wider than the network of pods, which wins over it: only a warning',
    edit: (dump) => addLine(dump, 'w1', 'routes', '10.0.0.0/8 via 172.17.0.9 dev eth0'),
    where: 'w1',
    shows: '10.0.0.0/8 via 172.17.0.9 dev eth0',
    breaks: { nodes: [] },
    level: 'warning',
  },
  {
    code: 'FLANNEL_NOT_READY',
    fault: 'flannel crashes before it has written its subnet',
    edit: (dump) => {
      delete nodeOf(dump, 'w1').parts['flannel-env']
      editCluster(dump, ({ pods }) => {
        const pod = pods.find(({ namespace, node }) => namespace === 'kube-flannel' && node === 'w1')!
        pod.ready = false
        pod.containers[0]!.waiting = 'CrashLoopBackOff'
      })
    },
    where: 'w1',
    shows: 'CrashLoopBackOff',
    breaks: w1(),
  },
  {
    code: 'FLANNEL_NOT_READY',
    fault: 'no pod of flannel on the node any more',
    edit: (dump) =>
      editCluster(dump, ({ pods }) =>
        pods.splice(
          pods.findIndex(({ namespace, node }) => namespace === 'kube-flannel' && node === 'w1'),
          1,
        ),
      ),
    where: 'w1',
    shows: 'No resources found',
    breaks: across,
  },
  {
    code: 'CNI_CONF_SHADOW',
    fault: 'the configuration of containerd comes first, and a pod got an address of it',
    edit: (dump) => {
      nodeOf(dump, 'w1').parts['cni-conf/10-containerd-net.conflist'] =
        '{"cniVersion":"1.0.0","name":"containerd-net","plugins":[{"type":"bridge","bridge":"cni1","ipam":{"type":"host-local"}},{"type":"portmap"}]}'
      const { pod, part } = podOn(dump)
      replace(dump, 'w1', part('links'), pod.ips[0]!, '10.88.0.4')
      pod.ips = ['10.88.0.4']
    },
    where: 'w1',
    shows: '10-containerd-net.conflist  10-flannel.conflist',
    breaks: w1(),
  },
  {
    code: 'CNI_CONF_MISSING',
    fault: 'the directory is empty',
    edit: (dump) => {
      delete nodeOf(dump, 'w1').parts['cni-conf/10-flannel.conflist']
    },
    where: 'w1',
    shows: '(nothing)',
    breaks: w1(),
  },
  {
    code: 'CNI_CONF_MISSING',
    fault: 'the only file is cut off',
    edit: (dump) => replace(dump, 'w1', 'cni-conf/10-flannel.conflist', /\]\s*\}\s*$/, ''),
    where: 'w1',
    shows: '"name": "cbr0"',
    breaks: w1(),
  },
  ...['bridge', 'host-local', 'portmap', 'loopback', 'flannel'].map(
    (plugin): FullRow => ({
      code: 'CNI_BIN_MISSING',
      fault: `${plugin} is not installed`,
      edit: (dump) => dropLines(dump, 'w1', 'cni-plugins', new RegExp(`^${plugin}$`)),
      where: 'w1',
      shows: 'firewall',
      breaks: w1(),
    }),
  ),
  {
    code: 'FLANNEL_ENV_STALE',
    fault: 'a node that joined anew, with everything still on the old podCIDR',
    edit: (dump) => {
      const part = (name: string) => replace(dump, 'w1', name, '10.244.1.', '10.244.7.')
      for (const name of ['flannel-env', 'links', 'routes']) part(name)
    },
    where: 'w1',
    shows: 'FLANNEL_SUBNET=10.244.7.1/24',
    breaks: w1(),
  },
  {
    code: 'FLANNEL_LINK_MISSING',
    fault: 'ip link del flannel.1',
    edit: (dump) => linkGone(dump, 'w1', 'flannel.1'),
    where: 'w1',
    shows: 'Device "flannel.1" does not exist.',
    breaks: across,
  },
  {
    code: 'FLANNEL_LINK_DOWN',
    fault: 'ip link set flannel.1 down',
    edit: tunnelDown,
    where: 'w1',
    shows: 'flannel.1: <BROADCAST,MULTICAST> mtu 1450 state DOWN',
    breaks: across,
  },
  {
    code: 'FLANNEL_ADDRESS_WRONG',
    fault: 'another address',
    edit: (dump) => editLink(dump, 'w1', 'flannel.1', (link) => (link.addr_info[0].local = '10.244.9.0')),
    where: 'w1',
    shows: 'inet 10.244.9.0/32 scope global flannel.1',
    breaks: expect.objectContaining({
      nodes: ['w1'],
      acrossOnly: true,
      scenarios: expect.arrayContaining(['node-to-pod']),
    }),
  },
  {
    code: 'FLANNEL_ADDRESS_WRONG',
    fault: 'the address was deleted, and the kernel took the routes with it',
    edit: (dump) => {
      editLink(dump, 'w1', 'flannel.1', (link) => (link.addr_info = []))
      dropLines(dump, 'w1', 'routes', 'via 10.244')
      dropLines(dump, 'w1', 'neighbours', 'dev flannel.1')
    },
    where: 'w1',
    shows: 'flannel.1 has no address',
    breaks: across,
  },
  {
    code: 'FLANNEL_WRONG_IFACE',
    fault: 'all nodes announce the address of their NAT interface',
    edit: (dump) => {
      for (const { name } of dump.cluster!.nodes) annotate(dump, name, 'public-ip', '10.0.2.15')
      for (const { node } of dump.nodes) replace(dump, node, 'fdb', /dst 192\.168\.56\.1\d/, 'dst 10.0.2.15')
    },
    where: 'cp1 -> w1',
    shows: 'public-ip"]: 10.0.2.15',
    breaks: { nodes: ['cp1', 'w1'], acrossOnly: true },
  },
  {
    code: 'FLANNEL_WRONG_IFACE',
    fault: 'one node announces the address of a network that the others are not on',
    edit: (dump) => {
      editLink(dump, 'w1', 'eth0', (link) => Object.assign(link.addr_info[0], { local: '10.0.2.15', prefixlen: 24 }))
      replace(dump, 'w1', 'routes', /172\.17\.0\.(0\/16|\d+)/, '10.0.2.15')
      annotate(dump, 'w1', 'public-ip', '10.0.2.15')
      replace(dump, 'cp1', 'fdb', 'dst 192.168.56.12', 'dst 10.0.2.15')
    },
    where: 'w1',
    shows: 'public-ip"]: 10.0.2.15',
    breaks: across,
  },
  {
    code: 'PUBLIC_IP_STALE',
    fault: 'the node got another address from DHCP',
    edit: (dump) => {
      editLink(dump, 'w1', 'eth1', (link) => (link.addr_info[0].local = '192.168.56.77'))
      editCluster(dump, ({ nodes }) => (nodes.find(({ name }) => name === 'w1')!.internalIPs = ['192.168.56.77']))
    },
    where: 'w1',
    shows: 'eth1 192.168.56.77',
    breaks: across,
  },
  {
    code: 'VNI_MISMATCH',
    fault: 'the device was made anew with another VNI',
    edit: (dump) => editLink(dump, 'w1', 'flannel.1', (link) => (link.linkinfo.info_data.id = 2)),
    where: 'w1',
    shows: 'vxlan id 2',
    breaks: across,
  },
  {
    code: 'VXLAN_PORT_MISMATCH',
    fault: 'the device was made anew with the port of IANA, and has no routes yet',
    edit: (dump) => {
      editLink(dump, 'w1', 'flannel.1', (link) => (link.linkinfo.info_data.port = 4789))
      dropLines(dump, 'w1', 'routes', 'via 10.244')
      dropLines(dump, 'w1', 'neighbours', 'dev flannel.1')
      dropLines(dump, 'w1', 'fdb', 'dev flannel.1')
    },
    where: 'w1',
    shows: 'vxlan dstport 4789',
    breaks: across,
  },
  {
    code: 'VTEP_MAC_DRIFT',
    fault: 'systemd-udevd gave flannel.1 another MAC, and the kernel dropped its neighbours',
    edit: (dump) => {
      editLink(dump, 'w1', 'flannel.1', (link) => (link.address = '0e:11:22:33:44:55'))
      dropLines(dump, 'w1', 'neighbours', 'dev flannel.1')
    },
    where: 'w1',
    shows: 'link/ether 0e:11:22:33:44:55',
    breaks: across,
  },
  {
    code: 'ROUTE_SHADOWED',
    fault: 'a blackhole for half of the pods of a node',
    edit: (dump) => addLine(dump, 'cp1', 'routes', 'blackhole 10.244.1.0/25', '10.244.1.0/24'),
    where: 'cp1 -> w1',
    shows: 'blackhole 10.244.1.0/25',
    breaks: pair,
  },
  {
    code: 'ROUTE_SHADOWED',
    fault: "an unreachable route in the place of flannel's",
    edit: (dump) => replace(dump, 'cp1', 'routes', /^10\.244\.1\.0\/24 via.*$/m, 'unreachable 10.244.1.0/24'),
    where: 'cp1 -> w1',
    shows: 'unreachable 10.244.1.0/24',
    breaks: pair,
  },
  {
    code: 'ROUTE_SHADOWED',
    fault: 'a more specific route to one pod',
    edit: (dump) => addLine(dump, 'cp1', 'routes', '10.244.1.5 via 172.17.0.1 dev eth0', '10.244.1.0/24'),
    where: 'cp1 -> w1',
    shows: '10.244.1.5 via 172.17.0.1 dev eth0',
    breaks: pair,
  },
  {
    code: 'ROUTE_SHADOWED',
    fault: 'a more specific route through the tunnel, to the wrong peer',
    edit: (dump) =>
      addLine(dump, 'cp1', 'routes', '10.244.1.128/25 via 10.244.3.0 dev flannel.1 onlink', '10.244.1.0/24'),
    where: 'cp1 -> w1',
    shows: '10.244.1.128/25 via 10.244.3.0',
    breaks: pair,
  },
  {
    code: 'ROUTE_SHADOWED',
    fault: 'a policy rule sends what comes from pods to another table',
    edit: (dump) => {
      addLine(dump, 'w1', 'rules', '100:\tfrom 10.244.0.0/16 lookup 100', '32766:')
      addLine(dump, 'w1', 'routes', 'default via 172.17.0.1 dev eth0 table 100')
    },
    where: 'w1',
    shows: '100:\tfrom 10.244.0.0/16 lookup 100',
    breaks: across,
    begin: () => grown(3),
  },
  {
    code: 'ROUTE_SHADOWED',
    fault: 'a policy rule sends what is for one node to a table without a way',
    edit: (dump) => {
      addLine(dump, 'w1', 'rules', '51:\tfrom all to 10.244.2.0/24 lookup 51', '32766:')
      addLine(dump, 'w1', 'routes', 'unreachable 10.244.2.0/24 table 51')
    },
    where: 'w1 -> w2',
    shows: 'unreachable 10.244.2.0/24 table 51',
    breaks: { pairs: [['w1', 'w2']] },
    begin: () => grown(3),
  },
  {
    code: 'PEER_ROUTE_MISSING',
    fault: 'ip route del',
    edit: (dump) => dropLines(dump, 'cp1', 'routes', '10.244.1.0/24 via'),
    where: 'cp1 -> w1',
    shows: '(nothing)',
    breaks: pair,
  },
  {
    code: 'PEER_ROUTE_MISSING',
    fault: 'flannel.1 was down for a moment: routes and neighbours are gone, and that is one finding',
    edit: (dump) => {
      dropLines(dump, 'w1', 'routes', 'dev flannel.1 onlink')
      dropLines(dump, 'w1', 'neighbours', 'dev flannel.1')
    },
    where: 'w1',
    shows: 'ip route show 10.244.0.0/24',
    breaks: { pairs: ['cp1', 'w2', 'w3'].map((peer) => ['w1', peer] as const) },
    begin: () => grown(3),
  },
  {
    code: 'PEER_ROUTE_WRONG',
    fault: 'the route leads to the default gateway',
    edit: (dump) =>
      replace(
        dump,
        'cp1',
        'routes',
        '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink',
        '10.244.1.0/24 via 172.17.0.1 dev eth0',
      ),
    where: 'cp1 -> w1',
    shows: '10.244.1.0/24 via 172.17.0.1 dev eth0',
    breaks: pair,
  },
  {
    code: 'PEER_ROUTE_WRONG',
    fault: 'the route leads to another peer',
    edit: (dump) => replace(dump, 'cp1', 'routes', '10.244.1.0/24 via 10.244.1.0', '10.244.1.0/24 via 10.244.2.0'),
    where: 'cp1 -> w1',
    shows: 'via 10.244.2.0',
    breaks: pair,
    begin: () => grown(3),
  },
  {
    code: 'PEER_NEIGH_MISSING',
    fault: 'the entry is gone',
    edit: (dump) => dropLines(dump, 'cp1', 'neighbours', '10.244.1.0 dev flannel.1'),
    where: 'cp1 -> w1',
    shows: '(nothing)',
    breaks: pair,
  },
  {
    code: 'PEER_NEIGH_MISSING',
    fault: 'the entry has failed',
    edit: (dump) => replace(dump, 'cp1', 'neighbours', /^10\.244\.1\.0 .*$/m, '10.244.1.0 dev flannel.1 FAILED'),
    where: 'cp1 -> w1',
    shows: '10.244.1.0 dev flannel.1 FAILED',
    breaks: pair,
  },
  {
    code: 'PEER_NEIGH_STALE',
    fault: 'the peer had another MAC before, and the FDB still has the old one too',
    edit: (dump) => {
      for (const part of ['neighbours', 'fdb']) replace(dump, 'cp1', part, macOf(dump, 'w1'), '0e:aa:bb:cc:dd:ee')
    },
    where: 'cp1 -> w1',
    shows: 'lladdr 0e:aa:bb:cc:dd:ee PERMANENT',
    breaks: pair,
  },
  {
    code: 'PEER_NEIGH_STALE',
    fault: 'all peers kept the old MAC of one node: one finding, at that node',
    edit: (dump) => {
      for (const node of ['cp1', 'w2', 'w3'])
        for (const part of ['neighbours', 'fdb']) replace(dump, node, part, macOf(dump, 'w1'), '0e:aa:bb:cc:dd:ee')
    },
    where: 'w1',
    shows: 'lladdr 0e:aa:bb:cc:dd:ee PERMANENT',
    breaks: { pairs: ['cp1', 'w2', 'w3'].map((node) => [node, 'w1'] as const) },
    begin: () => grown(3),
  },
  {
    code: 'PEER_FDB_MISSING',
    fault: 'bridge fdb del',
    edit: (dump) => dropLines(dump, 'cp1', 'fdb', macOf(dump, 'w1')),
    where: 'cp1 -> w1',
    shows: '(nothing)',
    breaks: pair,
  },
  {
    code: 'PEER_FDB_STALE',
    fault: 'the entry names the old address of the host',
    edit: (dump) => replace(dump, 'cp1', 'fdb', 'dst 192.168.56.12', 'dst 192.168.56.250'),
    where: 'cp1 -> w1',
    shows: 'dev flannel.1 dst 192.168.56.250 self permanent',
    breaks: pair,
  },
  {
    code: 'CNI0_MISSING',
    fault: 'ip link del cni0',
    edit: (dump) => {
      const { veth } = podOn(dump)
      linkGone(dump, 'w1', 'cni0')
      editLink(dump, 'w1', veth, (link) => delete link.master)
    },
    where: 'w1',
    shows: 'Device "cni0" does not exist.',
    breaks: w1(),
  },
  {
    code: 'CNI0_DOWN',
    fault: 'ip link set cni0 down',
    edit: (dump) => {
      editLink(dump, 'w1', 'cni0', down)
      dropLines(dump, 'w1', 'routes', /^10\.244\.1\.0\/24 dev cni0/)
    },
    where: 'w1',
    shows: 'cni0: <BROADCAST,MULTICAST>',
    breaks: w1(),
  },
  {
    code: 'CNI0_ADDRESS_WRONG',
    fault: 'another address',
    edit: (dump) => {
      editLink(dump, 'w1', 'cni0', (link) => (link.addr_info[0].local = '10.244.9.1'))
      replace(
        dump,
        'w1',
        'routes',
        /^10\.244\.1\.0\/24 dev cni0.*$/m,
        '10.244.9.0/24 dev cni0 proto kernel scope link src 10.244.9.1',
      )
    },
    where: 'w1',
    shows: 'inet 10.244.9.1/24 scope global cni0',
    breaks: w1(),
  },
  {
    code: 'VETH_DETACHED',
    fault: 'ip link set VETH nomaster',
    edit: (dump) => editLink(dump, 'w1', podOn(dump).veth, (link) => delete link.master),
    where: (dump) => podOn(dump).name,
    shows: 'state UP',
    breaks: { nodes: [] },
  },
  {
    code: 'VETH_DETACHED',
    fault: 'the link of a pod of cluster DNS is down',
    edit: (dump) => {
      const dns = dump.cluster!.pods.find(({ labels }) => labels['k8s-app'] === 'kube-dns')!
      dump.cluster!.pods = [dns, ...dump.cluster!.pods.filter((pod) => pod !== dns)]
      editLink(dump, 'cp1', podOn(dump, 'cp1').veth, down)
    },
    where: (dump) => {
      const dns = dump.cluster!.pods.find(({ labels }) => labels['k8s-app'] === 'kube-dns')!
      return `kube-system/${dns.name}`
    },
    shows: 'state DOWN',
    breaks: { scenarios: ['dns'] },
  },
  {
    code: 'POD_LINK_DOWN',
    fault: 'eth0 of a pod is down',
    edit: (dump) => {
      const { part, veth } = podOn(dump)
      editLink(dump, 'w1', 'eth0', down, part('links'))
      dropLines(dump, 'w1', part('routes'), 'dev eth0')
      editLink(dump, 'w1', veth, (link) => {
        link.flags = ['NO-CARRIER', 'BROADCAST', 'MULTICAST', 'UP']
        link.operstate = 'LOWERLAYERDOWN'
      })
      editLink(dump, 'w1', veth, (port) => (port.state = 'disabled'), 'ports')
    },
    where: (dump) => podOn(dump).name,
    shows: 'eth0: <BROADCAST,MULTICAST>',
    breaks: { nodes: [] },
  },
  {
    code: 'POD_LINK_DOWN',
    fault: 'eth0 of a pod lost its address',
    edit: (dump) => editLink(dump, 'w1', 'eth0', (link) => link.addr_info.shift(), podOn(dump).part('links')),
    where: (dump) => podOn(dump).name,
    shows: 'inet6 fe80',
    breaks: { nodes: [] },
  },
  {
    code: 'POD_ROUTE_MISSING',
    fault: 'a pod without default route',
    edit: (dump) => dropLines(dump, 'w1', podOn(dump).part('routes'), 'default via'),
    where: (dump) => podOn(dump).name,
    shows: '10.244.1.0/24 dev eth0 proto kernel',
    breaks: { nodes: [] },
  },
  {
    code: 'POD_IP_OUTSIDE_PODCIDR',
    fault: 'a pod that was made with another configuration',
    edit: (dump) => {
      const { pod, part } = podOn(dump)
      replace(dump, 'w1', part('links'), pod.ips[0]!, '10.88.0.4')
      pod.ips = ['10.88.0.4']
    },
    where: (dump) => podOn(dump).name,
    shows: '10.88.0.4 w1',
    breaks: { nodes: [] },
  },
  {
    code: 'POD_IP_DUPLICATE',
    fault: 'two pods of a node have one IP',
    edit: (dump) => {
      const [one, two] = dump.cluster!.pods.filter(({ node, hostNetwork }) => node === 'cp1' && !hostNetwork)
      for (const part of Object.keys(nodeOf(dump, 'cp1').parts).filter((name) => /^pod.*links$/.test(name)))
        nodeOf(dump, 'cp1').parts[part] = partOf(dump, 'cp1', part).replaceAll(`"${one!.ips[0]}"`, `"${two!.ips[0]}"`)
      one!.ips = [...two!.ips]
    },
    where: (dump) => {
      const one = dump.cluster!.pods.find(({ node, hostNetwork }) => node === 'cp1' && !hostNetwork)!
      return `${one.namespace}/${one.name}`
    },
    shows: ' cp1',
    breaks: expect.anything(),
  },
  {
    code: 'MTU_UNDERLAY',
    fault: 'the interface of the node has only 1450',
    edit: (dump) => editLink(dump, 'w1', 'eth1', (link) => (link.mtu = 1450)),
    where: 'w1',
    shows: 'mtu 1450 state UP link/ether',
    breaks: { scenarios: ['large-packets'], nodes: ['w1'], acrossOnly: true },
  },
  ...(
    [
      ['flannel.1', 1400],
      ['flannel.1', 8950],
      ['cni0', 1400],
      ['cni0', 1500],
    ] as const
  ).map(
    ([name, mtu]): FullRow => ({
      code: 'MTU_MISMATCH',
      fault: `${name} has MTU ${mtu}`,
      edit: (dump) => editLink(dump, 'w1', name, (link) => (link.mtu = mtu)),
      where: 'w1',
      shows: `${name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu}`,
      breaks: { scenarios: ['large-packets'], nodes: ['w1'] },
    }),
  ),
  {
    code: 'MTU_MISMATCH',
    fault: 'eth0 of a pod has more than its other end',
    edit: (dump) => editLink(dump, 'w1', 'eth0', (link) => (link.mtu = 1500), podOn(dump).part('links')),
    where: 'w1',
    shows: 'FLANNEL_MTU=1450',
    breaks: { scenarios: ['large-packets'], nodes: ['w1'] },
  },
  {
    code: 'MTU_MISMATCH',
    fault: 'a pod has less than the others on both ends, which harms nobody',
    edit: (dump) => {
      const { part, veth } = podOn(dump)
      editLink(dump, 'w1', 'eth0', (link) => (link.mtu = 1400), part('links'))
      editLink(dump, 'w1', veth, (link) => (link.mtu = 1400))
      editLink(dump, 'w1', 'cni0', (link) => (link.mtu = 1400))
    },
    where: 'w1',
    shows: 'mtu 1400',
    breaks: { scenarios: ['large-packets'], nodes: [] },
    level: 'warning',
  },
  {
    code: 'MTU_MISMATCH',
    fault: 'a node with jumbo frames among others without',
    edit: (dump) => {
      for (const part of Object.keys(nodeOf(dump, 'w1').parts).filter((name) => /links$/.test(name)))
        nodeOf(dump, 'w1').parts[part] = partOf(dump, 'w1', part)
          .replaceAll('"mtu":1450', '"mtu":8950')
          .replaceAll('"mtu":1500', '"mtu":9000')
      replace(dump, 'w1', 'flannel-env', 'MTU=1450', 'MTU=8950')
    },
    where: 'w1',
    shows: 'FLANNEL_MTU=8950',
    breaks: { scenarios: ['large-packets'], nodes: ['w1'], acrossOnly: true },
    level: 'warning',
  },
  {
    code: 'VXLAN_CSUM_OFFLOAD',
    fault: 'a third of the UDP packets has wrong checksums',
    edit: (dump) => replace(dump, 'w1', 'counters', /^(Udp: \d+ \d+) \d+ (\d+ \d+ \d+) \d+ /m, '$1 150 $2 150 '),
    where: 'w1',
    shows: 'UdpInCsumErrors 150',
    breaks: across,
  },
  {
    code: 'IPAM_LEAK',
    fault: 'files of a hundred pods that are gone: a warning',
    edit: (dump) => {
      for (let n = 100; n < 200; n++) addLine(dump, 'w1', 'cni-leases', `cbr0/10.244.1.${n}`)
    },
    where: 'w1',
    shows: '10.244.1.199',
    breaks: { nodes: [] },
    level: 'warning',
  },
  {
    code: 'IPAM_LEAK',
    fault: 'no address is left',
    edit: (dump) => {
      const { pod } = podOn(dump)
      for (let n = 2; n < 255; n++)
        if (!pod.ips.includes(`10.244.1.${n}`)) addLine(dump, 'w1', 'cni-leases', `cbr0/10.244.1.${n}`)
    },
    where: 'w1',
    shows: '10.244.1.254',
    breaks: w1(),
  },
]

describe('the causes of the pod network', () => {
  eachComesAlone(table)

  it('have a case in the table each, but for those that have a test of their own', () => {
    const tried = new Set(table.map(({ code }) => code))
    const own = [
      'PODCIDR_OUTSIDE',
      'HOST_GW_NOT_ADJACENT',
      'HOSTPORT_RULES_MISSING',
      'HOSTPORT_TAKEN',
      'HOSTPORT_BLOCKED',
    ]
    expect(podNetworkCauses.map(({ code }) => code).filter((code) => !tried.has(code))).toEqual(own)
  })

  it('say what they are, how it is seen and what to do', () => {
    for (const { code, because, shows, fix } of podNetworkCauses) {
      expect(because.split(/[.!?](?:\s|$)/).filter(Boolean).length, code).toBeGreaterThan(1)
      expect(shows && fix, code).toBeTruthy()
    }
  })
})
