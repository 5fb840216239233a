import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { clusterView } from '../../src/dump/cluster.ts'
import { readCluster } from '../../src/dump/read-cluster.ts'

const pod = {
  kind: 'Pod',
  metadata: { namespace: 'd', name: 'p', uid: 'u', labels: { app: 'x' }, annotations: { note: 'TOPSECRET' } },
  spec: {
    nodeName: 'w1',
    containers: [
      {
        name: 'c',
        env: [{ name: 'PASSWORD', value: 'TOPSECRET' }],
        args: ['--token=TOPSECRET'],
        ports: [{ containerPort: 80, hostPort: 8080 }],
      },
    ],
  },
  status: {
    phase: 'Running',
    podIP: '10.244.1.2',
    containerStatuses: [
      {
        name: 'c',
        containerID: 'containerd://abc',
        restartCount: 3,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { reason: 'Error', message: `${'x'.repeat(900)}the end\n` } },
      },
    ],
  },
}

describe('what the API server says', () => {
  it('keeps no environment, no argument and no annotation of a pod', () => {
    const view = clusterView({ pods: { items: [pod] } })
    expect(JSON.stringify(view)).not.toContain('TOPSECRET')
    expect(view.pods[0]).toMatchObject({ node: 'w1', ips: ['10.244.1.2'], ready: false, leaving: false })
    const [container] = view.pods[0]!.containers
    expect(container).toMatchObject({
      id: 'abc',
      restarts: 3,
      waiting: 'CrashLoopBackOff',
      ports: [{ port: 80, protocol: 'tcp', hostPort: 8080 }],
    })
    expect(container!.ended).toHaveLength(500)
    expect(container!.ended).toMatch(/the end$/)
  })

  it.each([
    ['nobody said anything', {}, { ready: true, serving: true, terminating: false }],
    ['it is not ready', { ready: false }, { ready: false, serving: false, terminating: false }],
    [
      'it ends, and still serves',
      { ready: false, serving: true, terminating: true },
      { ready: false, serving: true, terminating: true },
    ],
  ])('knows an endpoint: %s', (_, conditions, wanted) => {
    const slice = {
      metadata: { namespace: 'd', name: 's-1', labels: { 'kubernetes.io/service-name': 's' } },
      ports: [{ port: 53, protocol: 'UDP', name: 'dns' }],
      endpoints: [{ addresses: ['10.0.0.1'], conditions }],
    }
    const [read] = clusterView({ endpointslices: { items: [slice] } }).slices
    expect(read).toMatchObject({ service: 's', ports: [{ name: 'dns', protocol: 'udp', port: 53 }] })
    expect(read!.endpoints).toEqual([{ ip: '10.0.0.1', ...wanted }])
  })

  it('is empty where there is nothing, and does not stumble over what is missing', () => {
    expect(clusterView({})).toEqual({
      version: '',
      nodes: [],
      pods: [],
      services: [],
      slices: [],
      policies: [],
      ingresses: [],
      daemonSets: [],
      configs: { provider: 'unknown' },
    })
    expect(() =>
      clusterView({
        nodes: { items: [{}] },
        pods: { items: [{}] },
        services: { items: [{}] },
        ingresses: { items: [{}] },
      }),
    ).not.toThrow()
  })

  const map = (name: string, data: Record<string, string>, namespace = 'kube-system') => ({
    metadata: { name, namespace },
    data,
  })
  const set = (name: string) => ({ metadata: { name, namespace: 'kube-system' } })
  it('finds what each part was told of the networks', () => {
    const { configs } = clusterView({
      configmaps: {
        items: [
          map('kubeadm-config', {
            ClusterConfiguration: 'networking:\n  podSubnet: 10.1.0.0/16\n  serviceSubnet: 10.96.0.0/12\n',
          }),
          map('kube-proxy', {
            'config.conf': 'mode: ""\nclusterCIDR: 10.2.0.0/16\niptables:\n  masqueradeAll: true\n',
          }),
          map(
            'kube-flannel-cfg',
            { 'net-conf.json': '{ "Network": "10.3.0.0/16", "Backend": { "Type": "host-gw", "MTU": 1400 } }' },
            'net',
          ),
        ],
      },
      pods: {
        items: [
          {
            metadata: {
              namespace: 'kube-system',
              name: 'kube-controller-manager-cp1',
              labels: { component: 'kube-controller-manager' },
            },
            spec: {
              containers: [
                { command: ['kube-controller-manager', '--allocate-node-cidrs=true', '--cluster-cidr=10.4.0.0/16'] },
              ],
            },
          },
        ],
      },
    })
    expect(configs).toEqual({
      kubeadm: { podSubnet: '10.1.0.0/16', serviceSubnet: '10.96.0.0/12' },
      proxy: { mode: 'iptables', clusterCIDR: '10.2.0.0/16', masqueradeAll: true },
      flannel: { namespace: 'net', network: '10.3.0.0/16', backend: 'host-gw', port: 8472, vni: 1, mtu: 1400 },
      controllerManager: { clusterCIDR: '10.4.0.0/16', allocate: true },
      provider: 'flannel',
    })
  })

  it.each([
    ['cilium', 'cilium'],
    ['calico-node', 'calico'],
    ['kube-flannel-ds', 'flannel'],
    ['something', 'unknown'],
  ])('sees by the DaemonSet %s that the provider is %s', (name, provider) => {
    expect(clusterView({ daemonsets: { items: [set(name)] } }).configs.provider).toBe(provider)
  })
})

describe('the answer of the control plane', () => {
  const answer = (sections: Record<string, string>) =>
    gzipSync(
      Object.entries(sections)
        .map(([name, text]) => `m ${name}\n${text}\n`)
        .join(''),
    ).toString('base64')
  const node = { kind: 'Node', metadata: { name: 'w1' } }

  it('sorts the objects of all kinds apart', () => {
    const lists = JSON.stringify({
      items: [node, pod, { kind: 'Service', metadata: { name: 's' } }, { kind: 'Secret', metadata: { name: 'no' } }],
    })
    const view = readCluster(
      answer({ version: '{"gitVersion":"v1.37.1"}', lists, configs: '', flannel: '{"items":[]}', end: '' }),
      'm',
    )
    expect([view.version, view.nodes.length, view.pods.length, view.services.length]).toEqual(['1.37.1', 1, 1, 1])
  })

  it.each([
    ['it broke off', { version: '{}', lists: JSON.stringify({ items: [node] }) }, 'broke off'],
    ['it has no nodes', { version: '{}', lists: '', configs: '', flannel: '', end: '' }, 'told of no node'],
  ])('is none where %s', (_, sections, why) => {
    expect(() => readCluster(answer(sections), 'm')).toThrow(why)
  })
})
