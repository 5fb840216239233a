import { join } from 'node:path'

/** Where the records of all runs lie: $XDG_STATE_HOME/k8snet/runs, or ~/.local/state/k8snet/runs. */
export function runsDir(env: Readonly<Record<string, string | undefined>>, home: string): string {
  return join(env.XDG_STATE_HOME || join(home, '.local', 'state'), 'k8snet', 'runs')
}

/** The directory's name: 20261120T140311.123Z-up-lab; names of one cluster sort by time. */
export function nameOf(began: Date, verb: string, cluster: string): string {
  return `${began.toISOString().replace(/[-:]/g, '')}-${verb}-${cluster.replace(/[^A-Za-z0-9._-]/g, '_')}`
}

/** Those of a cluster, oldest first. */
export function ofCluster(names: readonly string[], cluster: string): string[] {
  const safe = cluster.replace(/[^A-Za-z0-9._-]/g, '_')
  return names.filter((name) => /^\d{8}T\d{6}\.\d{3}Z-[a-z]+-(.+)$/.exec(name)?.[1] === safe).sort()
}
