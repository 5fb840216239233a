import type { Files } from '../facts/files.ts'
import type { FileAction, LineAction } from '../model/action.ts'

/** The action that makes a file what it should be: none where it is. */
export function fileIs(found: Files, path: string, content: string, mode = '0644'): FileAction[] {
  const was = found.get(path) ?? null
  if (was && was.content === content && was.mode === mode && was.owner === 'root:root') return []
  return [{ kind: 'file', path, was, want: { content, mode, owner: 'root:root' } }]
}

/** The action that edits lines of somebody else's file: none where there is nothing to edit. */
export function linesAre(path: string, edits: LineAction['edits']): LineAction[] {
  return edits.length === 0 ? [] : [{ kind: 'line', path, edits }]
}
