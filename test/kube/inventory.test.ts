import { describe, expect, it } from 'vitest'
import { inventoryFromApi } from '../../src/kube/inventory.ts'
import type { KubeApi, KubeNode } from '../../src/model/kube.ts'
import { Failure } from '../../src/model/trouble.ts'

/** An API server that knows these objects, by their path. */
function apiOf(objects: Record<string, unknown>, nodes: KubeNode[]): KubeApi {
  const no = () => Promise.reject(new Error('nothing is to be changed'))
  return {
    server: 'https://192.0.2.1:6443',
    find: async <T>(path: string) => {
      const found = objects[path]
      if (found instanceof Failure) throw found
      return found as T | undefined
    },
    list: async <T>(path: string) => (path === '/api/v1/nodes' ? nodes : []) as T[],
    text: no,
    create: no,
    remove: no,
  }
}

const node = (name: string, addresses: Record<string, string>, more: Partial<KubeNode['metadata']> = {}): KubeNode => ({
  metadata: { name, ...more },
  status: {
    addresses: Object.entries(addresses).map(([type, address]) => ({ type: type.replace(/\d$/, ''), address })),
    conditions: [{ type: 'Ready', status: name.startsWith('down') ? 'False' : 'True' }],
    nodeInfo: { operatingSystem: name.startsWith('win') ? 'windows' : 'linux' },
  },
})
const master = { labels: { 'node-role.kubernetes.io/control-plane': '' } }
const kubeadm = '/api/v1/namespaces/kube-system/configmaps/kubeadm-config'
const options = { file: 'admin.conf', name: 'lab', user: 'me' }

describe('the inventory of a cluster', () => {
  it('has every Linux node with the address that the cluster has of it, a Ready control plane first', async () => {
    const nodes = [
      node('w1', { Hostname: 'w1', InternalIP: '10.0.0.2', ExternalIP: '192.0.2.2' }),
      node('down-cp', { InternalIP: '10.0.0.8' }, master),
      node('cp.example.org', { InternalIP: 'fd00::1', InternalIP2: '10.0.0.1' }, master),
      node('far', { ExternalIP: '192.0.2.9' }),
      node('named', { Hostname: 'named.example.org' }),
      node('win', { InternalIP: '10.0.0.4' }),
    ]
    const { hosts } = await inventoryFromApi(apiOf({}, nodes), options)
    expect(hosts.map(({ name, address, nodeIP, role }) => [name, address, nodeIP, role])).toEqual([
      ['cp.example.org', '10.0.0.1', '10.0.0.1', 'control-plane'],
      ['down-cp', '10.0.0.8', '10.0.0.8', 'control-plane'],
      ['w1', '10.0.0.2', '10.0.0.2', 'worker'],
      ['far', '192.0.2.9', '192.0.2.9', 'worker'],
      ['named', 'named.example.org', 'named.example.org', 'worker'],
    ])
  })

  it('leaves to ~/.ssh/config what nobody said', async () => {
    const api = apiOf({}, [node('w1', { InternalIP: '10.0.0.2' })])
    const [silent] = (await inventoryFromApi(api, options)).hosts
    const [said] = (await inventoryFromApi(api, { ...options, ssh: 'admin' })).hosts
    expect(silent).toMatchObject({ user: 'me', unsaid: ['user', 'port', 'knownHosts', 'jump'] })
    expect(said).toMatchObject({ user: 'admin', unsaid: ['port', 'knownHosts', 'jump'] })
  })

  it('has the networks of kubeadm, of two families the IPv4 one', async () => {
    const text =
      'networking: { podSubnet: "fd01::/48,10.9.0.0/16", serviceSubnet: 10.8.0.0/16, dnsDomain: example.test }'
    const flannel = { annotations: { 'flannel.alpha.coreos.com/backend-type': 'host-gw' } }
    const objects = { [kubeadm]: { data: { ClusterConfiguration: text } }, '/version': { gitVersion: 'v1.36.2' } }
    const { cluster } = await inventoryFromApi(
      apiOf(objects, [node('w1', { InternalIP: '10.0.0.2' }, flannel)]),
      options,
    )
    expect(cluster).toMatchObject({
      kubernetes: '1.36.2',
      podSubnet: '10.9.0.0/16',
      serviceSubnet: '10.8.0.0/16',
      dnsDomain: 'example.test',
      network: { provider: 'flannel', backend: 'host-gw' },
    })
  })

  it('has what else says it where kubeadm did not make the cluster, or may not be read', async () => {
    const forbidden = new Failure(5, { code: 'API_FORBIDDEN', message: 'no' })
    const objects = {
      [kubeadm]: forbidden,
      '/apis/networking.k8s.io/v1/servicecidrs/kubernetes': { spec: { cidrs: ['10.43.0.0/16'] } },
      '/api/v1/namespaces/kube-system/configmaps/coredns': {
        data: { Corefile: '.:53 {\n  kubernetes k3s.test in-addr.arpa {\n  }\n}' },
      },
    }
    const nodes = [{ ...node('w1', { InternalIP: '10.0.0.2' }), spec: { podCIDR: '10.42.0.0/24' } }]
    const { cluster } = await inventoryFromApi(apiOf(objects, nodes), options)
    expect(cluster).toMatchObject({
      podSubnet: '0.0.0.0/0',
      serviceSubnet: '10.43.0.0/16',
      dnsDomain: 'k3s.test',
      network: { provider: 'unknown' },
    })
  })

  it('is refused where there is no node', async () => {
    await expect(inventoryFromApi(apiOf({}, []), options)).rejects.toThrow(/NO_CLUSTER/)
  })
})
