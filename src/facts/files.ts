import type { FileState } from '../model/action.ts'
import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/** Every text file that a step reads or writes, so that all of them cost one stat and one cat. */
export const paths = {
  cloud: '/etc/cloud/cloud.cfg',
  cloudInit: '/etc/cloud/cloud.cfg.d/99-k8snet.cfg',
  containerd: '/etc/containerd/config.toml',
  containerdUnit: '/etc/systemd/system/containerd.service',
  crictl: '/etc/crictl.yaml',
  firewall: '/etc/k8snet/firewall.sh',
  firewallUnit: '/etc/systemd/system/k8snet-firewall.service',
  flannel: '/etc/k8snet/flannel.yaml',
  fstab: '/etc/fstab',
  hostname: '/etc/hostname',
  hosts: '/etc/hosts',
  kubeletDropIn: '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf',
  kubeletHost: '/etc/k8snet/kubelet.d/10-host.conf',
  kubeletUnit: '/etc/systemd/system/kubelet.service',
  modules: '/etc/modules-load.d/k8snet.conf',
  osRelease: '/etc/os-release',
  resolvConf: '/etc/resolv.conf',
  kubeletResolvConf: '/etc/k8snet/resolv.conf',
  selinux: '/etc/selinux/config',
  sysctls: '/etc/sysctl.d/90-k8snet.conf',
} as const

export type Files = ReadonlyMap<string, FileState>

/** The text files above as they are; a path that is not in the map does not exist. Links are followed. */
export const files: Fact<Files> = {
  ask: sh`set -- ${Object.values(paths)}
stat -L -c '%a %U:%G %s %n' -- "$@" 2>/dev/null || :
echo
cat -- "$@" 2>/dev/null || :`,
  parse: parseFiles,
}

/** stat's lines `mode user:group size path`, an empty line, then the contents one after another, which the sizes cut apart. */
export function parseFiles(out: string): Files {
  const end = out.startsWith('\n') ? 0 : out.indexOf('\n\n') + 1
  const contents = Buffer.from(out.slice(end + 1))
  let at = 0
  const found = out
    .slice(0, end)
    .split('\n')
    .filter((line) => line !== '')
    .map((line): [string, FileState] => {
      const [mode = '', owner = '', size = '', ...path] = line.split(' ')
      const content = contents.subarray(at, at + Number(size)).toString()
      at += Number(size)
      return shared(path.join(' '), { content, mode: mode.padStart(4, '0'), owner })
    })
  if (at !== contents.length) throw new Error(`files changed while they were read: ${contents.length} bytes, not ${at}`)
  return new Map(found)
}

/** What was last read of each path: the same file on a thousand hosts is kept once. */
const last = new Map<string, { readonly path: string; readonly content: string }>()

function shared(path: string, state: FileState): [string, FileState] {
  const before = last.get(path)
  if (before?.content === state.content) return [before.path, { ...state, content: before.content }]
  last.set(path, { path: before?.path ?? path, content: state.content })
  return [before?.path ?? path, state]
}

/** The lines of a file without their ends; none where it does not exist. */
export function linesOf(found: Files, path: string): string[] {
  const content = found.get(path)?.content ?? ''
  return content === '' ? [] : content.replace(/\n$/, '').split('\n')
}
