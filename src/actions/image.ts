import type { ImageAction } from '../model/action.ts'
import { sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'
import { megabytes } from './upload.ts'

/** An image in containerd. Its blobs come by src/run/transfer.ts. */
export const image: KindOf<ImageAction> = {
  show: ({ ref, size, remove }) => ({
    summary: remove ? `remove image ${ref}` : `import image ${ref} (${megabytes(size)} MB)`,
  }),
  compile: ({ ref, remove }) => {
    if (!remove) throw new Error(`${ref}: an image has no script of its own`)
    return sh`if systemctl -q is-active containerd; then ctr -n k8s.io images rm ${ref} >/dev/null 2>&1 || :; fi`
  },
  undo: (action) => [{ ...action, remove: true }],

  thing: ({ ref }) => ref,
  merge: (_, later) => later,
}
