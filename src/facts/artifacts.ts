import type { FileArtifact } from '../model/bundle.ts'
import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/** Lines `sha256 size mtime path`, appended after each upload; the last one of a path counts. */
export const artifactRecord = '/var/lib/k8snet/artifacts'

export interface Installed {
  readonly size: number
  /** Seconds since 1970. */
  readonly mtime: number
  /** Hash noted when k8snet put it there, as long as size and mtime are still the same. */
  readonly sha256?: string
}

/** Where an artifact belongs on a host. */
export function placeOf(artifact: FileArtifact): string {
  return `${artifact.kind === 'cni' ? '/opt/cni/bin' : '/usr/local/bin'}/${artifact.name}`
}

/** What lies at the places of these artifacts, by path. Nothing is hashed: size and mtime vouch for the recorded hash. */
export function installed(artifacts: readonly FileArtifact[]): Fact<ReadonlyMap<string, Installed>> {
  return {
    ask: sh`[ ! -e ${artifactRecord} ] || cat ${artifactRecord}
echo
stat -L -c '%s %Y %n' -- ${artifacts.map(placeOf)} 2>/dev/null || :`,
    parse: parseInstalled,
  }
}

export function parseInstalled(out: string): ReadonlyMap<string, Installed> {
  const gap = out.startsWith('\n') ? 0 : out.indexOf('\n\n')
  const record = new Map(
    rows(out.slice(0, Math.max(gap, 0))).map(([sha256 = '', size, mtime, ...path]) => [
      path.join(' '),
      { sha256, size: Number(size), mtime: Number(mtime) },
    ]),
  )
  return new Map(
    rows(out.slice(gap)).map(([size, mtime, ...words]) => {
      const path = words.join(' ')
      const now = { size: Number(size), mtime: Number(mtime) }
      const noted = record.get(path)
      const same = noted && noted.size === now.size && noted.mtime === now.mtime
      return [path, same ? { ...now, sha256: noted.sha256 } : now]
    }),
  )
}

const rows = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '))
