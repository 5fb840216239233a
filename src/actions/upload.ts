import type { UploadAction } from '../model/action.ts'
import { sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** An artifact of the bundle at a path. Its bytes come by src/run/transfer.ts; a foreign file is kept aside for the undo. */
export const upload: KindOf<UploadAction> = {
  show: ({ artifact, version, path, size, was, remove }) => ({
    summary: remove ? `remove ${path}` : `install ${artifact} ${version} at ${path} (${megabytes(size)} MB)`,
    is: was,
  }),
  compile: ({ path, remove }) => {
    if (!remove) throw new Error(`${path}: an upload has no script of its own`)
    return [sh`rm -f ${path}`, sh`give_back ${path}`, sh`unmkdirs ${path}`].join('\n')
  },
  undo: (action) => [{ ...action, remove: true }],
}

export const megabytes = (size: number): string => (size / 1e6).toFixed(1)
