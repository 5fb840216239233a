import { cpus, disk, memory } from '../../facts/machine.ts'
import { membership } from '../../facts/membership.ts'
import type { Host } from '../../model/inventory.ts'
import { guard } from '../../model/step.ts'
import type { Trouble } from '../../model/trouble.ts'
import { isOurs } from './member.ts'

/** kubeadm asks 2 processors and 1700 MB of a control plane; the disk holds programs, images and their unpacked copies. */
const needs = {
  'control-plane': { cpus: 2, memory: 1700, disk: 4000 },
  worker: { cpus: 1, memory: 700, disk: 2500 },
} as const

/** Every host is big enough for its role. A member has shown that it is. */
export const resources = guard({
  title: 'Every host has enough processors, memory and disk',
  asks: () => ({ cpus, memory, disk, membership }),
  look: (all, inventory) =>
    [...all]
      .filter(([, { membership }]) => !isOurs(membership, inventory))
      .flatMap(([host, { cpus, memory, disk }]) => {
        const need = needs[host.role]
        return [
          ...short(host, 'TOO_FEW_CPUS', 'processors', cpus, need.cpus, 'nproc'),
          ...short(host, 'TOO_LITTLE_MEMORY', 'MiB of memory', memory, need.memory, '/proc/meminfo'),
          ...short(host, 'TOO_LITTLE_DISK', 'MB of free disk for /var/lib/containerd', disk, need.disk, 'df'),
        ]
      }),
})

function short(
  host: Host,
  code: 'TOO_FEW_CPUS' | 'TOO_LITTLE_MEMORY' | 'TOO_LITTLE_DISK',
  what: string,
  is: number,
  want: number,
  source: string,
): Trouble[] {
  if (is >= want) return []
  return [
    {
      code,
      message: `${host.name} has ${is} ${what}; a ${host.role} needs ${want}`,
      where: host.name,
      evidence: [{ source, line: String(is) }],
      fix: `give ${host.name} more, or another role`,
    },
  ]
}
