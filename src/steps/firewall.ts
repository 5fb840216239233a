import { type Files, files, paths } from '../facts/files.ts'
import { type Wall, walls } from '../facts/firewall.ts'
import { stateOf, type Units, units } from '../facts/units.ts'
import type { Action, FirewallAction, FirewallRule } from '../model/action.ts'
import { inIptables, inNftables, markOf } from '../model/firewall.ts'
import type { Host } from '../model/inventory.ts'
import { type Site, step } from '../model/step.ts'
import { fileIs } from './files.ts'
import { template } from './template.ts'

/** Puts our rules back after a firewall loaded its own at boot, or anew. */
const unit = 'k8snet-firewall.service'

/**
 * Where a firewall is active, it accepts what the nodes and pods need of each other; it is never switched off, and nothing is
 * opened to anybody else. NodePorts need no hole of their own: kube-proxy turns their packets into forwarded ones before the
 * host's own ports are looked at.
 */
export const firewall = step({
  title: 'The firewall, where one is active, accepts the nodes and the pods',
  asks: ({ host }) => ({ ...walls(host.nodeIP), files, units }),
  plan: ({ ufw, firewalld, iptables, nftables, files, units }, site) => {
    // what iptables holds is theirs, where one of them rules
    const managers = [...ufw, ...firewalld]
    const bare = [...(managers.length > 0 ? [] : iptables), ...nftables]
    return [
      ...[...managers, ...bare].flatMap((wall) => missingIn(wall, site)),
      ...(bare.length > 0 ? keptAtBoot(bare, site, files, units) : []),
    ]
  },
})

function missingIn(wall: Wall, site: Site): FirewallAction[] {
  return rulesOf(wall, site)
    .filter((rule) => !wall.marks.has(markOf(rule)))
    .map((rule, i) => ({
      kind: 'firewall',
      tool: wall.tool,
      rule,
      ...(wall.into && { into: wall.into }),
      ...(wall.files && i === 0 && { files: wall.files }),
    }))
}

function rulesOf(wall: Wall, site: Site): FirewallRule[] {
  return wantedRules(site)
    .filter(({ chain }) => wall.chain === 'both' || wall.chain === chain)
    .filter(({ translatedTo }) => translatedTo === undefined || wall.tool !== 'firewalld')
}

/** Rules in a bare iptables or nftables are gone after a boot, so a unit of ours comes after the one that loads the others. */
function keptAtBoot(bare: readonly Wall[], site: Site, files: Files, units: Units): Action[] {
  const rules = bare.flatMap((wall) => rulesOf(wall, site).map((rule) => kept(wall, rule)))
  const is = stateOf(units, unit)
  const on = is.enabled === 'enabled' && is.active
  return [
    ...fileIs(files, paths.firewall, template('firewall.sh', { RULES: rules.join('\n') })),
    ...fileIs(files, paths.firewallUnit, template('firewall.service', { SCRIPT: paths.firewall })),
    ...(on ? [] : [{ kind: 'service', unit, was: is, want: { enabled: 'enabled', active: true } } as const]),
  ]
}

function kept({ tool, into }: Wall, rule: FirewallRule): string {
  if (tool === 'iptables') return `${inIptables(into!, rule).add} || failed=1`
  return `! nft list chain ${into} >/dev/null 2>&1 || ${inNftables(into!, rule).add} || failed=1`
}

/** What a host has to accept, whichever firewall it has. */
export function wantedRules({ host, inventory }: Site): FirewallRule[] {
  const { podSubnet } = inventory.cluster
  const peers = inventory.hosts.filter(({ name }) => name !== host.name)
  return [
    { chain: 'input', from: podSubnet },
    { chain: 'forward', from: podSubnet },
    { chain: 'forward', translatedTo: podSubnet },
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
