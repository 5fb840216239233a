import type { UploadAction } from '../model/action.ts'
import { sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** An artifact of the bundle at a path. Its bytes come by src/run/transfer.ts; a foreign file is kept aside for the undo. */
export const upload: KindOf<UploadAction> = {
  show: ({ artifact, version, path, size, was, remove }) => ({
    summary: remove ? `remove ${path}` : `install ${artifact} ${version} at ${path} (${megabytes(size)} MB)`,
    is: was,
  }),
  compile: ({ path, was, sha256, ours, remove }) => {
    if (!remove) throw new Error(`${path}: an upload has no script of its own`)
    const hashes = [...new Set(ours ?? [sha256])]
    return [
      // a file that was in the way and was never kept aside was never replaced
      was === 'foreign'
        ? sh`if [ -e ${path} ] && [ -e "$state/kept"${path} ]; then`
        : sh`if [ -e ${path} ] || [ -L ${path} ]; then`,
      sh`  as_sent ${path} ${hashes} || changed 'it is another file'`,
      sh`  rm -f ${path}`,
      'fi',
      sh`give_back ${path}`,
      sh`unmkdirs ${path}`,
    ].join('\n')
  },
  undo: (action) => [{ ...action, remove: true }],

  thing: ({ path }) => path,
  merge: (first, later) => ({
    ...later,
    was: first.was,
    ours: [...(first.ours ?? [first.sha256]), ...(later.ours ?? [later.sha256])],
  }),
}

export const megabytes = (size: number): string => (size / 1e6).toFixed(1)
