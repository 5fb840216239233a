import type { Fact } from '../model/fact.ts'

/** Processors that the host may use. */
export const cpus: Fact<number> = {
  ask: 'nproc',
  parse: Number,
}

/** Memory of the host in MiB. */
export const memory: Fact<number> = {
  ask: 'grep ^MemTotal: /proc/meminfo',
  parse: (out) => Math.floor(Number(/(\d+) kB/.exec(out)?.[1]) / 1024),
}

/** Free disk in MB where the images and pods will lie. */
export const disk: Fact<number> = {
  ask: `for d in /var/lib/containerd /var/lib /; do [ ! -d "$d" ] || break; done
df -Pk "$d"`,
  parse: (out) => Math.floor((Number(out.trim().split('\n').at(-1)?.split(/\s+/)[3]) * 1024) / 1e6),
}

export interface Platform {
  /** As `uname -r` says: 6.1.0-18-amd64 */
  readonly kernel: string
  /** As a bundle says: amd64 */
  readonly arch: string
}

/** The kernel's version and the processor's architecture. */
export const platform: Fact<Platform> = {
  ask: 'uname -rm',
  parse: (out) => {
    const [kernel = '', machine = ''] = out.trim().split(' ')
    return { kernel, arch: { x86_64: 'amd64', aarch64: 'arm64' }[machine] ?? machine }
  },
}

/** The host's clock in seconds since 1970. */
export const clock: Fact<number> = {
  ask: 'date +%s.%N',
  parse: Number.parseFloat,
}
