import type { Directories, Directory } from '../facts/directories.ts'
import type { Sh } from '../model/shell.ts'
import { template } from './template.ts'

/**
 * Shell for an undo: what a program made by itself goes. Of these directories, those that were empty before are emptied and get
 * their mode back, those
 * that were not there are removed, and those that held something are somebody else's and left alone.
 */
export function emptied(before: Directories, directories: readonly Directory[]): Sh {
  return template('empty.sh', {
    EMPTIED: directories
      .filter((path) => before.get(path)?.full === false)
      .map((path) => `${before.get(path)!.mode}:${path}`)
      .join(' '),
    REMOVED: directories
      .filter((path) => !before.has(path))
      .toSorted()
      .toReversed()
      .join(' '),
  })
}
