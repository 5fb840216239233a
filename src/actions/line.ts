import type { LineAction } from '../model/action.ts'
import { quote, type Sh, sh } from '../model/shell.ts'
import { changedStatus, type KindOf } from './kind.ts'

/** Single lines of a file that belongs to somebody else; every other line stays as it is. */
export const line: KindOf<LineAction> = {
  show: ({ path, edits }) => ({
    summary: `edit ${path} (${edits.length === 1 ? 'one line' : `${edits.length} lines`})`,
    diff: edits
      .flatMap(({ was, want }) => [...(was === null ? [] : [`-${was}`]), ...(want === null ? [] : [`+${want}`])])
      .join('\n'),
  }),

  compile: ({ path, edits }) => {
    const copy = `${path}.k8snet`
    return [
      sh`cp -p ${path} ${copy}`,
      ...edits.map(({ was, want }) =>
        was === null
          ? sh`has ${copy} ${want ?? ''} || append ${copy} ${want ?? ''}`
          : sh`replace ${copy} ${was} ${want === null ? 'delete' : 'keep'} ${want ?? ''} || ` + otherwise(copy, want),
      ),
      `put ${quote(copy)} ${quote(path)}`,
    ].join('\n')
  },

  undo: ({ path, edits }) => [
    { kind: 'line', path, edits: edits.map(({ was, want }) => ({ was: want, want: was })).reverse() },
  ],
}

/** A line that is not there: already edited, or somebody else's doing. */
function otherwise(copy: string, want: string | null): Sh {
  const gone = sh`{ rm -f ${copy}; exit ${changedStatus}; }`
  return want === null ? ':' : sh`has ${copy} ${want} || ` + gone
}
