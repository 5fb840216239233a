import { describe, expect, it } from 'vitest'
import { parseAllDocuments, parse as parseYaml } from 'yaml'
import { cluster } from '../../src/facts/cluster.ts'
import type { Action } from '../../src/model/action.ts'
import { Secret } from '../../src/model/secret.ts'
import { flannel, flannelManifest } from '../../src/steps/flannel.ts'
import { initConfig, joinConfig } from '../../src/steps/kubeadm-config.ts'
import { kubeadmInit } from '../../src/steps/kubeadm-init.ts'
import { kubeadmJoin } from '../../src/steps/kubeadm-join.ts'
import { kubeconfig } from '../../src/steps/kubeconfig.ts'
import { nodeReady } from '../../src/steps/node-ready.ts'
import { filesOf, planned, siteOf, token } from './scene.ts'

const host = { container: false, cgroupVersion: 2 } as const
const bare = {
  ...host,
  membership: { kubelet: null, admin: null, half: false },
  directories: new Map(),
  tables: [],
  leftConfig: false,
}
const of = (server: string, caCertHash = '') => ({ server, caCertHash })
const ours = of('https://10.0.0.11:6443', 'sha256:aa')

describe('kubeadm init', () => {
  const all = ['file /run/k8snet/kubeadm.yaml', 'exec kubeadm init', 'wait the control plane to admit hosts']
  it.each([
    ['a bare host', {}, all],
    ['a control plane', { membership: { kubelet: ours, admin: ours, half: false } }, []],
    ['an init that broke off', { membership: { kubelet: ours, admin: ours, half: true } }, all],
    [
      'a configuration that was left',
      { leftConfig: true },
      ['exec remove the configuration that a broken run left', ...all],
    ],
  ])('%s', (_, facts, expected) => {
    expect(planned(kubeadmInit, { ...bare, ...facts })).toEqual(expected)
  })

  it('takes the remains of a broken run away first, and only then', () => {
    const command = (half: boolean) =>
      execOf(kubeadmInit.plan({ ...bare, membership: { ...bare.membership, half } }, siteOf())).command
    expect(command(false)).not.toContain('kubeadm reset')
    expect(command(true)).toMatch(/kubeadm reset[\s\S]*kubeadm init/)
  })

  it('shows its configuration without the token, and never puts it into a command', () => {
    const actions = kubeadmInit.plan(bare, siteOf())
    expect(JSON.stringify(actions)).not.toContain(token)
    const [file] = actions
    const content = file?.kind === 'file' ? file.want?.content : undefined
    expect(content).toBeInstanceOf(Secret)
    expect((content as Secret).reveal()).toContain(token)
    expect(file).toMatchObject({ transient: true, want: { mode: '0600' } })
  })

  it('gives one podSubnet to kubeadm and kube-proxy, and addresses of the right network', async () => {
    await expect(
      String(initConfig(siteOf('cp1', { certSANs: ['k8s.example.org', '10.0.0.11'] }), host)),
    ).toMatchFileSnapshot('golden/init.yaml')
  })

  it.each([
    ['an ordinary host', host, undefined, undefined],
    ['cgroup v1', { ...host, cgroupVersion: 1 as const }, ['SystemVerification'], undefined],
    [
      'a container',
      { ...host, container: true },
      ['SystemVerification', 'Swap'],
      { maxPerCore: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    ],
  ])('ignores on %s just what has to be ignored', (_, traits, ignored, conntrack) => {
    const [init, , , proxy] = parseAllDocuments(String(initConfig(siteOf(), traits))).map((it) => it.toJS())
    expect(init.nodeRegistration.ignorePreflightErrors).toEqual(ignored)
    expect(proxy.conntrack).toEqual(conntrack)
  })
})

describe('kubeadm join', () => {
  const all = ['file /run/k8snet/kubeadm.yaml', 'exec kubeadm join']
  const leader = { endpoint: '10.0.0.11:6443', caCertHash: 'sha256:aa' }
  it.each([
    ['a bare host', null, undefined, all],
    ['a bare host, the leader known', null, leader, all],
    ['a member', ours, undefined, []],
    ['a member, the leader known', ours, leader, []],
    ['a member of another cluster at the same address', of('https://10.0.0.11:6443', 'sha256:bb'), leader, all],
    ['a member of another cluster', of('https://10.9.9.9:6443'), undefined, all],
  ])('%s', (_, kubelet, known, expected) => {
    const site = { ...siteOf('w1'), ...(known && { leader: known }) }
    expect(planned(kubeadmJoin, { ...bare, membership: { kubelet, admin: null, half: false } }, site)).toEqual(expected)
  })

  it('says that the CA becomes known on the way, and later knows it', async () => {
    const text = String(joinConfig(siteOf('w1'), host))
    await expect(text).toMatchFileSnapshot('golden/join.yaml')
    const known = parseYaml(String(joinConfig({ ...siteOf('w1'), leader }, host)))
    expect(known.discovery.bootstrapToken.caCertHashes).toEqual(['sha256:aa'])
  })
})

describe('kubeconfig', () => {
  const home = (name: string, state: 'absent' | 'same' | 'foreign') => ({ home: name, state, directory: false })
  it.each([
    [
      'nobody has one',
      home('/root', 'absent'),
      home('/home/admin', 'absent'),
      ['exec give root a kubeconfig', 'exec give admin a kubeconfig'],
    ],
    ['both have it', home('/root', 'same'), home('/home/admin', 'same'), []],
    [
      "somebody else's is left alone",
      home('/root', 'foreign'),
      home('/home/admin', 'absent'),
      ['exec give admin a kubeconfig'],
    ],
    ['a user without a home', home('/root', 'same'), home('', 'absent'), []],
  ])('%s', (_, root, user, expected) => {
    expect(planned(kubeconfig, { root, user })).toEqual(expected)
  })
})

describe('flannel', () => {
  const text = flannelManifest(siteOf())
  const digest = /digest: "(\w+)"/.exec(text)![1]
  const live = (it: string) => cluster.parse(`cluster\nwork kube-flannel/kube-flannel-ds ${it} 3 3\n`)
  it.each([
    ['before there is a cluster', {}, null, ['file /etc/k8snet/flannel.yaml', 'exec kubectl apply the pod network']],
    ['applied', { '/etc/k8snet/flannel.yaml': text }, live(digest!), []],
    ['another one applied', { '/etc/k8snet/flannel.yaml': text }, live('0123'), ['exec kubectl apply the pod network']],
    ['not applied', { '/etc/k8snet/flannel.yaml': text }, live('-'), ['exec kubectl apply the pod network']],
  ])('%s', (_, files, facts, expected) => {
    expect(planned(flannel, { files: filesOf(files), cluster: facts })).toEqual(expected)
  })

  it('is rendered with the podSubnet, an explicit backend and the node IP as its interface', async () => {
    await expect(text).toMatchFileSnapshot('golden/flannel.yaml')
  })

  it.each([
    [
      'vxlan',
      { network: { provider: 'flannel', backend: 'vxlan', port: 4789 } },
      { Network: '10.244.0.0/16', EnableNFTables: false, Backend: { Type: 'vxlan', Port: 4789 } },
    ],
    [
      'host-gw',
      { network: { provider: 'flannel', backend: 'host-gw' } },
      { Network: '10.244.0.0/16', EnableNFTables: false, Backend: { Type: 'host-gw' } },
    ],
    ['nftables', { proxy: 'nftables' }, { Network: '10.244.0.0/16', EnableNFTables: true, Backend: { Type: 'vxlan' } }],
  ] as const)('writes a net-conf.json for %s that flannel understands', (_, settings, expected) => {
    const documents = parseAllDocuments(flannelManifest(siteOf('cp1', settings))).map((it) => it.toJS())
    const config = documents.find(({ kind }) => kind === 'ConfigMap')
    expect(JSON.parse(config.data['net-conf.json'])).toEqual(expected)
    expect(() => JSON.parse(config.data['cni-conf.json'])).not.toThrow()
  })

  it('has another digest as soon as anything differs', () => {
    expect(flannelManifest(siteOf('cp1', { podSubnet: '10.245.0.0/16' }))).not.toContain(digest)
  })
})

describe('node readiness', () => {
  const state = (...rows: string[]) => cluster.parse(`cluster\n${rows.join('\n')}\n`)
  const dns = 'work kube-system/coredns - 2 1'
  const good = [
    'node cp1 True 10.244.0.0/24 v1.37.1 node-role.kubernetes.io/control-plane,',
    'node w1 True 10.244.1.0/24 v1.37.1 node-role.kubernetes.io/worker,',
    'node w2 True 10.244.2.0/24 v1.37.1 a/b,node-role.kubernetes.io/worker,',
    'work kube-system/kube-proxy - 3 3',
    'work kube-flannel/kube-flannel-ds abc 3 3',
  ]
  it.each([
    ['all ready', state(...good, dns), []],
    [
      'one not ready',
      state(...good.with(1, 'node w1 False 10.244.1.0/24 v1.37.1 node-role.kubernetes.io/worker,'), dns),
      ['wait node w1 to be Ready'],
    ],
    [
      'one without podCIDR',
      state(...good.with(1, 'node w1 True - v1.37.1 node-role.kubernetes.io/worker,'), dns),
      ['wait node w1 to be Ready'],
    ],
    [
      'one without its role',
      state(...good.with(2, 'node w2 True 10.244.2.0/24 v1.37.1 a/b,'), dns),
      ['exec label node w2 as worker'],
    ],
    [
      'kube-proxy missing on a node, as after a reboot',
      state(...good.with(3, 'work kube-system/kube-proxy - 3 2'), dns),
      ['wait kube-proxy to run on every node'],
    ],
    ['DNS down', state(...good, 'work kube-system/coredns - 2 0'), ['wait cluster DNS to run']],
    ['DNS scaled to nothing on purpose', state(...good, 'work kube-system/coredns - 0 0'), []],
    [
      'no cluster yet',
      null,
      [
        'wait node cp1 to be Ready',
        'wait node w1 to be Ready',
        'exec label node w1 as worker',
        'wait node w2 to be Ready',
        'exec label node w2 as worker',
        'wait kube-proxy to run on every node',
        'wait kube-flannel-ds to run on every node',
        'wait cluster DNS to run',
      ],
    ],
  ])('%s', (_, facts, expected) => {
    expect(planned(nodeReady, { cluster: facts })).toEqual(expected)
  })
})

function execOf(actions: readonly Action[]) {
  const exec = actions.find((it) => it.kind === 'exec')
  if (exec?.kind !== 'exec') throw new Error('no exec')
  return exec
}
