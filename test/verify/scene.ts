import type { Host, Inventory } from '../../src/model/inventory.ts'
import type { Scene } from '../../src/verify/case.ts'
import type { ClusterState, PodState } from '../../src/verify/cluster.ts'

export const namespace = 'k8snet-verify-0badcafe'

/** An inventory of one control plane and workers: cp1, w1, w2 ... with node IPs 192.168.56.11, .12 ... */
export function inventoryOf(nodes: number): Inventory {
  const hosts = Array.from(
    { length: nodes },
    (_, i): Host => ({
      name: i === 0 ? 'cp1' : `w${i}`,
      role: i === 0 ? 'control-plane' : 'worker',
      address: '127.0.0.1',
      port: 2222 + i,
      nodeIP: `192.168.56.${11 + i}`,
      user: 'admin',
      become: 'sudo',
      knownHosts: '/dev/null',
    }),
  )
  return {
    file: 'inventory.yaml',
    cluster: {
      name: 'test',
      kubernetes: '1.37.1',
      podSubnet: '10.244.0.0/16',
      serviceSubnet: '10.96.0.0/12',
      dnsDomain: 'cluster.local',
      imageRepository: 'registry.k8s.io',
      network: { provider: 'flannel', backend: 'vxlan' },
      proxy: 'iptables',
      certSANs: [],
    },
    source: { bundle: 'bundle' },
    hosts,
  }
}

export function pod(fields: Partial<PodState> & Pick<PodState, 'name' | 'node'>): PodState {
  return {
    namespace,
    phase: 'Running',
    hostNetwork: false,
    ready: true,
    leaving: false,
    app: '',
    containers: new Map([['one', `id-of-${fields.name}`]]),
    ...fields,
  }
}

/** The state of a healthy cluster of these nodes: podCIDR 10.244.N.0/24, probe pods .2 and .3, two CoreDNS pods on cp1. */
export function stateOf({ hosts }: Inventory): ClusterState {
  return {
    nodes: hosts.map(({ name, nodeIP }, i) => ({
      name,
      podCIDR: `10.244.${i}.0/24`,
      internalIP: nodeIP,
      ready: true,
      reason: 'KubeletReady kubelet is posting ready status',
    })),
    pods: [
      ...hosts.flatMap(({ name }, i) => [
        pod({ name: `a-${name}`, node: name, ip: `10.244.${i}.2` }),
        pod({ name: `b-${name}`, node: name, ip: `10.244.${i}.3` }),
      ]),
      ...['x', 'y'].map((letter, i) =>
        pod({
          namespace: 'kube-system',
          name: `coredns-${letter}`,
          node: 'cp1',
          ip: `10.244.0.${10 + i}`,
          app: 'kube-dns',
        }),
      ),
    ],
    services: [
      { namespace: 'default', name: 'kubernetes', clusterIP: '10.96.0.1', nodePorts: new Map() },
      { namespace: 'kube-system', name: 'kube-dns', clusterIP: '10.96.0.10', nodePorts: new Map() },
      {
        namespace,
        name: 'probe',
        clusterIP: '10.99.1.2',
        nodePorts: new Map([
          ['tcp', 30001],
          ['udp', 30002],
        ]),
      },
    ],
    events: [],
  }
}

export function sceneOf(nodes: number, changes: Partial<Scene> = {}): Scene {
  const inventory = inventoryOf(nodes)
  const running = new Set(inventory.hosts.map(({ name }) => name))
  return { inventory, state: stateOf(inventory), namespace, running, fromController: new Set(), ...changes }
}
