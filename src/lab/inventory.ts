import { createHash } from 'node:crypto'
import type { SshHost } from './ssh-config.ts'

/** A host of the lab: how SSH reaches it, where its peers reach it, and by what it is known. */
export interface LabHost extends SshHost {
  /** The address on the private network, eth1. */
  readonly nodeIP: string
  /** The line of its /etc/ssh/ssh_host_ed25519_key.pub: `ssh-ed25519 AAAA…` */
  readonly publicKey: string
  /** docker only: the container that all of this was learnt from. */
  readonly container?: string
}

/** What the inventory says besides the hosts. */
export interface LabCluster {
  /** Without a leading v. */
  readonly kubernetes: string
  /** The bundle's directory. */
  readonly bundle: string
}

/** The inventory of the lab, with comments for people who read their first one. */
export function inventoryText(hosts: readonly LabHost[], { kubernetes, bundle }: LabCluster): string {
  return `# The hosts of the lab. Written by \`k8snet lab up\`, again whenever something here is no longer so: edit a copy.
cluster:
  name: lab
  kubernetes: ${kubernetes}
  # One range for pods, one for Services; neither may overlap a network that the hosts are in.
  podSubnet: 10.244.0.0/16
  serviceSubnet: 10.96.0.0/12
  network: { provider: flannel, backend: vxlan }
  proxy: iptables

# Binaries and images come from this directory; \`k8snet bundle create\` makes it.
source:
  bundle: ${yamlString(bundle)}

# Each host has two networks. SSH goes to \`address\` and \`port\`, which Vagrant forwards to the first network, eth0;
# the nodes talk to each other at \`nodeIP\`, on the private one, eth1. The keys were read from the hosts themselves.
hosts:
${hosts.map(hostText).join('')}`
}

function hostText(host: LabHost, index: number): string {
  return `  ${host.name}:
    role: ${index === 0 ? 'control-plane' : 'worker'}
    address: ${host.address}
    port: ${host.port}
    nodeIP: ${host.nodeIP}
    user: ${host.user}
    key: ${yamlString(host.key)}
    become: sudo
    hostKey: ${fingerprint(host.publicKey)}
`
}

/** A line per host, as ssh wants it in a known_hosts file. */
export function knownHostsText(hosts: readonly LabHost[]): string {
  return hosts
    .map(({ address, port, publicKey }) => `${port === 22 ? address : `[${address}]:${port}`} ${publicKey}\n`)
    .join('')
}

/** The fingerprint of a public key as ssh-keygen prints it: SHA256:… in base64 without padding. */
export function fingerprint(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(/\s+/)[1] ?? '', 'base64')
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** A path as YAML: plain where nothing in it means something there. */
function yamlString(text: string): string {
  return /^[A-Za-z0-9/._-]+$/.test(text) ? text : JSON.stringify(text)
}
