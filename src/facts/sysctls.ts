import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/** Every kernel setting that a step asks for, in sysctl's form. */
export const keys = [
  'kernel.hostname',
  'net.ipv4.ip_forward',
  'net.ipv4.conf.all.route_localnet',
  'net.bridge.bridge-nf-call-iptables',
  'net.bridge.bridge-nf-call-ip6tables',
  'net.netfilter.nf_conntrack_max',
  'net.netfilter.nf_conntrack_tcp_timeout_established',
  'net.netfilter.nf_conntrack_tcp_timeout_close_wait',
  'fs.inotify.max_user_instances',
  'fs.inotify.max_user_watches',
  'kernel.keys.root_maxbytes',
  'kernel.keys.root_maxkeys',
  'kernel.panic',
  'kernel.panic_on_oops',
  'vm.overcommit_memory',
  'vm.panic_on_oom',
] as const
export type Key = (typeof keys)[number]
export type Sysctls = ReadonlyMap<string, string>

/** Live kernel settings by key; one that is not in the map does not exist (yet). One grep reads all of them. */
export const sysctls: Fact<Sysctls> = {
  ask: sh`cd /proc/sys && { grep -s '' /dev/null ${keys.map((key) => key.replaceAll('.', '/'))} || :; }`,
  parse: (out) =>
    new Map(
      out
        .split('\n')
        .filter((line) => line.includes(':'))
        .map((line) => {
          const colon = line.indexOf(':')
          return [line.slice(0, colon).replaceAll('/', '.'), line.slice(colon + 1).trim()]
        }),
    ),
}
