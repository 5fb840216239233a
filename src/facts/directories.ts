import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/** Directories that containerd, the kubelet and the pod network make by themselves. */
export const watched = [
  '/etc/cni',
  '/etc/cni/net.d',
  '/etc/kubernetes',
  '/opt/cni',
  '/opt/containerd',
  '/run/containerd',
  '/run/flannel',
  '/run/netns',
  '/run/nri',
  '/usr/libexec/kubernetes',
  '/var/lib/cni',
  '/var/lib/containerd',
  '/var/lib/etcd',
  '/var/lib/kubelet',
  '/var/log/containers',
  '/var/log/pods',
] as const
export type Directory = (typeof watched)[number]

export interface Found {
  readonly full: boolean
  /** 0755 */
  readonly mode: string
}
export type Directories = ReadonlyMap<string, Found>

/** What each of them is now; one that is not in the map does not exist. */
export const directories: Fact<Directories> = {
  ask: sh`for d in ${watched}; do
  [ -d "$d" ] || continue
  state=empty
  for f in "$d"/* "$d"/.[!.]*; do
    [ -e "$f" ] || [ -L "$f" ] || continue
    state=full
    break
  done
  echo "$state $d"
done
stat -c '%a %n' -- ${watched} 2>/dev/null || :`,
  parse: (out) => {
    const rows = out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const)
    const modes = new Map(rows.map(([word, path]) => [path, word.padStart(4, '0')]))
    return new Map(
      rows
        .filter(([word]) => word === 'empty' || word === 'full')
        .map(([word, path]) => [path, { full: word === 'full', mode: modes.get(path) ?? '0755' }]),
    )
  },
}
