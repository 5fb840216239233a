import { container } from '../../facts/container.ts'
import { type Identity, identity } from '../../facts/identity.ts'
import type { Code } from '../../model/codes.ts'
import type { Facts } from '../../model/fact.ts'
import type { Host } from '../../model/inventory.ts'
import { guard } from '../../model/step.ts'
import type { Trouble } from '../../model/trouble.ts'

const questions = { identity, container }
type Known = Facts<typeof questions>

interface Kind {
  readonly code: Code
  readonly name: string
  readonly fix: string
  /** The values of a host, each with where it was read. */
  of(known: Known, host: Host): { source: string; value: string }[]
}

const kinds: readonly Kind[] = [
  {
    code: 'DUPLICATE_MACHINE_ID',
    name: 'machine-id',
    fix: 'on the copied hosts: rm /etc/machine-id && systemd-machine-id-setup, then reboot',
    of: ({ identity }) => [{ source: '/etc/machine-id', value: identity.machineId }],
  },
  {
    code: 'DUPLICATE_PRODUCT_UUID',
    name: 'product_uuid',
    fix: 'give every virtual machine a UUID of its own (it is set by the hypervisor)',
    // containers of one machine share its firmware
    of: ({ identity, container }) =>
      container ? [] : [{ source: '/sys/class/dmi/id/product_uuid', value: identity.productUuid }],
  },
  {
    code: 'DUPLICATE_MAC',
    name: 'MAC address',
    fix: 'give every network card an address of its own (it is set by the hypervisor)',
    of: ({ identity }) => macs(identity),
  },
]

/** Hosts copied from one another share what Kubernetes and the network tell them apart by. */
export const duplicates = guard({
  title: 'machine-id, product_uuid and MAC addresses are unique',
  asks: () => questions,
  look: (all) => kinds.flatMap((kind) => shared(kind, all)),
})

function shared({ code, name, fix, of }: Kind, all: ReadonlyMap<Host, Known>): Trouble[] {
  const holders = new Map<string, { host: Host; source: string }[]>()
  for (const [host, known] of all)
    for (const { source, value } of of(known, host)) {
      if (value === '') continue
      holders.set(value, [...(holders.get(value) ?? []), { host, source }])
    }
  return [...holders]
    .filter(([, list]) => new Set(list.map(({ host }) => host)).size > 1)
    .map(([value, list]) => {
      const names = [...new Set(list.map(({ host }) => host.name))].join(', ')
      return {
        code,
        message: `${names} have the same ${name}`,
        where: names,
        evidence: list.map(({ host, source }) => ({ source: `${host.name}: ${source}`, line: value })),
        fix,
      }
    })
}

function macs({ macs }: Identity) {
  return [...macs].map(([link, value]) => ({ source: `/sys/class/net/${link}/address`, value }))
}
