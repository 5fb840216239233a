import { type Wall, walls } from '../facts/firewall.ts'
import type { FirewallAction, FirewallRule } from '../model/action.ts'
import { markOf } from '../model/firewall.ts'
import type { Host } from '../model/inventory.ts'
import { type Site, step } from '../model/step.ts'

/**
 * Where a firewall is active, it accepts what the nodes and pods need of each other; it is never switched off, and nothing is
 * opened to anybody else. NodePorts need no hole: kube-proxy turns their packets into forwarded ones before the host's own
 * ports are looked at.
 */
export const firewall = step({
  title: 'The firewall, where one is active, accepts the nodes and the pods',
  asks: () => walls,
  plan: ({ ufw, firewalld, iptables, nftables }, site) => {
    const managed = [...ufw, ...firewalld]
    const found = managed.length > 0 ? managed : [...iptables, ...nftables]
    return found.flatMap((wall) => missingIn(wall, site))
  },
})

function missingIn(wall: Wall, site: Site): FirewallAction[] {
  return wantedRules(site)
    .filter(({ chain }) => wall.chain === 'both' || wall.chain === chain)
    .filter((rule) => !has(wall, rule))
    .map((rule) => ({ kind: 'firewall', tool: wall.tool, rule, ...(wall.into && { into: wall.into }) }))
}

function has(wall: Wall, rule: FirewallRule): boolean {
  if (!wall.accepts) return wall.marks.has(markOf(rule))
  return wall.accepts.has([rule.from, rule.protocol, rule.port].filter((word) => word !== undefined).join(' '))
}

/** What a host has to accept, whichever firewall it has. */
export function wantedRules({ host, inventory }: Site): FirewallRule[] {
  const { podSubnet } = inventory.cluster
  const peers = inventory.hosts.filter(({ name }) => name !== host.name)
  return [
    { chain: 'input', from: podSubnet },
    { chain: 'forward', from: podSubnet },
    ...peers.flatMap((peer) => [
      ...portsFor(host, peer, inventory.cluster.network).map(
        ([protocol, port]): FirewallRule => ({ chain: 'input', from: peer.nodeIP, protocol, port }),
      ),
      { chain: 'forward', from: peer.nodeIP } as const,
    ]),
  ]
}

/** Ports of a host that a peer has to reach. */
function portsFor(host: Host, peer: Host, network: Site['inventory']['cluster']['network']): ['tcp' | 'udp', string][] {
  const overlay = { vxlan: network.port ?? 8472, udp: network.port ?? 8285, 'host-gw': undefined }[network.backend]
  return [
    ['tcp', '10250'],
    ...(host.role === 'control-plane' ? [['tcp', '6443'] as ['tcp', string]] : []),
    ...(host.role === 'control-plane' && peer.role === 'control-plane'
      ? [['tcp', '2379-2380'] as ['tcp', string]]
      : []),
    ...(overlay === undefined ? [] : [['udp', String(overlay)] as ['udp', string]]),
  ]
}
