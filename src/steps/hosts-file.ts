import { files, linesOf, paths } from '../facts/files.ts'
import type { Host } from '../model/inventory.ts'
import { step } from '../model/step.ts'
import { linesAre } from './files.ts'

interface Edit {
  readonly was: string | null
  readonly want: string | null
}

/**
 * Every host of the inventory resolves to its node IP. Debian's and the cloud images' `127.0.1.1 NAME` makes a node announce
 * a loopback address: a name of ours is taken out of every other line that gives it an IPv4 or a loopback address.
 */
export const hostsFile = step({
  title: 'Every host resolves every other by its node IP',
  asks: () => ({ files }),
  plan: ({ files }, { inventory }) => {
    const lines = linesOf(files, paths.hosts)
    const wanted = new Map(inventory.hosts.map((host) => [host.name, host.nodeIP]))
    const changed = lines.flatMap((line): Edit[] => {
      const want = withoutStrangers(line, wanted)
      return want === line ? [] : [{ was: line, want }]
    })
    const missing = inventory.hosts.filter((host) => !lines.some((line) => gives(line, host)))
    return linesAre(paths.hosts, [
      ...changed,
      ...missing.map(({ name, nodeIP }) => ({ was: null, want: `${nodeIP} ${name}` })),
    ])
  },
})

function gives(line: string, { name, nodeIP }: Host): boolean {
  const [address, ...names] = wordsOf(line)
  return address === nodeIP && names.includes(name)
}

/** The line without the names that it gives an address other than the wanted one; a comment where no name is left. */
function withoutStrangers(line: string, wanted: ReadonlyMap<string, string>): string {
  const [address = '', ...names] = wordsOf(line)
  const isOurs = (name: string) => wanted.has(name) && wanted.get(name) !== address
  if (!names.some(isOurs) || (address.includes(':') && address !== '::1')) return line
  const left = names.filter((name) => !isOurs(name))
  return left.length === 0 ? `# k8snet: ${line}` : `${address}\t${left.join(' ')}`
}

function wordsOf(line: string): string[] {
  return line.replace(/#.*/, '').trim().split(/\s+/)
}
