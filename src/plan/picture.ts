import { maskOf } from '../model/mask.ts'
import { canonical, digestOf } from './canonical.ts'

/**
 * A value as a plan file keeps it: short ones as canonical JSON, long ones as their digest, a Map by its keys. Enough to see
 * whether it changed, where, and for short ones from what to what. An object in a Map is always a digest, since it may be a
 * file, and so is what has the form of a secret.
 */
export type Picture = string | { readonly [key: string]: string }

/** Values of fewer characters are kept as they are. */
const short = 200
const mask = maskOf([])

export function pictureOf(value: unknown): Picture {
  if (!(value instanceof Map)) return kept(value)
  return Object.fromEntries(
    [...value].map(([key, of]) => [String(key), typeof of === 'object' && of !== null ? digestOf(of) : kept(of)]),
  )
}

function kept(value: unknown): string {
  const text = canonical(value)
  return text.length < short && mask(text) === text ? text : digestOf(value)
}

/** A difference between two pictures of the same thing. */
export interface Difference {
  /** Of a Map: which entry. */
  readonly part?: string
  /** `was 0, is 1`; `changed` where the values are long. */
  readonly how: string
}

/** How two pictures differ; none where they are the same. */
export function differences(was: Picture | undefined, is: Picture | undefined): Difference[] {
  if (typeof was === 'object' && typeof is === 'object') {
    const parts = [...new Set([...Object.keys(was), ...Object.keys(is)])].sort()
    return parts.filter((part) => was[part] !== is[part]).map((part) => ({ part, how: how(was[part], is[part]) }))
  }
  return canonical(was) === canonical(is) ? [] : [{ how: how(was, is) }]
}

function how(was: Picture | undefined, is: Picture | undefined): string {
  const told = (it: Picture | undefined) => (it === undefined ? 'absent' : isDigest(it) ? 'there' : String(it))
  if (isDigest(was) && isDigest(is)) return 'changed'
  return `was ${told(was)}, is ${told(is)}`
}

const isDigest = (it: Picture | undefined): boolean => typeof it === 'object' || it?.startsWith('sha256:') === true
