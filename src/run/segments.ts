import { canLockOut } from '../actions/index.ts'
import type { Item } from './script.ts'

/** Consecutive items that travel together: scripts, files and images each go their own way; so does what can lock out. */
export interface Segment {
  readonly way: 'script' | 'guarded' | 'files' | 'images'
  readonly items: Item[]
}

/** Cuts a stage's items into segments without changing their order. */
export function segmentsOf(items: readonly Item[]): Segment[] {
  const segments: Segment[] = []
  for (const item of items) {
    const way = wayOf(item)
    const last = segments.at(-1)
    if (last?.way === way) last.items.push(item)
    else segments.push({ way, items: [item] })
  }
  return segments
}

function wayOf({ action }: Item): Segment['way'] {
  if (action.kind === 'upload' && !action.remove) return 'files'
  if (action.kind === 'image' && !action.remove) return 'images'
  return canLockOut(action) ? 'guarded' : 'script'
}
