import { describe, expect, it } from 'vitest'
import { sysctls as live } from '../../src/facts/sysctls.ts'
import { units } from '../../src/facts/units.ts'
import { hostname } from '../../src/steps/hostname.ts'
import { hostsFile } from '../../src/steps/hosts-file.ts'
import { modules } from '../../src/steps/modules.ts'
import { selinux } from '../../src/steps/selinux.ts'
import { swap } from '../../src/steps/swap.ts'
import { sysctls } from '../../src/steps/sysctls.ts'
import { time } from '../../src/steps/time.ts'
import { filesOf, planned, siteOf } from './scene.ts'

const unit = (id: string, active: string, state: string, source = '') =>
  `Id=${id}\nNames=${id}\nLoadState=loaded\nActiveState=${active}\nFragmentPath=/lib/systemd/system/${id}\nSourcePath=${source}\nUnitFileState=${state}\n`
const named = (name: string) => new Map([['kernel.hostname', name]])

describe('hostname', () => {
  it.each([
    ['right everywhere', { '/etc/hostname': 'cp1\n' }, 'cp1', []],
    ['right but without an end of line', { '/etc/hostname': 'cp1' }, 'cp1', []],
    [
      'wrong everywhere',
      { '/etc/hostname': 'debian\n' },
      'debian',
      ['file /etc/hostname', 'sysctl kernel.hostname debian => cp1'],
    ],
    ['right only now', {}, 'cp1', ['file /etc/hostname']],
    [
      'wrong, with cloud-init',
      { '/etc/cloud/cloud.cfg': '' },
      'ip-10-0-0-11',
      ['file /etc/hostname', 'file /etc/cloud/cloud.cfg.d/99-k8snet.cfg', 'sysctl kernel.hostname ip-10-0-0-11 => cp1'],
    ],
  ])('%s', (_, files, name, expected) => {
    expect(planned(hostname, { files: filesOf(files), sysctls: named(name) })).toEqual(expected)
  })
})

describe('hosts file', () => {
  const good = '127.0.0.1 localhost\n10.0.0.11 cp1\n10.0.0.12\tw1 w1.example\n10.0.0.13 w2\n'
  it.each([
    ['with all names', good, []],
    ['empty', '', ['line /etc/hosts: null => 10.0.0.11 cp1 | null => 10.0.0.12 w1 | null => 10.0.0.13 w2']],
    [
      'with the 127.0.1.1 trap',
      `127.0.1.1\tcp1\n${good}`,
      ['line /etc/hosts: 127.0.1.1\tcp1 => # k8snet: 127.0.1.1\tcp1'],
    ],
    [
      'with the trap beside another name',
      `127.0.1.1 cp1.example cp1\n${good}`,
      ['line /etc/hosts: 127.0.1.1 cp1.example cp1 => 127.0.1.1\tcp1.example'],
    ],
    [
      'with an old address of a peer',
      `10.9.9.9 w1\n${good}`,
      ['line /etc/hosts: 10.9.9.9 w1 => # k8snet: 10.9.9.9 w1'],
    ],
    ['with our name on ::1', `::1 localhost cp1\n${good}`, ['line /etc/hosts: ::1 localhost cp1 => ::1\tlocalhost']],
    ['with an IPv6 address of a peer', `fd00::12 w1\n${good}`, []],
    ['with the trap commented out', `# 127.0.1.1 cp1\n${good}`, []],
  ])('%s', (_, text, expected) => {
    expect(planned(hostsFile, { files: filesOf({ '/etc/hosts': text }) })).toEqual(expected)
  })

  it('asks for nothing more once its own edits are made', () => {
    const before = '127.0.0.1 localhost\n127.0.1.1 cp1.example cp1\n'
    const [action] = hostsFile.plan({ files: filesOf({ '/etc/hosts': before }) }, siteOf())
    const edits = action?.kind === 'line' ? action.edits : []
    const after = [
      ...before.split('\n').map((line) => edits.find(({ was }) => was === line)?.want ?? line),
      ...edits.filter(({ was }) => was === null).map(({ want }) => want),
    ].join('\n')
    expect(planned(hostsFile, { files: filesOf({ '/etc/hosts': after }) })).toEqual([])
  })
})

describe('time', () => {
  it.each([
    ['nothing installed', '', false, []],
    ['timesyncd running', unit('systemd-timesyncd.service', 'active', 'enabled'), false, []],
    [
      'timesyncd stopped',
      unit('systemd-timesyncd.service', 'inactive', 'disabled'),
      false,
      ['service systemd-timesyncd.service enabled active'],
    ],
    [
      'chrony running but not at boot',
      unit('chrony.service', 'active', 'disabled'),
      false,
      ['service chrony.service enabled active'],
    ],
    [
      'timesyncd off because chrony runs',
      `${unit('systemd-timesyncd.service', 'inactive', 'disabled')}\n${unit('chrony.service', 'active', 'enabled')}`,
      false,
      [],
    ],
    ['stopped in a container', unit('chrony.service', 'inactive', 'disabled'), true, []],
  ])('%s', (_, out, container, expected) => {
    expect(planned(time, { units: units.parse(out), container })).toEqual(expected)
  })
})

describe('swap', () => {
  const area = { path: '/dev/sda2', priority: -2 }
  const fstab =
    'UUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n# UUID=3 none swap sw 0 0\nUUID=4 /swap ext4 defaults 0 2\n'
  const none = { swaps: [], files: filesOf({}), units: new Map(), container: false }
  it.each([
    ['none', none, []],
    ['on now', { ...none, swaps: [area] }, ['swap /dev/sda2(-2)']],
    [
      'in fstab, by its third field',
      { ...none, files: filesOf({ '/etc/fstab': fstab }) },
      ['line /etc/fstab: UUID=2 none swap sw 0 0 => # k8snet: UUID=2 none swap sw 0 0'],
    ],
    [
      'a unit made from fstab',
      { ...none, units: units.parse(unit('dev-sda2.swap', 'active', 'generated', '/etc/fstab')) },
      [],
    ],
    [
      'a unit found on the disk by systemd',
      { ...none, units: units.parse(unit('dev-sda2.swap', 'active', 'generated')) },
      ['service dev-sda2.swap masked'],
    ],
    [
      'zram by its service',
      {
        ...none,
        swaps: [{ path: '/dev/zram0', priority: 100 }],
        units: units.parse(unit('zramswap.service', 'active', 'enabled')),
      },
      ['service zramswap.service disabled stopped'],
    ],
    ["the machine's, seen in a container", { ...none, swaps: [area], container: true }, []],
  ])('%s', (_, facts, expected) => {
    expect(planned(swap, facts)).toEqual(expected)
  })
})

describe('SELinux', () => {
  const config = 'SELINUX=enforcing\nSELINUXTYPE=targeted\n'
  const boot = 'line /etc/selinux/config: SELINUX=enforcing => SELINUX=permissive'
  it.each([
    ['not there', 'absent', {}, []],
    ['enforcing', 'enforcing', { '/etc/selinux/config': config }, ['exec make SELinux permissive', boot]],
    ['permissive now, enforcing at boot', 'permissive', { '/etc/selinux/config': config }, [boot]],
    ['permissive', 'permissive', { '/etc/selinux/config': 'SELINUX=permissive\n' }, []],
  ] as const)('%s', (_, mode, files, expected) => {
    expect(planned(selinux, { mode, files: filesOf(files) })).toEqual(expected)
  })
})

describe('kernel modules', () => {
  const all = new Set(['overlay', 'br_netfilter', 'nf_conntrack', 'vxlan', 'tun'])
  const file = (text: string) => filesOf({ '/etc/modules-load.d/k8snet.conf': text })
  it.each([
    ['all there', 'vxlan', all, file('overlay\nbr_netfilter\nnf_conntrack\nvxlan\n'), []],
    [
      'none there',
      'vxlan',
      new Set<string>(),
      file(''),
      [
        'file /etc/modules-load.d/k8snet.conf',
        'module overlay',
        'module br_netfilter',
        'module nf_conntrack',
        'module vxlan',
      ],
    ],
    [
      'vxlan missing but not needed',
      'host-gw',
      new Set(['overlay', 'br_netfilter', 'nf_conntrack']),
      file('overlay\nbr_netfilter\nnf_conntrack\n'),
      [],
    ],
    [
      'tun missing for the udp backend',
      'udp',
      new Set(['overlay', 'br_netfilter', 'nf_conntrack']),
      file('overlay\nbr_netfilter\nnf_conntrack\ntun\n'),
      ['module tun'],
    ],
  ] as const)('%s', (_, backend, loaded, files, expected) => {
    const site = siteOf('cp1', { network: { provider: 'flannel', backend } })
    expect(planned(modules, { loaded, files }, site)).toEqual(expected)
  })
})

describe('kernel settings', () => {
  const good =
    'net/ipv4/ip_forward:1\nnet/bridge/bridge-nf-call-iptables:1\nnet/bridge/bridge-nf-call-ip6tables:1\nnet/ipv4/conf/all/route_localnet:1\nfs/inotify/max_user_instances:8192\nfs/inotify/max_user_watches:1048576\nvm/overcommit_memory:1\nvm/panic_on_oom:0\nkernel/panic:10\nkernel/panic_on_oops:1\nkernel/keys/root_maxkeys:1000000\nkernel/keys/root_maxbytes:25000000\nnet/netfilter/nf_conntrack_max:131072\nnet/netfilter/nf_conntrack_tcp_timeout_established:86400\nnet/netfilter/nf_conntrack_tcp_timeout_close_wait:3600\n'
  const machine = [
    'net.ipv4.ip_forward = 1',
    'net.bridge.bridge-nf-call-iptables = 1',
    'net.bridge.bridge-nf-call-ip6tables = 1',
  ]
  const file = (...lines: string[]) => filesOf({ '/etc/sysctl.d/90-k8snet.conf': `${lines.join('\n')}\n` })
  const host = file(...machine, 'fs.inotify.max_user_instances = 8192', 'fs.inotify.max_user_watches = 524288')
  it.each([
    ['all right', good, host, false, []],
    [
      'forwarding off',
      good.replace('ip_forward:1', 'ip_forward:0'),
      host,
      false,
      ['sysctl net.ipv4.ip_forward 0 => 1'],
    ],
    ['a higher limit than wanted stays', good.replace('instances:8192', 'instances:65536'), host, false, []],
    [
      'a key that comes with a module',
      good.replace('net/bridge/bridge-nf-call-iptables:1\n', ''),
      host,
      false,
      ['sysctl net.bridge.bridge-nf-call-iptables undefined => 1'],
    ],
    [
      'what the kubelet would set is set and so can be given back',
      good.replace('vm/overcommit_memory:1', 'vm/overcommit_memory:0'),
      host,
      false,
      ['sysctl vm.overcommit_memory 0 => 1'],
    ],
    [
      "the machine's settings are left alone in a container",
      'net/ipv4/ip_forward:1\nnet/bridge/bridge-nf-call-iptables:1\nnet/bridge/bridge-nf-call-ip6tables:1\nnet/ipv4/conf/all/route_localnet:1\nkernel/panic:0\nfs/inotify/max_user_instances:128\n',
      file(...machine),
      true,
      [],
    ],
  ])('%s', (_, out, files, container, expected) => {
    expect(planned(sysctls, { live: live.parse(out), files, container, cpus: 2 })).toEqual(expected)
  })
})
