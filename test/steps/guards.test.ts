import { describe, expect, it } from 'vitest'
import type { Membership } from '../../src/facts/membership.ts'
import type { Lacking } from '../../src/facts/packages.ts'
import type { Listener } from '../../src/facts/ports.ts'
import type { Fact, Facts, Questions } from '../../src/model/fact.ts'
import type { Host, Inventory } from '../../src/model/inventory.ts'
import type { Guard } from '../../src/model/step.ts'
import { clocks } from '../../src/steps/guards/clocks.ts'
import { clusters } from '../../src/steps/guards/clusters.ts'
import { duplicates } from '../../src/steps/guards/duplicates.ts'
import { networks, nodeIps } from '../../src/steps/guards/networks.ts'
import { peers } from '../../src/steps/guards/peers.ts'
import { ports } from '../../src/steps/guards/ports.ts'
import { resources } from '../../src/steps/guards/resources.ts'
import { architectures, commands, kernels, systems } from '../../src/steps/guards/systems.ts'
import { filesOf, inventoryWith, siteOf } from './scene.ts'

/** What a guard says when the hosts answer this, by name; `CODE where` per trouble. Every trouble must say what to do. */
function said<Q extends Questions>(
  guard: Guard<Q>,
  answers: Record<string, Facts<Q>>,
  inventory: Inventory = inventoryWith(),
): string[] {
  const all = new Map<Host, Facts<Q>>(
    inventory.hosts.filter(({ name }) => answers[name]).map((host) => [host, answers[host.name]!]),
  )
  return guard.look(all, inventory).map(({ code, where, evidence, fix, message }) => {
    expect(fix).toBeTruthy()
    expect(message).not.toMatch(/undefined|NaN/)
    expect(JSON.stringify(evidence ?? [])).not.toMatch(/undefined|NaN/)
    return `${code} ${where}`
  })
}
/** The same answers for all three hosts, but for some of w1's. */
const but = <T extends object, W extends object>(all: T, w1?: W) => ({ cp1: all, w1: { ...all, ...w1 }, w2: all })

const never: Membership = { kubelet: null, admin: null, half: false }
const member = { kubelet: { server: 'https://10.0.0.11:6443', caCertHash: 'sha256:aa' }, admin: null, half: false }
const of = (server: string, caCertHash = '') => ({ ...never, kubelet: { server, caCertHash } })

describe('the guards', () => {
  const id = (n: number, changes: object = {}) => ({
    identity: {
      machineId: `id${n}`,
      productUuid: `uuid${n}`,
      macs: new Map([['eth0', `52:54:00:00:00:0${n}`]]),
      ...changes,
    },
    container: false,
  })
  it.each([
    ['all different', { cp1: id(1), w1: id(2), w2: id(3) }, []],
    [
      'a cloned machine-id',
      { cp1: id(1), w1: id(2), w2: id(3, { machineId: 'id2' }) },
      ['DUPLICATE_MACHINE_ID w1, w2'],
    ],
    [
      'a whole clone',
      { cp1: id(1), w1: id(1), w2: id(3) },
      ['DUPLICATE_MACHINE_ID cp1, w1', 'DUPLICATE_PRODUCT_UUID cp1, w1', 'DUPLICATE_MAC cp1, w1'],
    ],
    [
      'containers share the firmware',
      { cp1: { ...id(1), container: true }, w1: { ...id(2, { productUuid: 'uuid1' }), container: true } },
      [],
    ],
    ['no firmware says anything', { cp1: id(1, { productUuid: '' }), w1: id(2, { productUuid: '' }) }, []],
  ])('duplicates: %s', (_, answers, expected) => expect(said(duplicates, answers as never)).toEqual(expected))

  const route = (network: string, link: string, via = '') => ({ network, link, via, line: `${network} dev ${link}` })
  it.each([
    ['none', [route('192.168.56.0/24', 'eth1'), route('172.17.0.0/16', 'eth0')], []],
    ['in podSubnet', [route('10.244.7.0/24', 'tun0')], ['CIDR_OVERLAP_HOST w1']],
    ['around serviceSubnet', [route('10.0.0.0/8', 'eth0')], ['CIDR_OVERLAP_HOST w1', 'CIDR_OVERLAP_HOST w1']],
    ["flannel's own", [route('10.244.1.0/24', 'flannel.1'), route('10.244.0.0/24', 'cni0')], []],
    ['host-gw by a peer', [route('10.244.1.0/24', 'eth1', '10.0.0.13')], []],
  ])('routes: %s', (_, routes, expected) => expect(said(networks, { w1: { routes } })).toEqual(expected))

  it('node IPs: the one that no interface has', () => {
    const at = (...ips: string[]) => ({ addresses: ips.map((ip) => ({ link: 'eth0', ip })) })
    expect(said(nodeIps, { cp1: at('10.0.0.11', '172.17.0.1'), w1: at('10.0.2.15'), w2: at('10.0.0.13') })).toEqual([
      'NODE_IP_MISSING w1',
    ])
  })

  const big = { cpus: 2, memory: 2000, disk: 9000, membership: never }
  it.each([
    ['enough', but(big), []],
    [
      'one processor is enough for a worker only',
      { cp1: { ...big, cpus: 1 }, w1: { ...big, cpus: 1 } },
      ['TOO_FEW_CPUS cp1'],
    ],
    [
      'little memory',
      { cp1: { ...big, memory: 1024 }, w1: { ...big, memory: 512 } },
      ['TOO_LITTLE_MEMORY cp1', 'TOO_LITTLE_MEMORY w1'],
    ],
    ['a full disk', but(big, { disk: 100 }), ['TOO_LITTLE_DISK w1']],
    ['a full disk of a member', but(big, { disk: 100, membership: member }), []],
  ])('resources: %s', (_, answers, expected) => expect(said(resources, answers)).toEqual(expected))

  const etcd = [{ protocol: 'tcp' as const, port: 2379, line: '' }]
  it.each([
    ['free', but({ listeners: [] as readonly Listener[], membership: never }), []],
    ['taken', but({ listeners: [] as readonly Listener[], membership: never }, { listeners: etcd }), ['PORT_TAKEN w1']],
    ['by our own cluster', but({ listeners: etcd, membership: member }), []],
    ['by a run that broke off', but({ listeners: etcd, membership: { ...never, half: true } }), []],
  ])('ports: %s', (_, answers, expected) => expect(said(ports, answers)).toEqual(expected))

  it('ports: a control plane is asked for more than a worker, in hex', () => {
    expect(ports.asks(siteOf('cp1')).listeners.ask).toContain('192B')
    expect(ports.asks(siteOf('w1')).listeners.ask).not.toContain('192B')
    expect(ports.asks(siteOf('w1')).listeners.ask).toContain('2118')
  })

  const clean = { membership: never, remains: [] as readonly string[] }
  it.each([
    ['bare hosts', but(clean), []],
    ['our own cluster', but({ ...clean, membership: member }), []],
    ['a new worker of our own cluster', { ...but({ ...clean, membership: member }), w1: clean }, []],
    [
      'files that are left',
      but(clean, { remains: ['/etc/kubernetes/manifests/etcd.yaml', 'link cni0'] }),
      ['LEFTOVERS w1'],
    ],
    [
      'what a run of ours left that broke off',
      but(clean, { membership: { ...never, half: true }, remains: ['/var/lib/kubelet/pki'] }),
      [],
    ],
    [
      'a member of another cluster',
      but({ ...clean, membership: member }, { membership: of('https://10.9.9.9:6443') }),
      ['OTHER_CLUSTER w1'],
    ],
    ['a member without its control plane', but(clean, { membership: member }), ['OTHER_CLUSTER w1']],
    [
      'the same address, another CA',
      but({ ...clean, membership: member }, { membership: of('https://10.0.0.11:6443', 'sha256:bb') }),
      ['OTHER_CLUSTER w1'],
    ],
    ['a member, the leader not asked', { w1: { ...clean, membership: member } }, []],
  ])('clusters: %s', (_, answers, expected) => expect(said(clusters, answers)).toEqual(expected))

  it.each([
    ['Debian 12', 'ID=debian\nVERSION_ID="12"\n', []],
    ['Debian testing', 'ID=debian\nPRETTY_NAME="Debian GNU/Linux forky/sid"\n', []],
    ['Debian 11', 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n', ['OS_UNSUPPORTED w1']],
    ['Ubuntu 22.04', 'ID=ubuntu\nVERSION_ID="22.04"\n', []],
    ['Ubuntu 20.04', 'ID=ubuntu\nVERSION_ID="20.04"\n', ['OS_UNSUPPORTED w1']],
    ['Rocky 9', 'ID="rocky"\nVERSION_ID="9.4"\n', []],
    ['Alpine', 'ID=alpine\nVERSION_ID=3.20.0\n', ['OS_UNSUPPORTED w1']],
    ['nothing said', '', ['OS_UNSUPPORTED w1']],
  ])('systems: %s', (_, text, expected) => {
    expect(said(systems, { w1: { files: filesOf({ '/etc/os-release': text }) } })).toEqual(expected)
  })

  it.each([
    ['6.1.0-18-amd64', 'iptables', []],
    ['5.14.0-427.13.1.el9_4.x86_64', 'nftables', []],
    ['5.10.0-28-amd64', 'nftables', ['KERNEL_UNSUPPORTED w1']],
    ['4.18.0-553.el8.x86_64', 'iptables', ['KERNEL_UNSUPPORTED w1']],
  ] as const)('kernels: %s with %s', (kernel, proxy, expected) => {
    expect(said(kernels, { w1: { platform: { kernel, arch: 'amd64' } } }, inventoryWith({ proxy }))).toEqual(expected)
  })

  it('architectures: the bundle has to be for the host', () => {
    const { arch } = architectures.asks(siteOf('w1')) as { arch: Fact<{ is: string; want: 'amd64' }> }
    expect(
      said(architectures, { w1: { arch: arch.parse('6.1.0 x86_64\n') }, w2: { arch: arch.parse('6.1.0 aarch64\n') } }),
    ).toEqual(['BUNDLE_ARCH w2'])
  })

  const nothing = { commands: [], tool: null, names: [], adds: [], broken: false, said: [] } satisfies Lacking
  const lacks = (over: Partial<Lacking>): Lacking => ({ ...nothing, commands: ['iptables'], ...over })
  const apt = { tool: 'apt', names: ['iptables'] } as const
  it.each<[string, Lacking, RegExp | null, RegExp]>([
    ['all there', nothing, null, /^$/],
    ['a package brings it', lacks({ ...apt, adds: [{ name: 'iptables', version: '1' }] }), null, /^$/],
    [
      'no package manager that is known',
      lacks({}),
      /^COMMAND_MISSING w1 lacks iptables$/,
      /iptables \(RHEL: iptables-nft\)/,
    ],
    [
      'no repository has it',
      lacks({ ...apt, said: ["E: Package 'iptables' has no installation candidate"] }),
      /^COMMAND_MISSING w1 lacks iptables, and apt cannot install iptables$/,
      /no installation candidate.*repository that has iptables,/,
    ],
    [
      'dpkg was interrupted',
      lacks({ ...apt, broken: true, said: ['half'] }),
      /^PACKAGES_BROKEN w1/,
      /dpkg --configure -a/,
    ],
    [
      'systemd, which no package brings',
      lacks({ ...apt, commands: ['iptables', 'systemd'], adds: [{ name: 'iptables', version: '1' }] }),
      /^COMMAND_MISSING w1 lacks iptables, systemd$/,
      /booted by systemd/,
    ],
  ])('commands: %s', (_, lacking, expected, fix) => {
    const inventory = inventoryWith()
    const troubles = commands.look(new Map([[inventory.hosts[1]!, { lacking }]]), inventory)
    expect(said(commands, { cp1: { lacking: nothing }, w1: { lacking } })).toHaveLength(expected ? 1 : 0)
    for (const { code, message, evidence, fix: how } of troubles) {
      expect(`${code} ${message}`).toMatch(expected!)
      expect(JSON.stringify(evidence) + how).toMatch(fix)
    }
  })

  it.each([
    ['in step', [1000, 1001.5, 999], []],
    ['one ahead', [1000, 1100, 1001], ['CLOCK_SKEW w1']],
    ['the leader behind', [100, 1000, 1001], ['CLOCK_SKEW cp1']],
  ])('clocks: %s', (_, [cp1, w1, w2], expected) => {
    expect(said(clocks, { cp1: { clock: cp1! }, w1: { clock: w1! }, w2: { clock: w2! } })).toEqual(expected)
  })

  it('peers: who does not reach whom', () => {
    const inventory = inventoryWith()
    const [trouble] = peers.look(new Map([[inventory.hosts[1]!, { unreached: ['10.0.0.11'] }]]), inventory)
    expect(trouble).toMatchObject({ code: 'PEER_UNREACHABLE', message: 'w1 does not reach cp1 at 10.0.0.11' })
    expect(peers.asks(siteOf('w2')).unreached.ask).toContain('for ip in 10.0.0.11 10.0.0.12; do')
  })
})
