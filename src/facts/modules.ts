import type { Fact } from '../model/fact.ts'

/** Kernel modules that a cluster may need, and what shows that the kernel has one, loaded or built in. */
const signs = {
  overlay: 'grep -qw overlay /proc/filesystems',
  br_netfilter: '[ -d /proc/sys/net/bridge ]',
  nf_conntrack: '[ -e /proc/sys/net/netfilter/nf_conntrack_max ]',
  vxlan: '[ -d /sys/module/vxlan ]',
  tun: '[ -d /sys/module/tun ] || [ -e /sys/class/misc/tun ]',
} as const
export type Module = keyof typeof signs

/** The modules whose feature the kernel has now; a kernel without loadable modules can have them all. */
export const modules: Fact<ReadonlySet<string>> = {
  ask: Object.entries(signs)
    .map(([name, sign]) => `{ ${sign}; } && echo ${name}`)
    .concat(':')
    .join('\n'),
  parse: (out) => new Set(out.split('\n').filter((line) => line !== '')),
}
