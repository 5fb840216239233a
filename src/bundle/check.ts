import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Artifact, Manifest } from '../model/bundle.ts'
import type { Trouble } from '../model/trouble.ts'
import { type Sum, several, sumOf } from './hash.ts'
import { remake } from './manifest.ts'
import type { OnProgress } from './progress.ts'
import { versions } from './versions.ts'
import { wanted } from './wanted.ts'

/**
 * What is wrong with a bundle: every file that is missing or not what the list says, and everything its Kubernetes version
 * asks for that the list lacks. Only the artifacts named in `names` are looked at where it is given. Empty: all is well.
 */
export async function checkBundle(
  dir: string,
  manifest: Manifest,
  names?: ReadonlySet<string>,
  onProgress?: OnProgress,
): Promise<Trouble[]> {
  const chosen = manifest.artifacts.filter(({ name }) => !names || names.has(name))
  const files = filesOf(chosen)
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0)
  const troubles: Trouble[] = []
  let done = 0
  await several(files, 4, async ([file, want]) => {
    const why = await wrong(join(dir, file), want)
    if (why) troubles.push(damaged(dir, file, why))
    done += want.size
    onProgress?.({ done, total, name: file })
  })
  troubles.sort((a, b) => (a.where ?? '').localeCompare(b.where ?? ''))
  return [...lacking(dir, manifest, names), ...troubles]
}

/** Every file of these artifacts, by its path in the bundle. A blob that several images share is one file. */
export function filesOf(artifacts: readonly Artifact[]): Map<string, Sum> {
  const files = new Map<string, Sum>()
  for (const artifact of artifacts)
    if (artifact.kind !== 'image') files.set(artifact.file, artifact)
    else for (const { digest, size } of artifact.blobs) files.set(`blobs/sha256/${digest}`, { sha256: digest, size })
  return files
}

async function wrong(path: string, want: Sum): Promise<string | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error) return found.code === 'ENOENT' ? 'is missing' : `cannot be read (${found.code})`
  if (found.size !== want.size) return `has ${found.size} bytes instead of ${want.size}`
  const is = await sumOf(path)
  return is.sha256 === want.sha256 ? undefined : `has sha256 ${is.sha256} instead of ${want.sha256}`
}

const damaged = (dir: string, file: string, why: string): Trouble => ({
  code: 'BUNDLE_DAMAGED',
  message: `${file} ${why}`,
  where: join(dir, file),
  fix: remake(dir),
})

function lacking(dir: string, manifest: Manifest, names?: ReadonlySet<string>): Trouble[] {
  if (!versions[manifest.kubernetes]) return []
  const has = new Set(manifest.artifacts.map(({ kind, name }) => `${kind} ${name}`))
  return wanted(manifest.kubernetes, manifest.producer)
    .filter(({ kind, name }) => !has.has(`${kind} ${name}`) && (!names || names.has(name)))
    .map(({ kind, name }) => ({
      code: 'BUNDLE_INCOMPLETE',
      message: `the bundle has no ${kind === 'cni' ? 'CNI plugin' : kind} ${name}`,
      where: join(dir, 'manifest.json'),
      fix: remake(dir),
    }))
}
