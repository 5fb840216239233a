import { createHash } from 'node:crypto'

/**
 * A value as JSON that is the same for equal values: keys sorted, Maps and Sets as sorted lists, what is undefined left out.
 * A Secret reads as what may be seen of it.
 */
export function canonical(value: unknown): string {
  return JSON.stringify(plain(value)) ?? 'null'
}

/** `sha256:<hex>` of a value's canonical JSON. */
export function digestOf(value: unknown): string {
  return `sha256:${createHash('sha256').update(canonical(value)).digest('hex')}`
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Map) return inOrder([...value].map(([key, of]) => [plain(key), plain(of)]))
  if (value instanceof Set) return inOrder([...value].map(plain))
  if (Array.isArray(value)) return value.map(plain)
  if ('toJSON' in value && typeof value.toJSON === 'function') return plain(value.toJSON())
  const entries = Object.entries(value).filter(([, of]) => of !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, of]) => [key, plain(of)]))
}

function inOrder(list: unknown[]): unknown[] {
  return list
    .map((it) => ({ it, text: JSON.stringify(it) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map(({ it }) => it)
}
