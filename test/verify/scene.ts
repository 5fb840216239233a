import type { Host, Inventory } from '../../src/model/inventory.ts'
import type { FullScene, Scene } from '../../src/verify/case.ts'
import type { ClusterState, PodState } from '../../src/verify/cluster.ts'
import type { services } from '../../src/verify/manifests.ts'

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

/** What the full level has besides: pods u on the first node, v on the second and p on the last one, and its Services. */
export function fullStateOf(inventory: Inventory): ClusterState {
  const state = stateOf(inventory)
  const { hosts } = inventory
  const extra = (letter: string, index: number, last: number) =>
    pod({ name: `${letter}-${hosts[index]?.name}`, node: hosts[index]?.name ?? '', ip: `10.244.${index}.${last}` })
  const ports = (first: number) =>
    new Map([
      ['tcp', first],
      ['udp', first + 1],
    ])
  const clusterIPs: Record<keyof typeof services, readonly [string, number?]> = {
    local: ['10.99.2.1'],
    affinity: ['10.99.2.2'],
    edge: ['10.99.2.3', 30011],
    one: ['10.99.2.4', 30021],
    headless: ['None'],
    elsewhere: [''],
    gone: ['10.99.2.7'],
  }
  return {
    ...state,
    pods: [
      ...state.pods,
      extra('u', 0, 20),
      extra('v', Math.min(1, hosts.length - 1), 21),
      extra('p', hosts.length - 1, 22),
    ],
    services: [
      ...state.services,
      ...Object.entries(clusterIPs).map(([name, [clusterIP, port]]) => ({
        namespace,
        name,
        clusterIP,
        nodePorts: port ? ports(port) : new Map(),
      })),
    ],
  }
}

export function fullSceneOf(nodes: number, changes: Partial<FullScene> = {}, scene: Partial<Scene> = {}): Scene {
  const inventory = inventoryOf(nodes)
  const state = fullStateOf(inventory)
  const names = inventory.hosts.map(({ name }) => name)
  return sceneOf(nodes, {
    state,
    full: {
      resolv: new Map(
        names.map((name) => [
          name,
          [
            `search ${namespace}.svc.cluster.local svc.cluster.local cluster.local`,
            'nameserver 10.96.0.10',
            'options ndots:5',
          ],
        ]),
      ),
      hosts: new Set(names),
      extras: new Set(state.pods.filter((it) => it.namespace === namespace).map(({ name }) => name)),
      ...changes,
    },
    ...scene,
  })
}
