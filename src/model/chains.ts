import { groupBy } from './group.ts'
import type { Chain, Hook, Netfilter } from './netfilter.ts'

interface Index {
  readonly hooks: ReadonlyMap<Hook | undefined, Chain[]>
  readonly names: ReadonlyMap<string, Chain>
}

const indexes = new WeakMap<Netfilter, Index>()

function indexOf(netfilter: Netfilter): Index {
  const there = indexes.get(netfilter)
  if (there) return there
  const ours = netfilter.chains
    .filter(({ family }) => family === 'ip' || family === 'inet')
    .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0))
  const index = {
    hooks: groupBy(ours, ({ hook }) => hook),
    names: new Map(netfilter.chains.map((chain) => [keyOf(chain, chain.name), chain])),
  }
  indexes.set(netfilter, index)
  return index
}

const keyOf = ({ backend, family, table }: Chain, name: string): string => `${backend} ${family} ${table} ${name}`

/** The base chains of a hook that see IPv4 packets of the host, in the order of the kernel. */
export const chainsAt = (netfilter: Netfilter, hook: Hook): readonly Chain[] => indexOf(netfilter).hooks.get(hook) ?? []

/** The chain of that name in the table of `from`. */
export const chainNamed = (netfilter: Netfilter, from: Chain, name: string): Chain | undefined =>
  indexOf(netfilter).names.get(keyOf(from, name))
