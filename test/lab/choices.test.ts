import { describe, expect, it } from 'vitest'
import { parseContainers } from '../../src/lab/containers.ts'
import { chooseProvider } from '../../src/lab/provider.ts'
import { checkCount, hostNames, nodeIpOf } from '../../src/lab/settings.ts'
import { sshWords } from '../../src/lab/ssh.ts'
import { freeSubnet } from '../../src/lab/subnet.ts'

describe('the provider', () => {
  it.each([
    { virtualbox: true, libvirt: true, kvm: true, provider: 'virtualbox' },
    { virtualbox: true, libvirt: false, kvm: false, provider: 'virtualbox' },
    { virtualbox: false, libvirt: true, kvm: true, provider: 'libvirt' },
    { virtualbox: false, libvirt: true, kvm: false, provider: 'docker' },
    { virtualbox: false, libvirt: false, kvm: true, provider: 'docker' },
    { virtualbox: false, libvirt: false, kvm: false, provider: 'docker' },
  ])('is $provider with VirtualBox: $virtualbox, libvirt: $libvirt, KVM: $kvm', ({ provider, ...machine }) => {
    expect(chooseProvider(machine)).toBe(provider)
  })
})

describe('the hosts', () => {
  it('are one control plane and workers, with addresses in their order', () => {
    expect(hostNames(4)).toEqual(['cp1', 'w1', 'w2', 'w3'])
    expect([0, 3].map((i) => nodeIpOf('192.168.56', i))).toEqual(['192.168.56.11', '192.168.56.14'])
  })

  it.each([0, 13, -1, 1.5, Number.NaN])('are never %d', (count) => {
    expect(() => checkCount(count)).toThrow(/USAGE: a lab has 1 to 12 hosts/)
  })

  it.each([1, 12])('may be %d', (count) => {
    expect(checkCount(count)).toBe(count)
  })
})

describe('the private network', () => {
  it.each([
    { taken: [], free: '192.168.56' },
    { taken: ['10.0.0', '192.168.56', '192.168.58'], free: '192.168.57' },
  ])('is $free.0/24 where $taken are taken', ({ taken, free }) => {
    expect(freeSubnet(taken)).toBe(free)
  })
})

describe('what docker ps prints', () => {
  it('gives the port of a running host, and none of a stopped one', () => {
    const text = 'aaa\tcp1\trunning\tk8snet-lab-host:1\t127.0.0.1:2222->22/tcp\nbbb\tw1\texited\tk8snet-lab-host:1\t\n'
    expect(parseContainers(text)).toEqual([
      { id: 'aaa', host: 'cp1', state: 'running', image: 'k8snet-lab-host:1', port: 2222 },
      { id: 'bbb', host: 'w1', state: 'exited', image: 'k8snet-lab-host:1' },
    ])
  })
})

describe('lab ssh', () => {
  const host = {
    name: 'w1',
    address: '127.0.0.1',
    port: 2201,
    user: 'vagrant',
    key: '/k',
    nodeIP: '192.168.56.12',
    publicKey: '',
  }
  const after = (command: string[]) => {
    const words = sshWords(host, '/my lab/known_hosts', command)
    return words.slice(words.indexOf('vagrant@127.0.0.1') + 1)
  }

  it.each([
    { command: [], sent: [] },
    { command: ['ls | wc -l'], sent: ['--', 'ls | wc -l'] },
    { command: ['echo', 'a  b', '$HOME'], sent: ['--', "echo 'a  b' '$HOME'"] },
  ])('sends $command as $sent', ({ command, sent }) => {
    expect(after(command)).toEqual(sent)
  })

  it('accepts only the pinned key, and finds its file where the path has a space', () => {
    const words = sshWords(host, '/my lab/known_hosts', []).join(' ')
    expect(words).toContain('StrictHostKeyChecking=yes')
    expect(words).toContain('UserKnownHostsFile="/my lab/known_hosts"')
  })
})
