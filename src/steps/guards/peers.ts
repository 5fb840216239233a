import { unreached } from '../../facts/reach.ts'
import { leaderOf } from '../../model/inventory.ts'
import { guard, type Site } from '../../model/step.ts'

/** How many peers a host tries, the leader always among them; that every pair works is for verify to prove. */
const most = 16

/** Every host that is to join reaches the others on their node IPs. */
export const peers = guard({
  title: 'The hosts reach each other on their node IPs',
  asks: (site) => ({ unreached: unreached(triedBy(site)) }),
  look: (all, { hosts }) =>
    [...all].flatMap(([host, { unreached }]) =>
      unreached.map((ip) => ({
        code: 'PEER_UNREACHABLE',
        message: `${host.name} does not reach ${hosts.find(({ nodeIP }) => nodeIP === ip)?.name ?? 'a peer'} at ${ip}`,
        where: host.name,
        evidence: [{ source: `on ${host.name}: ping ${ip}, and TCP port 22`, line: 'no answer' }],
        fix: "check nodeIP in the inventory, the hosts' routes, and firewalls between them",
      })),
    ),
})

function triedBy({ host, inventory }: Site): string[] {
  const leader = leaderOf(inventory)
  const at = inventory.hosts.indexOf(host)
  const after = [...inventory.hosts.slice(at + 1), ...inventory.hosts.slice(0, Math.max(at, 0))]
  return [leader, ...after.filter((peer) => peer !== leader)]
    .filter(({ name }) => name !== host.name)
    .slice(0, most)
    .map(({ nodeIP }) => nodeIP)
}
