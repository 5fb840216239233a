import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Failure } from '../../src/model/trouble.ts'
import { readInventory } from '../../src/read/inventory.ts'
import { inventorySchema } from '../../src/read/schema.ts'

const defaults = { home: '/home/me', user: 'me' }
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'k8snet-read-'))
  writeFileSync(join(dir, 'id'), 'key')
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const read = (text: string) => readInventory(join(dir, 'inventory.yaml'), text, defaults)
/** CODE line:column, per fault. */
function faults(text: string): string[] {
  return troubles(text).map((t) => `${t.code} ${/inventory\.yaml:?(.*)$/.exec(t.where ?? '')?.[1] ?? t.where}`)
}
function troubles(text: string): Failure['troubles'] {
  try {
    read(text)
  } catch (error) {
    expect((error as Failure).exit).toBe(2)
    return (error as Failure).troubles
  }
  return []
}

const good = `cluster:
  name: lab
  kubernetes: 1.37.1
  podSubnet: 10.244.0.0/16
  serviceSubnet: 10.96.0.0/12
ssh: { user: admin, key: ./id, become: sudo }
hosts:
  cp1: { address: 192.168.56.11, role: control-plane }
  w1:  { address: 192.168.56.12 }
`
/** The good one with a piece exchanged; a piece that is not there is a mistake of the test. */
function but(piece: string, by: string): string {
  expect(good).toContain(piece)
  return good.replace(piece, by)
}

describe('a good inventory', () => {
  test('has its defaults filled in', () => {
    expect(read(good)).toEqual({
      file: join(dir, 'inventory.yaml'),
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
      },
      source: { bundle: join(dir, 'bundle') },
      hosts: ['cp1', 'w1'].map((name, i) => ({
        name,
        role: i === 0 ? 'control-plane' : 'worker',
        address: `192.168.56.1${i + 1}`,
        port: 22,
        nodeIP: `192.168.56.1${i + 1}`,
        user: 'admin',
        become: 'sudo',
        key: join(dir, 'id'),
        knownHosts: '/home/me/.ssh/known_hosts',
        unsaid: ['port', 'knownHosts', 'jump'],
      })),
    })
  })

  test('lets a host say otherwise than ssh, and fills in the least', () => {
    const hostKey = `SHA256:${'a'.repeat(43)}`
    const { hosts, cluster } = read(`cluster: { kubernetes: v1.36.0, network: { backend: host-gw } }
ssh: { port: 2200, password: hidden }
hosts:
  a: { address: a.example.org, nodeIP: 10.0.0.1, role: control-plane, hostKey: "${hostKey}", port: 23, user: root, become: none, key: id }
  b: { address: 10.0.0.2 }
`)
    expect(cluster).toMatchObject({
      kubernetes: '1.36.0',
      name: 'kubernetes',
      podSubnet: '10.244.0.0/16',
      network: { provider: 'flannel', backend: 'host-gw' },
    })
    expect(hosts[0]).toMatchObject({
      address: 'a.example.org',
      nodeIP: '10.0.0.1',
      port: 23,
      user: 'root',
      become: 'none',
      hostKey,
      key: join(dir, 'id'),
    })
    expect(hosts[1]).toMatchObject({ port: 2200, user: 'me', become: 'sudo' })
    expect(hosts[1]).not.toHaveProperty('key')
    expect(hosts[1]!.password!.reveal()).toBe('hidden')
    expect(JSON.stringify(hosts)).not.toContain('hidden')
  })

  test('names several keys, bastions in every form, and doas', () => {
    const hostKey = `SHA256:${'b'.repeat(43)}`
    const { hosts } = read(`cluster: { kubernetes: 1.37.1 }
ssh: { user: admin, key: [id, ./id], become: doas, jump: "me@gate:2222,[fd00::1]" }
hosts:
  a: { address: 10.0.0.1, role: control-plane }
  b: { address: 10.0.0.2, jump: none, key: id }
  c: { address: 10.0.0.3, jump: { address: inner.example, user: x, hostKey: "${hostKey}", password: hidden, knownHosts: id } }
  d: { address: 10.0.0.4, jump: [outer, { address: 10.9.9.9, port: 23 }] }
`)
    const [a, b, c, d] = hosts
    expect(a).toMatchObject({ key: [join(dir, 'id'), join(dir, 'id')], become: 'doas', unsaid: ['port', 'knownHosts'] })
    expect(a!.jump).toMatchObject([
      { name: 'bastion gate', address: 'gate', user: 'me', port: 2222, key: [join(dir, 'id'), join(dir, 'id')] },
      { name: 'bastion fd00::1', address: 'fd00::1', user: 'admin', port: 22 },
    ])
    expect(b).toMatchObject({ jump: [], key: join(dir, 'id') })
    expect(c!.jump).toMatchObject([
      { address: 'inner.example', user: 'x', hostKey, knownHosts: join(dir, 'id'), unsaid: ['port'] },
    ])
    expect(c!.jump![0]!.password!.reveal()).toBe('hidden')
    expect(JSON.stringify(hosts)).not.toContain('hidden')
    expect(d!.jump!.map(({ address, port }) => `${address} ${port}`)).toEqual(['outer 22', '10.9.9.9 23'])
  })

  test('may name a key of which only the public half is there', () => {
    writeFileSync(join(dir, 'half.pub'), 'key')
    expect(read(but('./id', './half')).hosts[0]!.key).toBe(join(dir, 'half'))
  })

  test('is read from its file', () => {
    const file = join(dir, 'from-file.yaml')
    writeFileSync(file, good)
    expect(readInventory(file, undefined, defaults).hosts).toHaveLength(2)
  })
})

describe('a faulty inventory', () => {
  test.each([
    ['a misspelt key', () => but('podSubnet', 'podSubent'), ['KEY_UNKNOWN 4:3'], /did you mean podSubnet\?/],
    [
      'a misspelt key of a bastion',
      () => but('key: ./id', 'jump: { adress: gate }'),
      ['KEY_UNKNOWN 6:29'],
      /did you mean address\?/,
    ],
    ['a bastion of no form', () => but('key: ./id', 'jump: 5'), ['VALUE_TYPE 6:27'], /text or a mapping .* or a list/],
    ['a bastion that is an option', () => but('key: ./id', 'jump: "-oX=y"'), ['VALUE_TYPE 6:27'], /is no bastion/],
    [
      'a fault in a list of bastions',
      () => but('key: ./id', 'jump: [gate, { address: gate, port: 0 }]'),
      ['VALUE_TYPE 6:57'],
      /at least 1/,
    ],
    ['a list of keys with a number', () => but('key: ./id', 'key: [id, 5]'), ['VALUE_TYPE 6:31'], /has to be text/],
    ['one of several keys that is not there', () => but('key: ./id', 'key: [id, idd]'), ['FILE_NOT_FOUND 6:31'], /idd/],
    [
      'a misspelt key that is required',
      () => but('kubernetes:', 'kubernets:'),
      ['KEY_UNKNOWN 3:3'],
      /did you mean kubernetes\?/,
    ],
    [
      'an unknown key at a host',
      () => but('address: 192.168.56.12', 'address: 192.168.56.12, colour: red'),
      ['KEY_UNKNOWN 9:34'],
      /what may stand here: address, role/,
    ],
    ['an unknown key at the top', () => `${good}host: {}\n`, ['KEY_UNKNOWN 10:1'], /did you mean hosts\?/],
    ['a number of the wrong type', () => but('become: sudo', 'port: ssh'), ['VALUE_TYPE 6:38'], /whole number/],
    ['a port that is none', () => but('become: sudo', 'port: 70000'), ['VALUE_TYPE 6:38'], /at most 65535/],
    ['text where a number stands', () => but('name: lab', 'name: 12'), ['VALUE_TYPE 2:9'], /write it in quotes: "12"/],
    ['a list of hosts', () => 'cluster: { kubernetes: 1.37.1 }\nhosts:\n  - a\n', ['VALUE_TYPE 3:3'], /mapping/],
    [
      'a wrong choice',
      () => but('role: control-plane', 'role: controlplane'),
      ['CONTROL_PLANE_MISSING 7:1', 'VALUE_TYPE 8:40'],
      /did you mean control-plane\?/,
    ],
    ['no control plane', () => but(', role: control-plane', ''), ['CONTROL_PLANE_MISSING 7:1'], /role: control-plane/],
    ['no hosts', () => but('hosts:', 'hosts: {}\nx:'), ['CONTROL_PLANE_MISSING 7:1', 'KEY_UNKNOWN 8:1'], /./],
    ['hosts left out', () => 'cluster: { kubernetes: 1.37.1 }\n', ['VALUE_MISSING 1:1'], /hosts is missing/],
    [
      'hosts without a value',
      () => 'cluster: { kubernetes: 1.37.1 }\nhosts:\n',
      ['VALUE_MISSING 2:1'],
      /hosts is missing/,
    ],
    ['no version', () => but('  kubernetes: 1.37.1\n', ''), ['VALUE_MISSING 1:1'], /cluster.kubernetes/],
    ['no address', () => but('{ address: 192.168.56.12 }', '{}'), ['VALUE_MISSING 9:3'], /hosts.w1.address/],
    [
      'two control planes',
      () => but('address: 192.168.56.12', 'address: 192.168.56.12, role: control-plane'),
      ['CONTROL_PLANE_COUNT 9:40'],
      /exactly one/,
    ],
    [
      'a host named twice',
      () => but('w1: ', 'cp1: '),
      ['CONTROL_PLANE_MISSING 7:1', 'NAME_DUPLICATE 9:3'],
      /two hosts have the name cp1/,
    ],
    ['a key named twice', () => but('  name: lab\n', '  name: lab\n  name: lub\n'), ['YAML_SYNTAX 3:3'], /twice/],
    [
      'an address named twice',
      () => but('192.168.56.12', '192.168.56.11'),
      ['ADDRESS_DUPLICATE 9:19'],
      /same address and port as cp1/,
    ],
    [
      'an address named twice with two ports',
      () => but('192.168.56.12', '192.168.56.11, port: 2222'),
      ['ADDRESS_DUPLICATE 9:19'],
      /same nodeIP as cp1/,
    ],
    [
      'a nodeIP named twice',
      () => but('192.168.56.12', '192.168.56.12, nodeIP: 192.168.56.11'),
      ['ADDRESS_DUPLICATE 9:42'],
      /same nodeIP as cp1/,
    ],
    ['an underscore in a name', () => but('w1: ', 'w_1: '), ['HOSTNAME_INVALID 9:3'], /underscore.*name it w-1/s],
    ['capitals in a name', () => but('w1: ', 'W1: '), ['HOSTNAME_INVALID 9:3'], /capital.*name it w1/s],
    [
      'a name that ends in a dash',
      () => but('w1: ', 'w1-: '),
      ['HOSTNAME_INVALID 9:3'],
      /letter or digit at both ends/,
    ],
    ['a name that is too long', () => but('w1: ', `${'w'.repeat(64)}: `), ['HOSTNAME_INVALID 9:3'], /63/],
    [
      'an address that is none',
      () => but('192.168.56.12', '192.168.56.312'),
      ['VALUE_TYPE 9:19'],
      /neither an IP address nor a host name/,
    ],
    [
      'a name as address without a nodeIP',
      () => but('192.168.56.12', 'w1.example.org'),
      ['VALUE_MISSING 9:19'],
      /hosts.w1.nodeIP/,
    ],
    [
      'a loopback address without a nodeIP',
      () => but('192.168.56.12', '127.0.0.1'),
      ['VALUE_MISSING 9:19'],
      /loopback/,
    ],
    ['a nodeIP that is a name', () => but('192.168.56.12', '192.168.56.12, nodeIP: w1'), ['VALUE_TYPE 9:42'], /IPv4/],
    ['a subnet that is none', () => but('10.244.0.0/16', '10.244.0.0'), ['CIDR_INVALID 4:14'], /CIDR/],
    [
      'a subnet with host bits',
      () => but('10.244.0.0/16', '10.244.1.0/16'),
      ['CIDR_INVALID 4:14'],
      /write 10\.244\.0\.0\/16/,
    ],
    ['a subnet of loopback', () => but('10.244.0.0/16', '127.0.0.0/16'), ['CIDR_INVALID 4:14'], /loopback/],
    ['a subnet of IPv6', () => but('10.244.0.0/16', 'fd00::/48'), ['CIDR_INVALID 4:14'], /IPv6/],
    ['a Service subnet that is too large', () => but('10.96.0.0/12', '11.0.0.0/8'), ['CIDR_INVALID 5:18'], /\/12/],
    ['pods and Services that overlap', () => but('10.96.0.0/12', '10.244.0.0/20'), ['CIDR_OVERLAP 5:18'], /overlap/],
    [
      'pods that overlap the Services of the default',
      () => good.replace('  serviceSubnet: 10.96.0.0/12\n', '').replace('10.244.0.0/16', '10.96.0.0/16'),
      ['CIDR_OVERLAP 4:14'],
      /overlap/,
    ],
    ['a host inside the pods', () => but('192.168.56.12', '10.244.3.4'), ['CIDR_OVERLAP 9:19'], /inside podSubnet/],
    [
      'a nodeIP inside the Services',
      () => but('192.168.56.12', '192.168.56.12, nodeIP: 10.97.0.1'),
      ['CIDR_OVERLAP 9:42'],
      /inside serviceSubnet/,
    ],
    [
      'pods for fewer nodes',
      () => but('10.244.0.0/16', '10.244.0.0/24'),
      ['CIDR_TOO_SMALL 4:14'],
      /1 pieces of \/24.*\/23 or larger/s,
    ],
    ['pods for no node', () => but('10.244.0.0/16', '10.244.0.0/25'), ['CIDR_TOO_SMALL 4:14'], /\/24/],
    ['an old version', () => but('1.37.1', '1.34.2'), ['VERSION_UNSUPPORTED 3:15'], /1\.35, 1\.36, 1\.37/],
    [
      'a version without a patch',
      () => but('1.37.1', '1.37'),
      ['VERSION_UNSUPPORTED 3:15'],
      /1\.37 is no version in full/,
    ],
    ['a version that YAML would shorten', () => but('1.37.1', '1.40'), ['VERSION_UNSUPPORTED 3:15'], /1\.40 /],
    ['a word as version', () => but('1.37.1', 'latest'), ['VERSION_UNSUPPORTED 3:15'], /latest/],
    ['a key file that is not there', () => but('./id', './nothing'), ['FILE_NOT_FOUND 6:26'], /nothing/],
    [
      'a key file of a host that is not there',
      () => but('192.168.56.12', '192.168.56.12, key: ~/none'),
      ['FILE_NOT_FOUND 9:39'],
      /\/home\/me\/none/,
    ],
    ['a known_hosts that is not there', () => but('become: sudo', 'knownHosts: no'), ['FILE_NOT_FOUND 6:44'], /known/i],
    [
      'a host key that is no fingerprint',
      () => but('192.168.56.12', '192.168.56.12, hostKey: MD5:aa:bb'),
      ['VALUE_TYPE 9:43'],
      /ssh-keygen -lf/,
    ],
    ['a bad name for the certificate', () => but('name: lab', 'certSANs: ["a b"]'), ['VALUE_TYPE 2:14'], /a b/],
    ['nothing', () => '', ['FILE_EMPTY '], /./],
    ['only a comment', () => '# later\n', ['FILE_EMPTY '], /./],
    ['something that is not YAML', () => 'hosts: [a, b\nx: }', ['YAML_SYNTAX 2:1', 'YAML_SYNTAX 2:4'], /not YAML/],
    ['a tab', () => 'cluster:\n\tname: x\n', ['YAML_SYNTAX 2:1'], /[Tt]ab/],
    ['two documents', () => `${good}---\na: b\n`, ['YAML_SYNTAX 10:1'], /document/],
    ['text only', () => 'just some words\n', ['VALUE_TYPE 1:1'], /the file has to be a mapping/],
  ])('with %s is refused at its place', (_, text, expected, said) => {
    const input = text()
    expect(faults(input)).toEqual(expected)
    expect(
      troubles(input)
        .map((t) => `${t.message}\n${t.fix ?? ''}`)
        .join('\n'),
    ).toMatch(said)
  })

  test('tells all its faults in one go, in the order of the file', () => {
    const input = `cluster:
  name: My_Lab
  kubernets: 1.20.0
  podSubnet: 10.96.0.0/25
ssh: { key: ./nothing, prot: 1 }
hosts:
  cp_1: { address: 10.96.0.1 }
  w1: { adress: 10.0.0.1, role: boss }
  w1: { address: 10.0.0.1, port: x }
`
    expect(faults(input)).toEqual([
      'VALUE_TYPE 2:9',
      'KEY_UNKNOWN 3:3',
      'CIDR_TOO_SMALL 4:14',
      'CIDR_OVERLAP 4:14',
      'KEY_UNKNOWN 5:24',
      'CONTROL_PLANE_MISSING 6:1',
      'HOSTNAME_INVALID 7:3',
      'CIDR_OVERLAP 7:20',
      'CIDR_OVERLAP 7:20',
      'NAME_DUPLICATE 9:3',
      'VALUE_TYPE 9:34',
    ])
  })

  test('that is not there is refused', () => {
    expect(() => readInventory(join(dir, 'none.yaml'), undefined, defaults)).toThrow(/FILE_NOT_FOUND/)
  })

  test('is refused with faults, never with a crash, whatever it holds', () => {
    const key = fc.constantFrom(
      'cluster',
      'hosts',
      'ssh',
      'source',
      'kubernetes',
      'podSubnet',
      'address',
      'nodeIP',
      'role',
      'network',
      'a_b',
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, 1, 'x', true, '10.0.0.0/8', '10.0.0.1'),
        fc.array(tie('tree'), { maxLength: 2 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
      ),
    }))
    fc.assert(
      fc.property(
        fc.oneof(tree, fc.record({ cluster: tree, hosts: fc.dictionary(fc.constantFrom('a', 'b', 'c_d'), tree) })),
        (value) => {
          const found = troubles(JSON.stringify(value))
          expect(found.length).toBeGreaterThan(0)
          for (const t of found) expect(t.where).toMatch(/inventory\.yaml/)
        },
      ),
      { numRuns: 500 },
    )
  })
})

test('the JSON Schema knows the keys, what is required and what stands by default', () => {
  const schema = JSON.parse(JSON.stringify(inventorySchema()))
  expect(schema.required).toEqual(['cluster', 'hosts'])
  expect(schema.additionalProperties).toBe(false)
  expect(schema.properties.cluster.required).toEqual(['kubernetes'])
  expect(schema.properties.cluster.properties.podSubnet).toMatchObject({ type: 'string', default: '10.244.0.0/16' })
  expect(schema.properties.hosts.additionalProperties.required).toEqual(['address'])
  expect(schema.properties.hosts.additionalProperties.properties.role.enum).toEqual(['control-plane', 'worker'])
})
