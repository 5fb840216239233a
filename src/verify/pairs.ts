import { createHash } from 'node:crypto'

/** Ordered pairs of nodes, a node with itself among them. */
export interface Pairs {
  has(from: string, to: string): boolean
  readonly pairs: number
  /** How many there would be. */
  readonly of: number
}

/** With more nodes than this, only some pairs are tried. */
export const allPairsUpTo = 50
/** Each node then tries this many others, and as many try it. */
const nextOnRing = 8

/**
 * The pairs that live probes go over: all of them up to `most` nodes. Of more, every node with itself and with those that come
 * next on a ring in the order of the hashes of their names, which is the same in every run, and the suspicious pairs both ways.
 */
export function choosePairs(
  names: readonly string[],
  suspicious: readonly (readonly [string, string])[] = [],
  most = allPairsUpTo,
): Pairs {
  const of = names.length ** 2
  if (names.length <= most) return { has: () => true, pairs: of, of }
  const hash = (name: string) => createHash('sha256').update(name).digest('hex')
  const hashes = new Map(names.map((name) => [name, hash(name)]))
  const ring = [...names].sort((a, b) => ((hashes.get(a) ?? '') < (hashes.get(b) ?? '') ? -1 : 1))
  const known = new Set(names)
  const chosen = new Set<string>()
  ring.forEach((from, i) => {
    for (let step = 0; step <= nextOnRing; step += 1) chosen.add(keyOf(from, ring[(i + step) % ring.length] as string))
  })
  for (const [a, b] of suspicious)
    if (known.has(a) && known.has(b)) for (const key of [keyOf(a, b), keyOf(b, a)]) chosen.add(key)
  return { has: (from, to) => chosen.has(keyOf(from, to)), pairs: chosen.size, of }
}

const keyOf = (from: string, to: string): string => `${from} ${to}`
