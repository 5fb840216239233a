import type { LineAction } from '../model/action.ts'
import { quote, type Sh, sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** Single lines of a file that belongs to somebody else; every other line stays as it is. */
export const line: KindOf<LineAction> = {
  show: ({ path, edits }) => ({
    summary: `edit ${path} (${edits.length === 1 ? 'one line' : `${edits.length} lines`})`,
    diff: edits
      .flatMap(({ was, want }) => [...(was === null ? [] : [`-${was}`]), ...(want === null ? [] : [`+${want}`])])
      .join('\n'),
  }),

  compile: ({ path, edits, back }) => {
    const copy = `${path}.k8snet`
    const lines = edits.map(({ was, want }) =>
      was === null
        ? sh`has ${copy} ${want ?? ''} || append ${copy} ${want ?? ''}`
        : sh`replace ${copy} ${was} ${want === null ? 'delete' : 'keep'} ${want ?? ''} || ` + otherwise(path, want),
    )
    const begin = sh`cp -p ${path} ${copy}`
    const end = `put ${quote(copy)} ${quote(path)}`
    if (!back) return [begin, ...lines, sh`keep_first ${path} ${copy}`, end].join('\n')
    return [
      sh`tidy ${path}`,
      sh`[ -e ${path} ] || changed_file ${path}`,
      // without a copy of before no edit was ever put in place
      sh`if [ -e "$state/first"${path} ] && ! as_first ${path}; then`,
      begin,
      sh`if as_left ${path}; then cat "$state/first"${path} >${copy}; else :`,
      ...lines,
      'fi',
      end,
      'fi',
    ].join('\n')
  },

  undo: ({ path, edits }) => [
    { kind: 'line', path, edits: edits.map(({ was, want }) => ({ was: want, want: was })).reverse(), back: true },
  ],

  thing: ({ path }) => path,
  merge: (first, later) => ({ ...later, edits: [...first.edits, ...later.edits] }),
}

/** A line that is not there: already edited, or somebody else's doing. */
function otherwise(path: string, want: string | null): Sh {
  return want === null
    ? ':'
    : sh`has ${`${path}.k8snet`} ${want} || [ -n "\${overwrite-}" ] || { tidy ${path}; changed_file ${path}; }`
}
