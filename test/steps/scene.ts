import type { parseFiles } from '../../src/facts/files.ts'
import type { Action } from '../../src/model/action.ts'
import type { Artifact, Manifest } from '../../src/model/bundle.ts'
import type { Facts, Questions } from '../../src/model/fact.ts'
import type { Cluster, Host, Inventory } from '../../src/model/inventory.ts'
import { Secret } from '../../src/model/secret.ts'
import type { Site, Step } from '../../src/model/step.ts'

const both = ['control-plane', 'worker'] as const
const file = (kind: 'binary' | 'cni', name: string, roles: Artifact['roles'] = both): Artifact => ({
  kind,
  name,
  version: '1.0.0',
  roles,
  size: 100,
  sha256: 'a'.repeat(64),
  file: `files/${name}`,
})
const image = (name: string, roles: Artifact['roles'] = both): Artifact => ({
  kind: 'image',
  name,
  version: '1.0.0',
  roles,
  size: 200,
  sha256: 'b'.repeat(64),
  blobs: [],
})

export const bundle: Manifest = {
  format: 1,
  kubernetes: '1.37.1',
  arch: 'amd64',
  producer: 'source',
  recipe: '',
  artifacts: [
    file('binary', 'kubelet'),
    file('binary', 'containerd'),
    file('binary', 'kubectl', ['control-plane']),
    file('cni', 'bridge'),
    image('registry.k8s.io/kube-apiserver:v1.37.1', ['control-plane']),
    image('registry.k8s.io/pause:3.10.2'),
    image('ghcr.io/flannel-io/flannel:v0.28.9'),
  ],
}

export const token = 'abcdef.0123456789abcdef'

function host(name: string, role: Host['role'], nodeIP: string): Host {
  return { name, role, nodeIP, address: nodeIP, port: 22, user: 'admin', become: 'sudo', knownHosts: '/dev/null' }
}

/** Three hosts: cp1 10.0.0.11, w1 10.0.0.12, w2 10.0.0.13. */
export function inventoryWith(cluster: Partial<Cluster> = {}): Inventory {
  return {
    file: 'inventory.yaml',
    source: { bundle: './bundle' },
    cluster: {
      name: 'lab',
      kubernetes: '1.37.1',
      podSubnet: '10.244.0.0/16',
      serviceSubnet: '10.96.0.0/12',
      dnsDomain: 'cluster.local',
      imageRepository: 'registry.k8s.io',
      network: { provider: 'flannel', backend: 'vxlan' },
      proxy: 'iptables',
      certSANs: [],
      ...cluster,
    },
    hosts: [
      host('cp1', 'control-plane', '10.0.0.11'),
      host('w1', 'worker', '10.0.0.12'),
      host('w2', 'worker', '10.0.0.13'),
    ],
  }
}

export function siteOf(name = 'cp1', cluster: Partial<Cluster> = {}): Site {
  const inventory = inventoryWith(cluster)
  const hosts = inventory.hosts
  return { host: hosts.find((it) => it.name === name)!, inventory, hosts, bundle, token: new Secret(token) }
}

/** Text files as the fact gives them, from path to content. */
export function filesOf(contents: Record<string, string>): ReturnType<typeof parseFiles> {
  return new Map(
    Object.entries(contents).map(([path, content]) => [path, { content, mode: '0644', owner: 'root:root' }]),
  )
}

/** What a step plans, one line per action. */
export function planned<Q extends Questions>(step: Step<Q>, facts: Facts<Q>, site: Site = siteOf()): string[] {
  return step.plan(facts, site).map(lineOf)
}

/** The shortest form of an action that says what it does. */
export function lineOf(action: Action): string {
  switch (action.kind) {
    case 'file':
      return `file ${action.path}`
    case 'line':
      return `line ${action.path}: ${action.edits.map(({ was, want }) => `${was} => ${want}`).join(' | ')}`
    case 'sysctl':
      return `sysctl ${action.key} ${action.was} => ${action.want}`
    case 'module':
      return `module ${action.name}`
    case 'service':
      return `service ${action.unit} ${[action.want.enabled, action.want.active === undefined ? undefined : action.want.active ? 'active' : 'stopped', action.restart && 'restart'].filter(Boolean).join(' ')}`
    case 'swap':
      return `swap ${action.was.map(({ path, priority }) => `${path}(${priority})`).join(' ')}`
    case 'firewall':
      return `${action.tool} ${action.into ?? ''} ${action.rule.chain} ${action.rule.from ?? `to ${action.rule.translatedTo}`} ${action.rule.protocol ?? '*'}/${action.rule.port ?? '*'}`.replaceAll(
        / +/g,
        ' ',
      )
    case 'package':
      return `package ${action.tool} ${action.adds.map(({ name, version }) => `${name}=${version}`).join(' ')}`
    case 'upload':
      return `upload ${action.path} (${action.was})`
    case 'image':
      return `image ${action.ref}`
    case 'exec':
      return `exec ${action.summary}`
    case 'wait':
      return `wait ${action.summary}`
  }
}
