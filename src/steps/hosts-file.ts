import { files, linesOf, paths } from '../facts/files.ts'
import type { Inventory } from '../model/inventory.ts'
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
    const wanted = wantedBy(inventory)
    const rest = without(files.get(paths.hosts)?.content ?? '', wanted.block)
    const lines = rest ?? linesOf(files, paths.hosts)
    const changed = lines.flatMap((line): Edit[] => {
      const want = withoutStrangers(line, wanted.addresses)
      return want === line ? [] : [{ was: line, want }]
    })
    return linesAre(paths.hosts, [...changed, ...(rest === null ? missing(lines, wanted) : [])])
  },
})

/** What is asked of every host alike. */
interface Wanted {
  /** Node IPs by name. */
  readonly addresses: ReadonlyMap<string, string>
  /** A line for each host, in the order of the inventory. */
  readonly edits: readonly (Edit & { readonly want: string })[]
  /** The same lines as they stand in a file where nothing came between them. */
  readonly block: string
}

const known = new WeakMap<Inventory, Wanted>()

/** Made once for an inventory: a thousand hosts would make a million lines of it. */
function wantedBy(inventory: Inventory): Wanted {
  const found = known.get(inventory)
  if (found) return found
  const edits = inventory.hosts.map(({ name, nodeIP }) => ({ was: null, want: `${nodeIP} ${name}` }))
  const wanted = {
    addresses: new Map(inventory.hosts.map((host) => [host.name, host.nodeIP])),
    edits,
    block: edits.map(({ want }) => `${want}\n`).join(''),
  }
  known.set(inventory, wanted)
  return wanted
}

/** The lines of a text around a block of whole lines; null where the block is not in it. */
function without(text: string, block: string): string[] | null {
  const at = text.indexOf(block)
  if (at < 0 || (at > 0 && text[at - 1] !== '\n')) return null
  const rest = text.slice(0, at) + text.slice(at + block.length)
  return rest === '' ? [] : rest.replace(/\n$/, '').split('\n')
}

function missing(lines: readonly string[], { edits }: Wanted): Edit[] {
  const given = new Set(
    lines.flatMap((line) => {
      const [address, ...names] = wordsOf(line)
      return names.map((name) => `${address} ${name}`)
    }),
  )
  return edits.filter(({ want }) => !given.has(want))
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
