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
    const guard = unchanged(action.path, action.was)
    if (!action.want)
      return `${guard}\n${sh`rm -f ${action.path}`}\n${sh`unmkdirs ${action.path}`}${reload(action.path)}`
    const { content, mode, owner } = action.want
    if (content instanceof Secret && !action.transient)
      throw new Error(`${action.path}: a secret in a file that is journalled`)
    return (
      [
        guard,
        sh`mkdirs ${action.path}`,
        `umask 077`,
        `printf %s ${quote(content instanceof Secret ? content.reveal() : content)} >${quote(`${action.path}.k8snet`)}`,
        sh`chmod ${mode} ${`${action.path}.k8snet`}`,
        owner ? sh`chown ${owner} ${`${action.path}.k8snet`}` : ':',
        sh`put ${`${action.path}.k8snet`} ${action.path}`,
      ].join('\n') + reload(action.path)
    )
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

function unchanged(path: string, was: FileState | null): Sh {
  if (!was) return sh`[ ! -e ${path} ] || exit ${changedStatus}`
  return sh`[ "$(sha256sum <${path} 2>/dev/null)" = ${`${sha256(was.content)}  -`} ] || exit ${changedStatus}`
}

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex')
const text = (content: string | Secret): string => String(content)
const bytes = (content: string): string => `${Buffer.byteLength(content)} bytes`
const verb = ({ was, want }: FileAction): string => (want ? (was ? 'change' : 'write') : 'remove')
const reload = (path: string): Sh => (path.startsWith('/etc/systemd/') ? '\nunits_changed' : '')
