import { describe, expect, it } from 'vitest'
import { addressChecks } from '../../src/verify/addresses.ts'
import { type ClusterState, parseState } from '../../src/verify/cluster.ts'
import { inventoryOf, pod, stateOf } from './scene.ts'

const inventory = inventoryOf(3)
const healthy = stateOf(inventory)
const node = (name: string, changes: object): ClusterState => ({
  ...healthy,
  nodes: healthy.nodes.map((it) => (it.name === name ? { ...it, ...changes } : it)),
})
const also = (...pods: ReturnType<typeof pod>[]): ClusterState => ({ ...healthy, pods: [...healthy.pods, ...pods] })
const faults = (state: ClusterState) =>
  addressChecks(inventory, state)
    .filter((check) => check.outcome !== 'passed')
    .map((check) => `${check.id} ${check.code}: ${check.evidence}`)

describe('addresses', () => {
  it('pass on a healthy cluster, five checks per node', () => {
    expect(faults(healthy)).toEqual([])
    expect(addressChecks(inventory, healthy)).toHaveLength(15)
  })

  it.each<[string, ClusterState, string[]]>([
    [
      'a node that is not Ready',
      node('w1', { ready: false, reason: 'KubeletNotReady cni plugin not initialized' }),
      ['addresses/w1/ready NODE_NOT_READY: kubectl get node w1: KubeletNotReady cni plugin not initialized'],
    ],
    [
      'a node that never joined',
      { ...healthy, nodes: healthy.nodes.filter(({ name }) => name !== 'w2') },
      ['addresses/w2/ready NODE_NOT_READY: kubectl get nodes: there is no node w2'],
    ],
    [
      'a podCIDR outside podSubnet',
      node('w1', { podCIDR: '10.32.1.0/24' }),
      [
        'addresses/w1/podcidr-in-subnet PODCIDR_OUTSIDE: node w1: podCIDR 10.32.1.0/24 is not in podSubnet 10.244.0.0/16',
        'addresses/w1/pod-ip-in-podcidr POD_IP_OUTSIDE_PODCIDR: podCIDR of w1 is 10.32.1.0/24; outside: k8snet-verify-0badcafe/a-w1 10.244.1.2, k8snet-verify-0badcafe/b-w1 10.244.1.3',
      ],
    ],
    [
      'podCIDRs that overlap',
      node('w1', { podCIDR: '10.244.0.0/23' }),
      [
        'addresses/cp1/podcidr-disjoint PODCIDR_DUPLICATE: podCIDR 10.244.0.0/24 of cp1 overlaps that of w1',
        'addresses/w1/podcidr-disjoint PODCIDR_DUPLICATE: podCIDR 10.244.0.0/23 of w1 overlaps that of cp1',
      ],
    ],
    [
      'a pod outside its podCIDR',
      also(pod({ namespace: 'default', name: 'web', node: 'w1', ip: '10.88.0.4' })),
      [
        'addresses/w1/pod-ip-in-podcidr POD_IP_OUTSIDE_PODCIDR: podCIDR of w1 is 10.244.1.0/24; outside: default/web 10.88.0.4',
      ],
    ],
    [
      'one IP of two pods',
      also(pod({ namespace: 'default', name: 'web', node: 'w1', ip: '10.244.1.2' })),
      [
        'addresses/w1/pod-ip-unique POD_IP_DUPLICATE: 10.244.1.2 belongs to k8snet-verify-0badcafe/a-w1 on w1, default/web on w1',
      ],
    ],
    [
      'pods that are in the host network, ended or leaving, which is no fault',
      also(
        pod({ name: 'etcd', node: 'cp1', ip: '192.168.56.11', hostNetwork: true }),
        pod({ name: 'job', node: 'w1', ip: '10.244.1.2', phase: 'Succeeded' }),
        pod({ name: 'old', node: 'w1', ip: '10.244.1.3', leaving: true }),
      ),
      [],
    ],
  ])('%s', (_, state, expected) => {
    expect(faults(state)).toEqual(expected)
  })

  it('a node without a podCIDR', () => {
    const nodes = healthy.nodes.map(({ podCIDR, ...it }) => (it.name === 'w1' || !podCIDR ? it : { ...it, podCIDR }))
    expect(faults({ ...healthy, nodes })).toEqual([
      'addresses/w1/podcidr-in-subnet PODCIDR_UNASSIGNED: node w1: spec.podCIDR is empty',
    ])
  })
})

describe('what kubectl prints', () => {
  it('of a cluster of two families with IPv6 first is read as its IPv4 side', () => {
    const { nodes, pods, services } = parseState(
      [
        'node\tcp1\tfd00:244::/64,fd00:244::/64,10.244.0.0/24,\tfd00:57::11,192.168.56.11,\tTrue\tKubeletReady "ok"',
        'pod\tns\ta-cp1\tcp1\tRunning\t\tTrue\t\tfd00:244::2\t\t\tfd00:244::2,10.244.0.2,',
        'service\tdefault\tkubernetes\tfd00:96::1,fd00:96::1,\thttps=,',
        'service\tns\tprobe\tfd00:96::2,fd00:96::2,10.99.1.2,\ttcp=30001,',
        'service\tns\theadless\tNone,None,\ttcp=,',
      ].join('\n'),
    )
    expect(nodes[0]).toMatchObject({ podCIDR: '10.244.0.0/24', internalIP: '192.168.56.11' })
    expect(pods[0]).toMatchObject({ ip: '10.244.0.2', otherIps: ['fd00:244::2'] })
    expect(services.map(({ clusterIP }) => clusterIP)).toEqual(['fd00:96::1', '10.99.1.2', 'None'])
  })

  it('is read into nodes, pods, Services and events', () => {
    const out = [
      'Warning: something about the API',
      'node\tcp1\t10.244.0.0/24\t192.168.56.11,\tTrue\tKubeletReady "kubelet is posting ready status"',
      'node\tw1\t\t192.168.56.12,\tFalse\tKubeletNotReady "container runtime \\"x\\": network\\nis not ready"',
      'pod\tkube-system\tcoredns-1\tcp1\tRunning\t\tTrue\t\t10.244.0.2\tkube-dns\tcoredns=containerd://abc,',
      'pod\tns\ta-w1\tw1\tPending\thost\tFalse\tleaving\t\t\tone=containerd://1,two=,',
      'service\tdefault\tkubernetes\t10.96.0.1\thttps=,',
      'service\tns\tprobe\t10.99.1.2\ttcp=30001,udp=30002,',
      'event\ta-w1\t"Failed to pull \\"pause\\""',
    ].join('\n')
    expect(parseState(out)).toEqual({
      nodes: [
        {
          name: 'cp1',
          podCIDR: '10.244.0.0/24',
          internalIP: '192.168.56.11',
          ready: true,
          reason: 'KubeletReady kubelet is posting ready status',
        },
        {
          name: 'w1',
          internalIP: '192.168.56.12',
          ready: false,
          reason: 'KubeletNotReady container runtime "x": network is not ready',
        },
      ],
      pods: [
        pod({
          namespace: 'kube-system',
          name: 'coredns-1',
          node: 'cp1',
          ip: '10.244.0.2',
          app: 'kube-dns',
          containers: new Map([['coredns', 'abc']]),
        }),
        pod({
          namespace: 'ns',
          name: 'a-w1',
          node: 'w1',
          phase: 'Pending',
          hostNetwork: true,
          ready: false,
          leaving: true,
          containers: new Map([['one', '1']]),
        }),
      ],
      services: [
        { namespace: 'default', name: 'kubernetes', clusterIP: '10.96.0.1', nodePorts: new Map() },
        {
          namespace: 'ns',
          name: 'probe',
          clusterIP: '10.99.1.2',
          nodePorts: new Map([
            ['tcp', 30001],
            ['udp', 30002],
          ]),
        },
      ],
      events: [{ object: 'a-w1', message: 'Failed to pull "pause"' }],
    })
  })
})
