import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { fingerprint, inventoryText, knownHostsText, type LabHost } from '../../src/lab/inventory.ts'

// Made with ssh-keygen -t ed25519; the fingerprint is what `ssh-keygen -l` says of it.
const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJhJ4/xtojB4nK+5kxKCRC+yEpK4JbeiwTykA+l6fBW0'
const sha = 'SHA256:jk0BNKo7f/zdaKLOSY9moIu8+Ae4rsfrqQiEM1IgIbM'

const host = (name: string, port: number, nodeIP: string): LabHost => ({
  name,
  address: '127.0.0.1',
  port,
  user: 'vagrant',
  key: `/lab/.vagrant/machines/${name}/docker/private_key`,
  nodeIP,
  publicKey,
})
const hosts = [host('cp1', 2222, '192.168.56.11'), host('w1', 2200, '192.168.56.12')]
const cluster = { kubernetes: '1.37.1', bundle: '/cache/bundles/1.37.1-amd64' }

describe('the inventory of the lab', () => {
  it('is this text', () => {
    expect(
      inventoryText(hosts, cluster),
    ).toBe(`# The hosts of the lab. Written by \`k8snet lab up\`, again whenever something here is no longer so: edit a copy.
cluster:
  name: lab
  kubernetes: 1.37.1
  # One range for pods, one for Services; neither may overlap a network that the hosts are in.
  podSubnet: 10.244.0.0/16
  serviceSubnet: 10.96.0.0/12
  network: { provider: flannel, backend: vxlan }
  proxy: iptables

# Binaries and images come from this directory; \`k8snet bundle create\` makes it.
source:
  bundle: /cache/bundles/1.37.1-amd64

# Each host has two networks. SSH goes to \`address\` and \`port\`, which Vagrant forwards to the first network, eth0;
# the nodes talk to each other at \`nodeIP\`, on the private one, eth1. The keys were read from the hosts themselves.
hosts:
  cp1:
    role: control-plane
    address: 127.0.0.1
    port: 2222
    nodeIP: 192.168.56.11
    user: vagrant
    key: /lab/.vagrant/machines/cp1/docker/private_key
    become: sudo
    hostKey: ${sha}
  w1:
    role: worker
    address: 127.0.0.1
    port: 2200
    nodeIP: 192.168.56.12
    user: vagrant
    key: /lab/.vagrant/machines/w1/docker/private_key
    become: sudo
    hostKey: ${sha}
`)
  })

  it.each(['/home/a b/bundle', "/it's/bundle", '/x: y/#z', '/tab\there', '/größe', '~/bundle', 'C:\\x'])(
    'names a bundle at %j so that YAML reads the same path',
    (bundle) => {
      const read = parse(inventoryText(hosts, { ...cluster, bundle }))
      expect(read.source.bundle).toBe(bundle)
    },
  )
})

describe('the pinned host keys', () => {
  it('have the fingerprint that ssh-keygen prints', () => {
    expect(fingerprint(`${publicKey} root@cp1`)).toBe(sha)
  })

  it('are lines of a known_hosts file, with the port where it is not 22', () => {
    const direct = { ...host('w2', 22, '192.168.56.13'), address: '192.168.121.7' }
    expect(knownHostsText([...hosts, direct])).toBe(
      `[127.0.0.1]:2222 ${publicKey}\n[127.0.0.1]:2200 ${publicKey}\n192.168.121.7 ${publicKey}\n`,
    )
  })
})
