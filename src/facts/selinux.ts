import type { Fact } from '../model/fact.ts'

/** What SELinux does now; absent where the kernel has it not or it is off. */
export const selinux: Fact<'absent' | 'permissive' | 'enforcing'> = {
  ask: '[ ! -e /sys/fs/selinux/enforce ] || cat /sys/fs/selinux/enforce',
  parse: (out) => (out.trim() === '' ? 'absent' : out.trim() === '1' ? 'enforcing' : 'permissive'),
}
