import type { SysctlAction } from '../model/action.ts'
import { sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** A live kernel setting. */
export const sysctl: KindOf<SysctlAction> = {
  show: ({ key, was, want }) => ({ summary: `set ${key} = ${want}`, ...(was !== undefined && { is: was }), want }),
  compile: ({ key, want }) => sh`printf '%s\n' ${want} >${pathOf(key)}`,
  undo: ({ key, was, want }) => (was === undefined ? [] : [{ kind: 'sysctl', key, was: want, want: was }]),
}

/** net.ipv4.ip_forward -> /proc/sys/net/ipv4/ip_forward; a slash in a key stands for a dot in a name (sysctl(8)). */
function pathOf(key: string): string {
  return `/proc/sys/${key.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'))}`
}
