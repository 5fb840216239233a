import { createHash } from 'node:crypto'
import { createTwoFilesPatch } from 'diff'
import type { FileAction, FileState } from '../model/action.ts'
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
    const { path, was, want } = action
    if (!want)
      return `${unless(path, null, [unchanged(path, was), sh`rm -f ${path}`])}\n${sh`unmkdirs ${path}`}${reload(path)}`
    const { content, mode, owner } = want
    if (content instanceof Secret && !action.transient)
      throw new Error(`${path}: a secret in a file that is journalled`)
    const fresh = `${path}.k8snet`
    const write = [
      unchanged(path, was),
      sh`mkdirs ${path}`,
      'umask 077',
      `printf %s ${quote(content instanceof Secret ? content.reveal() : content)} >${quote(fresh)}`,
      sh`chmod ${mode} ${fresh}`,
      ...(owner ? [sh`chown ${owner} ${fresh}`] : []),
      sh`put ${fresh} ${path}`,
    ]
    const done = content instanceof Secret ? write.join('\n') : unless(path, content, write)
    return `${done}\n${sh`chmod ${mode} ${path}`}${owner ? `\n${sh`chown ${owner} ${path}`}` : ''}${reload(path)}`
  },

  undo: (action) => {
    if (action.transient) return []
    const now = action.want && {
      content: text(action.want.content),
      mode: action.want.mode,
      owner: action.want.owner ?? 'root:root',
    }
    return [{ kind: 'file', path: action.path, was: now, want: action.was }]
  },
}

/** A unified diff without the header lines, which only repeat the path; empty where nothing differs. */
export function diffOf(path: string, before: string, after: string): string {
  return createTwoFilesPatch(path, path, before, after, '', '', { context: 2 })
    .split('\n')
    .slice(3)
    .join('\n')
    .trimEnd()
}

/** Does the work unless the file already is what it is to be: a run that broke off may have done it. */
function unless(path: string, content: string | null, work: readonly Sh[]): Sh {
  return [`if ! ${holds(path, content)}; then`, ...work, 'fi'].join('\n')
}

function unchanged(path: string, was: FileState | null): Sh {
  return `${holds(path, was?.content ?? null)} || exit ${changedStatus}`
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
