import { stringify } from 'yaml'
import { leaderOf } from '../model/inventory.ts'
import { Secret } from '../model/secret.ts'
import type { Site } from '../model/step.ts'

/** What of a host kubeadm has to know. */
export interface Traits {
  readonly container: boolean
  readonly cgroupVersion: 1 | 2
}

const kubeadmApi = 'kubeadm.k8s.io/v1beta4'
const socket = 'unix:///run/containerd/containerd.sock'
const apiPort = 6443

/**
 * The control plane is slow to begin its work by two defaults: a lost try for its lease costs it 2 s, and its 40 controllers
 * share 20 requests a second while they start.
 */
const election = { 'leader-elect-retry-period': '500ms' }

/** The configuration of `kubeadm init`: one podSubnet for kubeadm, kube-proxy and flannel, the right address on every host. */
export function initConfig(site: Site, traits: Traits): Secret {
  const { cluster } = site.inventory
  const { host } = site
  return masked(site, ({ token }) => [
    {
      apiVersion: kubeadmApi,
      kind: 'InitConfiguration',
      bootstrapTokens: [
        {
          token,
          ttl: '2h0m0s',
          usages: ['signing', 'authentication'],
          groups: ['system:bootstrappers:kubeadm:default-node-token'],
        },
      ],
      localAPIEndpoint: { advertiseAddress: host.nodeIP, bindPort: apiPort },
      nodeRegistration: registration(site, traits),
      skipPhases: ['show-join-command'],
    },
    {
      apiVersion: kubeadmApi,
      kind: 'ClusterConfiguration',
      clusterName: cluster.name,
      kubernetesVersion: `v${cluster.kubernetes}`,
      controlPlaneEndpoint: endpointOf(site),
      imageRepository: cluster.imageRepository,
      networking: {
        podSubnet: cluster.podSubnet,
        serviceSubnet: cluster.serviceSubnet,
        dnsDomain: cluster.dnsDomain,
      },
      controllerManager: { extraArgs: args({ 'kube-api-qps': '100', 'kube-api-burst': '200', ...election }) },
      scheduler: { extraArgs: args(election) },
      apiServer: { certSANs: [...new Set([host.nodeIP, host.name, host.address, ...cluster.certSANs])] },
    },
    { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', cgroupDriver: 'systemd' },
    {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode: cluster.proxy,
      clusterCIDR: cluster.podSubnet,
      // connection tracking belongs to the machine around a container
      ...(traits.container && {
        conntrack: { maxPerCore: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
      }),
    },
  ])
}

/** The configuration of `kubeadm join`. */
export function joinConfig(site: Site, traits: Traits): Secret {
  return masked(site, ({ token, endpoint, caCertHash }) => [
    {
      apiVersion: kubeadmApi,
      kind: 'JoinConfiguration',
      discovery: {
        bootstrapToken: {
          apiServerEndpoint: endpoint,
          token,
          caCertHashes: [caCertHash],
        },
      },
      nodeRegistration: registration(site, traits),
    },
  ])
}

/** host:port of the API server. */
export function endpointOf({ inventory }: Site): string {
  const { nodeIP } = leaderOf(inventory)
  return nodeIP.includes(':') ? `[${nodeIP}]:${apiPort}` : `${nodeIP}:${apiPort}`
}

function registration({ host }: Site, traits: Traits) {
  const ignored = preflightErrors(traits)
  return {
    name: host.name,
    criSocket: socket,
    imagePullPolicy: 'Never',
    kubeletExtraArgs: [{ name: 'node-ip', value: host.nodeIP }],
    ...(ignored.length > 0 && { ignorePreflightErrors: ignored }),
  }
}

const args = (values: Record<string, string>) => Object.entries(values).map(([name, value]) => ({ name, value }))

/** SystemVerification refuses cgroup v1 and needs the kernel's configuration, which a container does not see. */
function preflightErrors({ container, cgroupVersion }: Traits): string[] {
  return [...(container || cgroupVersion === 1 ? ['SystemVerification'] : []), ...(container ? ['Swap'] : [])]
}

/** What becomes known on the way only. */
interface Late {
  readonly token: string
  readonly endpoint: string
  readonly caCertHash: string
}

/**
 * YAML documents with what becomes known on the way in them. They are shown with words in its place, before and after it is
 * known, so that a plan reads the same at any time.
 */
function masked(site: Site, documents: (late: Late) => object[]): Secret {
  const shown = {
    token: `${site.token} (made when up runs)`,
    endpoint: endpointOf(site),
    caCertHash: '(known after kubeadm init)',
  }
  const text = (late: Late) =>
    documents(late)
      .map((document) => stringify(document))
      .join('---\n')
  return new Secret(text({ ...shown, ...site.leader, token: site.token.reveal() }), text(shown))
}
