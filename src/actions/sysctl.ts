import type { SysctlAction } from '../model/action.ts'
import { quote, sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** A live kernel setting. */
export const sysctl: KindOf<SysctlAction> = {
  show: ({ key, was, want }) => ({ summary: `set ${key} = ${want}`, ...(was !== undefined && { is: was }), want }),
  compile: ({ key, want, ours }) => {
    const set = sh`printf '%s\n' ${want} >${pathOf(key)}`
    if (!ours) return set
    return [
      // the kernel gives such a file in one piece only, and a shell's own read takes it byte by byte
      sh`if [ -e ${pathOf(key)} ]; then is=$(cat ${pathOf(key)}); else is=${want}; fi`,
      `case $is in`,
      sh`${want}) ;;`,
      `*)`,
      `  case $is in ${ours.map(quote).join(' | ')}) ;; *) changed "it is $is" ;; esac`,
      `  ${set}`,
      `  ;;`,
      `esac`,
    ].join('\n')
  },
  undo: (action) =>
    action.was === undefined
      ? []
      : [{ kind: 'sysctl', key: action.key, was: action.want, want: action.was, ours: oursOf(action) }],

  thing: ({ key }) => key,
  merge: ({ was, ...first }, later) => ({
    kind: 'sysctl',
    key: later.key,
    want: later.want,
    ...(was !== undefined && { was }),
    ours: [...oursOf(first), ...oursOf(later)],
  }),
}

const oursOf = ({ ours, want }: SysctlAction): readonly string[] => ours ?? [want]

/** net.ipv4.ip_forward -> /proc/sys/net/ipv4/ip_forward; a slash in a key stands for a dot in a name (sysctl(8)). */
function pathOf(key: string): string {
  return `/proc/sys/${key.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'))}`
}
