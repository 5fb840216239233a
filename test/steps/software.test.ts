import { describe, expect, it } from 'vitest'
import { parseInstalled } from '../../src/facts/artifacts.ts'
import { units } from '../../src/facts/units.ts'
import type { Action } from '../../src/model/action.ts'
import { artifacts } from '../../src/steps/artifacts.ts'
import { completion } from '../../src/steps/completion.ts'
import { containerd } from '../../src/steps/containerd.ts'
import { firstImages, images } from '../../src/steps/images.ts'
import { kubelet } from '../../src/steps/kubelet.ts'
import { filesOf, planned, siteOf } from './scene.ts'

const sum = 'a'.repeat(64)
const all = ['/usr/local/bin/kubelet', '/usr/local/bin/containerd', '/opt/cni/bin/bridge']
const record = (size: number, paths = all) => paths.map((path) => `${sum} ${size} 1700 ${path}\n`).join('')
const stat = (size: number, paths = all) => paths.map((path) => `${size} 1700 ${path}\n`).join('')
const installedAll = parseInstalled(`${record(100)}\n${stat(100)}`)

/** What the files that a step writes hold, so that it can be asked again. */
const written = (actions: readonly Action[]) =>
  filesOf(
    Object.fromEntries(
      actions.flatMap((it) => (it.kind === 'file' && it.want ? [[it.path, String(it.want.content)]] : [])),
    ),
  )

describe('artifacts', () => {
  it.each([
    ['a bare host', '\n', all.map((path) => `upload ${path} (absent)`)],
    ['all there', `${record(100)}\n${stat(100)}`, []],
    ['a file that is not ours', `\n${stat(100)}`, all.map((path) => `upload ${path} (foreign)`)],
    [
      'an older one of ours',
      `${record(100).replaceAll(sum, 'c'.repeat(64))}\n${stat(100)}`,
      all.map((path) => `upload ${path} (ours)`),
    ],
    ['one that changed since', `${record(100)}\n${stat(101)}`, all.map((path) => `upload ${path} (foreign)`)],
    ['one that was removed', `${record(100)}\n${stat(100, all.slice(1))}`, ['upload /usr/local/bin/kubelet (absent)']],
    ['the last line of a path counts', `${'c'.repeat(64)} 100 1700 ${all[0]}\n${record(100)}\n${stat(100)}`, []],
  ])('%s', (_, out, expected) => {
    expect(planned(artifacts, { installed: parseInstalled(out) }, siteOf('w1'))).toEqual(expected)
  })

  it('gives kubectl to control planes only', () => {
    const paths = planned(artifacts, { installed: new Map() }, siteOf('cp1')).join()
    expect(paths).toContain('/usr/local/bin/kubectl')
  })
})

describe('images', () => {
  const [api, pause, flannel] = [
    'image registry.k8s.io/kube-apiserver:v1.37.1',
    'image registry.k8s.io/pause:3.10.2',
    'image ghcr.io/flannel-io/flannel:v0.28.9',
  ]
  it.each([
    ['cp1', [], [api, pause], [flannel]],
    ['w1', [], [pause], [flannel]],
    ['w1', ['registry.k8s.io/pause:3.10.2'], [], [flannel]],
    ['w1', ['registry.k8s.io/pause:3.10.2', 'ghcr.io/flannel-io/flannel:v0.28.9', 'other:1'], [], []],
  ])('%s that has %j needs %j first, then %j', (host, present, first, then) => {
    const facts = { present: new Set(present) }
    expect(planned(firstImages, facts, siteOf(host))).toEqual(first)
    expect(planned(images, facts, siteOf(host))).toEqual(then)
  })

  it('asks containerd for the name together with the digest', () => {
    expect(images.asks(siteOf('w1')).present.ask).toContain(
      `'name=="registry.k8s.io/pause:3.10.2",target.digest==sha256:${'b'.repeat(64)}'`,
    )
  })
})

describe('containerd', () => {
  const running = units.parse(
    'Id=containerd.service\nNames=containerd.service\nLoadState=loaded\nActiveState=active\nFragmentPath=/etc/x\nSourcePath=\nUnitFileState=enabled\n',
  )
  const bare = { files: filesOf({}), units: new Map(), container: false, directories: new Map(), installed: new Map() }
  const first = containerd.plan(bare, siteOf('w1'))

  it('is set up and started on a bare host', () => {
    expect(planned(containerd, bare, siteOf('w1'))).toEqual([
      'exec make the directories of the container runtime',
      'file /etc/containerd/config.toml',
      'file /etc/systemd/system/containerd.service',
      'file /etc/crictl.yaml',
      'service containerd.service enabled active',
    ])
  })

  it.each([
    ['nothing to do', { units: running, installed: installedAll }, []],
    ['stopped', { installed: installedAll }, ['service containerd.service enabled active']],
    ['its program is about to change', { units: running }, ['service containerd.service enabled active restart']],
  ])('afterwards: %s', (_, facts, expected) => {
    expect(planned(containerd, { ...bare, files: written(first), ...facts }, siteOf('w1'))).toEqual(expected)
  })

  it("names the bundle's pause image and systemd's cgroups in its configuration", () => {
    const text = written(first).get('/etc/containerd/config.toml')?.content
    expect(text).toContain("sandbox = 'registry.k8s.io/pause:3.10.2'")
    expect(text).toContain('SystemdCgroup = true')
    expect(text).toContain('restrict_oom_score_adj = false')
  })

  it('gives back directories as they were: removes what was not there, empties what was empty, leaves what was full', () => {
    const directories = new Map([
      ['/var/lib/containerd', { full: false, mode: '0711' }],
      ['/etc/cni', { full: true, mode: '0755' }],
      ['/etc/cni/net.d', { full: true, mode: '0755' }],
    ])
    const [own] = containerd.plan({ ...bare, directories }, siteOf('w1'))
    const undo =
      own?.kind === 'exec' && own.undo !== 'nothing' && own.undo[0]?.kind === 'exec' ? own.undo[0].command : ''
    expect(undo).toContain("EMPTIED='0711:/var/lib/containerd'")
    expect(undo).toContain("REMOVED='/run/nri /run/netns /run/containerd /opt/containerd'")
  })
})

describe('kubelet', () => {
  const never = { kubelet: null, admin: null, half: false }
  const member = { kubelet: { server: 'https://10.0.0.11:6443', caCertHash: '' }, admin: null, half: false }
  const bare = {
    files: filesOf({ '/etc/resolv.conf': 'nameserver 10.0.0.2\n' }),
    units: new Map(),
    container: false,
    cgroupVersion: 2 as const,
    membership: never,
    installed: installedAll,
  }
  const unit = (active: string) =>
    units.parse(
      `Id=kubelet.service\nNames=kubelet.service\nLoadState=loaded\nActiveState=${active}\nFragmentPath=/etc/x\nSourcePath=\nUnitFileState=enabled\n`,
    )
  const done = new Map([...bare.files, ...written(kubelet.plan(bare, siteOf('w1')))])

  it.each([
    [
      'on a bare host',
      {},
      [
        'file /etc/systemd/system/kubelet.service',
        'file /etc/systemd/system/kubelet.service.d/10-kubeadm.conf',
        'file /etc/k8snet/kubelet.d/10-host.conf',
        'service kubelet.service enabled',
      ],
    ],
    ['set up, not a member yet', { files: done, units: unit('inactive') }, []],
    ['a member that runs', { files: done, units: unit('active'), membership: member }, []],
    [
      'a member that was stopped',
      { files: done, units: unit('inactive'), membership: member },
      ['service kubelet.service enabled active'],
    ],
    [
      'a member whose program is about to change',
      { files: done, units: unit('active'), membership: member, installed: new Map() },
      ['service kubelet.service enabled active restart'],
    ],
    ['half a member', { files: done, units: unit('inactive'), membership: { ...member, half: true } }, []],
  ])('%s', (_, facts, expected) => {
    expect(planned(kubelet, { ...bare, ...facts }, siteOf('w1'))).toEqual(expected)
  })

  const config = (facts: object) => written(kubelet.plan({ ...bare, ...facts }, siteOf('w1')))
  it.each([
    ['an ordinary host', {}, []],
    ['cgroup v1', { cgroupVersion: 1 as const }, ['failCgroupV1: false']],
    ['a container', { container: true }, ['failSwapOn: false', 'featureGates:', '  KubeletInUserNamespace: true']],
    [
      'only loopback name servers',
      { files: filesOf({ '/etc/resolv.conf': 'nameserver 127.0.0.11\n' }) },
      ['resolvConf: /etc/k8snet/resolv.conf'],
    ],
  ])('lifts for %s just what has to be', (_, facts, expected) => {
    const lines = config(facts).get('/etc/k8snet/kubelet.d/10-host.conf')?.content.trimEnd().split('\n').slice(3)
    expect(lines).toEqual(expected)
  })

  it.each([
    [
      'nameserver 127.0.0.11\n# ExtServers: [10.0.0.2 host(10.0.0.3)]\noptions ndots:0\n',
      'nameserver 10.0.0.2\nnameserver 10.0.0.3\noptions ndots:0\n',
    ],
    ['nameserver 127.0.0.1\nsearch example.org\n', 'nameserver 10.0.0.12\nsearch example.org\n'],
    ['nameserver ::1\n', 'nameserver 10.0.0.12\n'],
    ['nameserver 127.0.0.1\nnameserver 9.9.9.9\n', undefined],
  ])('turns resolv.conf %j into one that pods can use', (text, expected) => {
    const made = config({ files: filesOf({ '/etc/resolv.conf': text }) }).get('/etc/k8snet/resolv.conf')
    expect(made?.content.replace(/^#.*\n/, '')).toBe(expected)
  })

  it('leaves resolv.conf to kubeadm where systemd-resolved runs', () => {
    const resolved = units.parse(
      'Id=systemd-resolved.service\nNames=systemd-resolved.service\nLoadState=loaded\nActiveState=active\nFragmentPath=/x\nSourcePath=\nUnitFileState=enabled\n',
    )
    const files = config({ files: filesOf({ '/etc/resolv.conf': 'nameserver 127.0.0.53\n' }), units: resolved })
    expect(files.has('/etc/k8snet/resolv.conf')).toBe(false)
  })
})

describe('completion', () => {
  it.each([
    ['no bash-completion', { directory: null, present: new Set<string>() }, []],
    [
      'none yet',
      { directory: '/usr/share/bash-completion/completions', present: new Set<string>() },
      ['exec write the completion of kubectl'],
    ],
    ['there', { directory: '/etc/bash_completion.d', present: new Set(['kubectl']) }, []],
  ])('%s', (_, completions, expected) => {
    expect(planned(completion, { completions }, siteOf('cp1'))).toEqual(expected)
  })
})
