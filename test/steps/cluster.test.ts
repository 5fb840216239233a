import { spawnSync } from 'node:child_process'
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

  it('says what becomes known on the way, later knows it, and shows the same text', async () => {
    const text = String(joinConfig(siteOf('w1'), host))
    await expect(text).toMatchFileSnapshot('golden/join.yaml')
    const known = joinConfig({ ...siteOf('w1'), leader }, host)
    expect(parseYaml(known.reveal()).discovery.bootstrapToken.caCertHashes).toEqual(['sha256:aa'])
    expect(String(known)).toBe(text)
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
  const node = (
    name: string,
    over: { ready?: string; cidr?: string; role?: string; proxy?: string; net?: string } = {},
  ) => [
    `node ${name} ${over.ready ?? 'True'} ${over.cidr ?? '10.244.0.0/24'} v1.37.1 a/b,${over.role ?? `node-role.kubernetes.io/${name === 'cp1' ? 'control-plane' : 'worker'}`},`,
    ...(over.proxy === '' ? [] : [`pod kube-system/kube-proxy ${name} ${over.proxy ?? 'True'}`]),
    ...(over.net === '' ? [] : [`pod kube-flannel/kube-flannel-ds ${name} ${over.net ?? 'True'}`]),
  ]
  const dns = 'work kube-system/coredns - 2 1'
  const others = [...node('cp1'), ...node('w2')]
  const runsOn = (name: string) => `wait kube-proxy and the pod network to run on ${name}`
  const dnsRuns = 'wait cluster DNS to run'
  it.each<[string, ReturnType<typeof state>, string[]]>([
    ['all ready', state(...others, ...node('w1'), dns), []],
    [
      'one not ready, though its pods said so before it was restarted: all that rests on it is waited for',
      state(...others, ...node('w1', { ready: 'False' }), dns),
      ['wait node w1 to be Ready', runsOn('w1'), dnsRuns],
    ],
    [
      'one that nobody has heard of for a while',
      state(...others, ...node('w1', { ready: 'Unknown' }), dns),
      ['wait node w1 to be Ready', runsOn('w1'), dnsRuns],
    ],
    [
      'one without podCIDR',
      state(...others, ...node('w1', { cidr: '-' }), dns),
      ['wait node w1 to be Ready', runsOn('w1'), dnsRuns],
    ],
    [
      'one that the API server does not know yet, while the DaemonSets count 2 of 2',
      state(...others, dns, 'work kube-system/kube-proxy - 2 2', 'work kube-flannel/kube-flannel-ds abc 2 2'),
      ['wait node w1 to be Ready', 'exec label node w1 as worker', runsOn('w1'), dnsRuns],
    ],
    ['one without its role', state(...others, ...node('w1', { role: 'other' }), dns), ['exec label node w1 as worker']],
    [
      'kube-proxy missing on a node, as after a reboot',
      state(...others, ...node('w1', { proxy: '' }), dns),
      [runsOn('w1')],
    ],
    ['the pod network of a node going down', state(...others, ...node('w1', { net: 'False' }), dns), [runsOn('w1')]],
    [
      'a pod that goes and the one that comes',
      state(...others, ...node('w1', { net: 'False' }), 'pod kube-flannel/kube-flannel-ds w1 True', dns),
      [],
    ],
    [
      'a dead node that is not of this run',
      state(
        ...others,
        ...node('w1'),
        ...node('old', { ready: 'Unknown', net: 'False' }),
        dns,
        'work kube-system/kube-proxy - 4 3',
      ),
      [],
    ],
    ['DNS down', state(...others, ...node('w1'), 'work kube-system/coredns - 2 0'), [dnsRuns]],
    ['DNS scaled to nothing on purpose', state(...others, ...node('w1'), 'work kube-system/coredns - 0 0'), []],
    [
      'no cluster yet',
      null,
      [
        'wait node cp1 to be Ready',
        'wait node w1 to be Ready',
        'exec label node w1 as worker',
        'wait node w2 to be Ready',
        'exec label node w2 as worker',
        runsOn('cp1'),
        runsOn('w1'),
        runsOn('w2'),
        dnsRuns,
      ],
    ],
  ])('%s', (_, facts, expected) => {
    expect(planned(nodeReady, { cluster: facts })).toEqual(expected)
  })

  it('asks only for the hosts that are still well', () => {
    const site = siteOf()
    const well = { ...site, hosts: site.hosts.filter(({ name }) => name !== 'w1') }
    expect(planned(nodeReady, { cluster: state(...others, dns) }, well)).toEqual([])
  })

  it.each([
    ['both run', 'pod kube-system/kube-proxy w1 True\npod kube-flannel/kube-flannel-ds w1 True', 0],
    ['one does not', 'pod kube-system/kube-proxy w1 True\npod kube-flannel/kube-flannel-ds w1 False', 1],
    ['one is on another node', 'pod kube-system/kube-proxy w1 True\npod kube-flannel/kube-flannel-ds w11 True', 1],
    ['nothing is there', '', 1],
  ])('and waits until both daemons of a node run: %s', (_, answer, status) => {
    const wait = nodeReady
      .plan({ cluster: state(...others, ...node('w1', { net: '' }), dns) }, siteOf())
      .find(({ kind }) => kind === 'wait')
    const ask =
      wait?.kind === 'wait' ? wait.ask.replace(/KUBECACHEDIR[\s\S]*?\)\n/, `printf '%s\\n' '${answer}')\n`) : 'exit 9'
    expect(spawnSync('sh', ['-c', ask]).status).toBe(status)
  })
})

function execOf(actions: readonly Action[]) {
  const exec = actions.find((it) => it.kind === 'exec')
  if (exec?.kind !== 'exec') throw new Error('no exec')
  return exec
}
