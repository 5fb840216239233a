import type { Fact } from '../model/fact.ts'

/** 2 where the unified hierarchy is mounted at its place, else 1 (also in hybrid mode). */
export const cgroupVersion: Fact<1 | 2> = {
  ask: '[ -e /sys/fs/cgroup/cgroup.controllers ] && echo 2 || echo 1',
  parse: (out) => (out.trim() === '2' ? 2 : 1),
}
