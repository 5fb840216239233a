import { createHash } from 'node:crypto'
import { createTwoFilesPatch } from 'diff'
import type { FileAction } from '../model/action.ts'
import { Secret } from '../model/secret.ts'
import { quote, type Sh, sh } from '../model/shell.ts'
import { changedStatus, type KindOf } from './kind.ts'

/** A whole file: made, replaced or removed. */
export const file: KindOf<FileAction> = {
  show: (action) => ({
    summary: `${verb(action)} ${action.path}`,
    ...(action.was && { is: `mode ${action.was.mode}, ${bytes(action.was.content)}` }),
    want: action.want ? `mode ${action.want.mode}, ${bytes(text(action.want.content))}` : 'absent',
    diff: diffOf(action.path, action.was?.content ?? '', action.want ? text(action.want.content) : ''),
  }),

  compile: (action) => {
    const { path, want } = action
    if (!want) {
      const remove = unless(path, null, [unchanged(action), sh`rm -f ${path}`])
      return `${sh`tidy ${path}`}\n${remove}\n${sh`unmkdirs ${path}`}${reload(path)}`
    }
    const { content, mode, owner } = want
    if (content instanceof Secret && !action.transient)
      throw new Error(`${path}: a secret in a file that is journalled`)
    const fresh = `${path}.k8snet`
    const write = [
      unchanged(action),
      sh`mkdirs ${path}`,
      'umask 077',
      `printf %s ${quote(content instanceof Secret ? content.reveal() : content)} >${quote(fresh)}`,
      sh`chmod ${mode} ${fresh}`,
      ...(owner ? [sh`chown ${owner} ${fresh}`] : []),
      sh`put ${fresh} ${path}`,
    ]
    const done = content instanceof Secret ? write.join('\n') : unless(path, content, write)
    const look = [...(owner ? [sh`chown ${owner} ${path}`] : []), sh`chmod ${mode} ${path}`]
    return `${[sh`tidy ${path}`, done, ...look].join('\n')}${reload(path)}`
  },

  undo: (action) => {
    if (action.transient) return []
    const now = action.want && {
      content: text(action.want.content),
      mode: action.want.mode,
      owner: action.want.owner ?? 'root:root',
    }
    return [{ kind: 'file', path: action.path, was: now, want: action.was, ours: oursOf(action) }]
  },

  thing: ({ path }) => path,
  merge: (first, later) => ({ ...later, was: first.was, ours: [...oursOf(first), ...oursOf(later)] }),
}

const oursOf = ({ ours, want }: FileAction) => ours ?? [want && text(want.content)]

/** A unified diff without the header lines, which only repeat the path; empty where nothing differs. */
export function diffOf(path: string, before: string, after: string): string {
  const patch = createTwoFilesPatch(path, path, before, after, '', '', { context: 2 })
  const hunk = patch.indexOf('\n@@')
  return hunk < 0 ? '' : patch.slice(hunk + 1).trimEnd()
}

/** Does the work unless the file already is what it is to be: a run that broke off may have done it. */
function unless(path: string, content: string | null, work: readonly Sh[]): Sh {
  return [`if ! ${holds(path, content)}; then`, ...work, 'fi'].join('\n')
}

/** Stops where the file is neither as it was nor, in an undo, as k8snet once made it. */
function unchanged({ path, was, ours }: FileAction): Sh {
  if (!ours) return `${holds(path, was?.content ?? null)} || exit ${changedStatus}`
  return `${[...new Set(ours)].map((content) => holds(path, content)).join(' ||\n  ')} ||\n  ${sh`changed_file ${path}`}`
}

/** Shell that tests whether the file has this content; null is a file that is not there. */
function holds(path: string, content: string | null): Sh {
  if (content === null) return sh`[ ! -e ${path} ]`
  return sh`[ "$(sha256sum <${path} 2>/dev/null)" = ${`${sha256(content)}  -`} ]`
}

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex')
const text = (content: string | Secret): string => String(content)
const bytes = (content: string): string => `${Buffer.byteLength(content)} bytes`
const verb = ({ was, want }: FileAction): string => (want ? (was ? 'change' : 'write') : 'remove')
const reload = (path: string): Sh => (path.startsWith('/etc/systemd/') ? '\nunits_changed' : '')
