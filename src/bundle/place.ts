import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Arch } from './versions.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Where everything that can be made again lies: $XDG_CACHE_HOME/k8snet, or ~/.cache/k8snet. */
export function cacheDir(env: Env): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'k8snet')
}

/** Where the bundle of the demo and the tests lies. */
export function defaultBundleDir(env: Env, kubernetes: string, arch: Arch): string {
  return join(cacheDir(env), 'bundles', `${kubernetes}-${arch}`)
}
