import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cluster } from '../../src/facts/cluster.ts'
import { completion } from '../../src/facts/completion.ts'
import { directories } from '../../src/facts/directories.ts'
import { linesOf, parseFiles } from '../../src/facts/files.ts'
import { walls } from '../../src/facts/firewall.ts'
import { identity } from '../../src/facts/identity.ts'
import { disk, memory, platform } from '../../src/facts/machine.ts'
import { membership } from '../../src/facts/membership.ts'
import { addresses, routes } from '../../src/facts/network.ts'
import { lacking } from '../../src/facts/packages.ts'
import { listeners } from '../../src/facts/ports.ts'
import { swaps } from '../../src/facts/swaps.ts'
import { sysctls } from '../../src/facts/sysctls.ts'
import { tables } from '../../src/facts/tables.ts'
import { units } from '../../src/facts/units.ts'
import type { FirewallRule } from '../../src/model/action.ts'
import { markOf } from '../../src/model/firewall.ts'
import { freePort } from '../helpers/ports.ts'

const wallsOf = walls('10.0.0.11')

const debianUnits = `Id=containerd.service
Names=containerd.service
LoadState=not-found
ActiveState=inactive
FragmentPath=
SourcePath=
UnitFileState=

Id=ssh.service
Names=ssh.service sshd.service
LoadState=loaded
ActiveState=active
FragmentPath=/lib/systemd/system/ssh.service
SourcePath=
UnitFileState=enabled

Id=dbus.service
Names=dbus.service
LoadState=loaded
ActiveState=active
FragmentPath=/lib/systemd/system/dbus.service
SourcePath=
UnitFileState=static

Id=dev-vda2.swap
Names=dev-vda2.swap
LoadState=masked
ActiveState=inactive
FragmentPath=
SourcePath=
UnitFileState=masked-runtime
`

describe('answers of hosts', () => {
  it('files: contents are cut apart by their sizes, whatever they hold', () => {
    const out =
      '644 root:root 12 /etc/hosts\n600 0:0 0 /etc/empty\n755 root:adm 7 /etc/with blank\n\na\n\n@x 0 0\n\ngrün\n\n'
    const text = out.replace(' 12 ', ` ${Buffer.byteLength('a\n\n@x 0 0\n\n')} `)
    const found = parseFiles(text)
    expect(found.get('/etc/hosts')).toEqual({ content: 'a\n\n@x 0 0\n\n', mode: '0644', owner: 'root:root' })
    expect(found.get('/etc/empty')).toEqual({ content: '', mode: '0600', owner: '0:0' })
    expect(found.get('/etc/with blank')?.content).toBe('grün\n\n')
    expect(linesOf(found, '/etc/none')).toEqual([])
  })

  it('files: one that changed between its size and its content is no answer', () => {
    expect(() => parseFiles('644 root:root 3 /etc/hosts\n\nabcd')).toThrow('changed')
  })

  it('files: none there', () => expect(parseFiles('\n').size).toBe(0))

  it('units: names, aliases and states', () => {
    const found = units.parse(debianUnits)
    expect(found.get('containerd.service')).toMatchObject({ enabled: 'absent', active: false })
    expect(found.get('sshd.service')).toMatchObject({
      enabled: 'enabled',
      active: true,
      fragment: '/lib/systemd/system/ssh.service',
    })
    expect(found.get('dbus.service')?.enabled).toBe('static')
    expect(found.get('dev-vda2.swap')?.enabled).toBe('masked')
  })

  it.each([
    ['Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n', []],
    [
      'Filename Type Size Used Priority\n/dev/vda2                               partition\t999420\t\t0\t\t-2\n/swap\\040file file 1 0 5\n',
      [
        { path: '/dev/vda2', priority: -2 },
        { path: '/swap file', priority: 5 },
      ],
    ],
    ['', []],
  ])('swap areas: %j', (out, expected) => expect(swaps.parse(out)).toEqual(expected))

  it('kernel settings keep their dots, also within a name', () => {
    expect(sysctls.parse('net/bridge/bridge-nf-call-iptables:1\nkernel/hostname:w1.example\n')).toEqual(
      new Map([
        ['net.bridge.bridge-nf-call-iptables', '1'],
        ['kernel.hostname', 'w1.example'],
      ]),
    )
  })

  it('directories', () => {
    expect(directories.parse('empty /var/lib/etcd\nfull /etc/cni\n700 /var/lib/etcd\n755 /etc/cni\n')).toEqual(
      new Map([
        ['/var/lib/etcd', { full: false, mode: '0700' }],
        ['/etc/cni', { full: true, mode: '0755' }],
      ]),
    )
  })

  it.each([
    ['', { kubelet: null, admin: null, half: false }],
    [
      'kubelet.conf:    server: https://10.0.0.11:6443\n',
      { kubelet: { server: 'https://10.0.0.11:6443', caCertHash: '' }, admin: null, half: false },
    ],
    ['/var/lib/k8snet/kubeadm:begun\n', { kubelet: null, admin: null, half: true }],
    [
      'kubelet.conf:    server: https://a:6443\n/var/lib/k8snet/kubeadm:begun\n',
      { kubelet: { server: 'https://a:6443', caCertHash: '' }, admin: null, half: false },
    ],
    [
      'admin.conf:    server: https://a:6443\n/var/lib/k8snet/kubeadm:begun\n',
      { kubelet: null, admin: { server: 'https://a:6443', caCertHash: '' }, half: true },
    ],
    ['/var/lib/k8snet/kubeadm:done\n', { kubelet: null, admin: null, half: false }],
  ])('membership: %j', (out, expected) => expect(membership.parse(out)).toEqual(expected))

  it("membership: the CA's pin is what openssl makes of it", () => {
    const dir = mkdtempSync(join(tmpdir(), 'k8snet-ca-'))
    try {
      const openssl = (command: string) => spawnSync('sh', ['-c', command], { cwd: dir, encoding: 'utf8' }).stdout
      openssl('openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=kubernetes -days 1')
      const pin = openssl(
        'openssl x509 -pubkey -in ca.crt -noout | openssl pkey -pubin -outform der | sha256sum',
      ).split(' ')[0]
      const data = openssl('base64 -w0 ca.crt')
      expect(pin).toHaveLength(64)
      expect(
        membership.parse(
          `kubelet.conf:    certificate-authority-data: ${data}\nkubelet.conf:    server: https://a:6443\n`,
        ).kubelet?.caCertHash,
      ).toBe(`sha256:${pin}`)
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('cluster: nodes and workloads; an empty answer is no cluster', () => {
    expect(cluster.parse('')).toBeNull()
    const found = cluster.parse(
      'cluster\nnode cp1 True 10.244.0.0/24 v1.37.1 a/b,node-role.kubernetes.io/control-plane,\nnode w1 Unknown - v1.37.1 a/b,\nwork kube-flannel/kube-flannel-ds 12ab 2 1\nwork kube-system/coredns - 2 0\npod kube-system/kube-proxy cp1 True\npod kube-flannel/kube-flannel-ds cp1 False\npod kube-system/kube-proxy - \npod mine/else cp1 True\n',
    )
    expect(found?.nodes.get('cp1')).toEqual({
      ready: true,
      podCIDR: '10.244.0.0/24',
      roles: ['control-plane'],
      version: 'v1.37.1',
      daemons: new Set(['kube-system/kube-proxy']),
    })
    expect(found?.nodes.get('w1')).toEqual({
      ready: false,
      podCIDR: '',
      roles: [],
      version: 'v1.37.1',
      daemons: new Set(),
    })
    expect(found?.workloads.get('kube-flannel/kube-flannel-ds')).toEqual({ digest: '12ab', want: 2, ready: 1 })
    expect(found?.workloads.get('kube-system/coredns')?.digest).toBe('')
  })

  it('ufw: the rules that accept, whoever made them, from any port and by any link', () => {
    const tuples = [
      'allow tcp 6443 0.0.0.0/0 any 10.0.0.12 in comment=6b38736e65742d3830303833643365',
      'allow tcp 2379:2380 0.0.0.0/0 any 10.0.0.13 in',
      'route:allow any any 0.0.0.0/0 any 10.244.0.0/16 in comment=6d696e65',
      'deny tcp 10250 0.0.0.0/0 any 10.0.0.12 in',
      'allow tcp 10250 0.0.0.0/0 any 10.0.0.12 in_eth7',
      'allow tcp 10250 0.0.0.0/0 99 10.0.0.12 in',
    ]
    const out = `active\n${tuples.map((tuple) => `### tuple ### ${tuple}\n`).join('')}`
    const accepted: FirewallRule[] = [
      { chain: 'input', from: '10.0.0.12', protocol: 'tcp', port: '6443' },
      { chain: 'input', from: '10.0.0.13', protocol: 'tcp', port: '2379-2380' },
      { chain: 'forward', from: '10.244.0.0/16' },
    ]
    expect(wallsOf.ufw.parse(out)).toEqual([{ tool: 'ufw', chain: 'both', marks: new Set(accepted.map(markOf)) }])
  })

  it('firewalld: rules of the zone with the node IP and sources of the trusted one, and its files as they are', () => {
    const zone = `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <service name="ssh"/>
  <rule family="ipv4">
    <source address="10.0.0.12"/>
    <port port="2379-2380" protocol="tcp"/>
    <accept/>
  </rule>
  <rule family="ipv4">
    <source address="10.0.0.13"/>
    <port port="6443" protocol="tcp"/>
    <reject/>
  </rule>
</zone>
`
    const trusted = '<zone target="ACCEPT">\n  <source address="10.244.0.0/16"/>\n</zone>\n'
    const at = '/etc/firewalld/zones'
    const stats = [
      `644 root:root ${zone.length} ${at}/internal.xml`,
      `600 root:root ${trusted.length} ${at}/trusted.xml`,
    ]
    const [wall] = wallsOf.firewalld.parse(`internal\n${stats.join('\n')}\n\n${zone}${trusted}`)
    const accepted: FirewallRule[] = [
      { chain: 'input', from: '10.0.0.12', protocol: 'tcp', port: '2379-2380' },
      { chain: 'input', from: '10.244.0.0/16' },
    ]
    expect(wall).toEqual({
      tool: 'firewalld',
      chain: 'input',
      into: 'internal',
      marks: new Set(accepted.map(markOf)),
      files: {
        [`${at}/internal.xml`]: { content: zone, mode: '0644', owner: 'root:root' },
        [`${at}/internal.xml.old`]: null,
        [`${at}/trusted.xml`]: { content: trusted, mode: '0600', owner: 'root:root' },
        [`${at}/trusted.xml.old`]: null,
      },
    })
  })

  it.each([
    ['nothing lacking', '', { commands: [], tool: null, adds: [], broken: false, said: [] }],
    [
      'what a package brings',
      'lacks iptables\ntool apt\nname iptables\nadd iptables=1.8.9-2\nadd libip6tc2=1:1.8.9-2\n',
      {
        commands: ['iptables'],
        tool: 'apt',
        names: ['iptables'],
        adds: [
          { name: 'iptables', version: '1.8.9-2' },
          { name: 'libip6tc2', version: '1:1.8.9-2' },
        ],
        said: [],
      },
    ],
    [
      'what no repository has',
      "lacks ip\ntool apt\nname iproute2\nsaid E: Package 'iproute2' has no installation candidate\n",
      { commands: ['ip'], adds: [], said: ["E: Package 'iproute2' has no installation candidate"], broken: false },
    ],
    [
      'a dpkg that was interrupted',
      'lacks ip\ntool apt\nname iproute2\nbroken\nsaid dpkg was interrupted\n',
      { adds: [], broken: true, said: ['dpkg was interrupted'] },
    ],
  ])('packages: %s', (_, out, expected) => expect(lacking(['ip', 'iptables']).parse(out)).toMatchObject(expected))

  it('identity: MAC addresses of cards, not of bridges and tunnels', () => {
    const out =
      '/etc/machine-id:abc\n/sys/class/dmi/id/product_uuid:AB-CD\n/sys/class/net/lo/address:00:00:00:00:00:00\n/sys/class/net/eth0/address:52:54:00:AA:bb:cc\n/sys/class/net/docker0/address:02:42:00:00:00:01\n/sys/class/net/cni0/address:02:42:00:00:00:02\n'
    expect(identity.parse(out)).toEqual({
      machineId: 'abc',
      productUuid: 'ab-cd',
      macs: new Map([['eth0', '52:54:00:aa:bb:cc']]),
    })
  })

  it('addresses and routes', () => {
    expect(
      addresses.parse(
        '1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever\n68: eth1    inet 192.168.77.11/24 brd 192.168.77.255 scope global eth1\\       valid_lft forever\n68: eth1    inet6 fe80::1/64 scope link\n',
      ),
    ).toEqual([
      { link: 'lo', ip: '127.0.0.1' },
      { link: 'eth1', ip: '192.168.77.11' },
      { link: 'eth1', ip: 'fe80::1' },
    ])
    const out =
      'default via 172.17.0.1 dev eth0 \n172.17.0.0/16 dev eth0 proto kernel scope link src 172.17.0.6 \n10.5.5.5 via 172.17.0.9 dev eth0 \nblackhole 10.200.0.0/16 \nlocal 127.0.0.0/8 dev lo table local proto kernel\nbroadcast 172.17.255.255 dev eth0 table local\n'
    expect(routes.parse(out).map(({ network, link, via }) => `${network} ${link} ${via}`)).toEqual([
      '172.17.0.0/16 eth0 ',
      '10.5.5.5/32 eth0 172.17.0.9',
      '10.200.0.0/16  ',
    ])
  })

  it('listeners, with what ss says of them', () => {
    const out =
      'tcp\n   1: 00000000:192B 00000000:0000 0A 00000000:00000000\n   2: 00000000000000000000000000000000:192B 00000000000000000000000000000000:0000 0A 0\nudp\n  12: 00000000:2118 00000000:0000 07 0\nss\nudp UNCONN 0 0 0.0.0.0:8472 0.0.0.0:*\ntcp LISTEN 0 4096 *:6443 *:* users:(("haproxy",pid=7,fd=3))\n'
    expect(listeners([]).parse(out)).toEqual([
      { protocol: 'tcp', port: 6443, line: 'tcp LISTEN 0 4096 *:6443 *:* users:(("haproxy",pid=7,fd=3))' },
      { protocol: 'udp', port: 8472, line: 'udp UNCONN 0 0 0.0.0.0:8472 0.0.0.0:*' },
    ])
    expect(listeners([]).parse('')).toEqual([])
  })

  it('the machine', () => {
    expect(memory.parse('MemTotal:        2035000 kB\n')).toBe(1987)
    expect(
      disk.parse(
        'Filesystem     1024-blocks     Used Available Capacity Mounted on\n/dev/vda 264212084 23587832  71913432      25% /var/lib/containerd\n',
      ),
    ).toBe(73639)
    expect(platform.parse('6.1.0-18-amd64 x86_64\n')).toEqual({ kernel: '6.1.0-18-amd64', arch: 'amd64' })
    expect(platform.parse('5.14.0-427.el9.aarch64 aarch64\n').arch).toBe('arm64')
    expect(tables.parse('table ip nat\ntable inet mine\n')).toEqual(['ip:nat', 'inet:mine'])
    expect(completion.parse('/etc/bash_completion.d\nkubectl\n')).toEqual({
      directory: '/etc/bash_completion.d',
      present: new Set(['kubectl']),
    })
    expect(completion.parse('').directory).toBeNull()
  })
})

describe('a listener of this machine', () => {
  it('is found by its port', async () => {
    const { createServer } = await import('node:net')
    // not one that the kernel may give to others as soon as it is free again
    const port = await freePort()
    const server = createServer().listen(port, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const fact = listeners([
      { protocol: 'tcp', port },
      { protocol: 'udp', port: 1 },
    ])
    const ask = () => fact.parse(spawnSync('sh', ['-s'], { input: fact.ask, encoding: 'utf8' }).stdout)
    expect(ask().map((it) => it.port)).toEqual([port])
    await new Promise((resolve) => server.close(resolve))
    expect(ask()).toEqual([])
  })
})
