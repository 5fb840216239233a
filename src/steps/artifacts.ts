import { type Installed, installed, placeOf } from '../facts/artifacts.ts'
import type { UploadAction } from '../model/action.ts'
import type { FileArtifact } from '../model/bundle.ts'
import { type Site, step } from '../model/step.ts'

/** The programs and CNI plugins of the bundle that the host's role needs are where they belong. */
export const artifacts = step({
  title: 'The programs and CNI plugins of the bundle are installed',
  asks: (site) => ({ installed: installed(filesFor(site)) }),
  plan: ({ installed }, site) => filesFor(site).flatMap((artifact) => uploadOf(artifact, installed)),
})

/** The files of the bundle that a host needs. */
export function filesFor({ bundle, host }: Site): FileArtifact[] {
  return bundle.artifacts.filter(
    (artifact): artifact is FileArtifact => artifact.kind !== 'image' && artifact.roles.includes(host.role),
  )
}

/** The upload that an artifact needs: none where the host has it. */
export function uploadOf(artifact: FileArtifact, installed: ReadonlyMap<string, Installed>): UploadAction[] {
  const path = placeOf(artifact)
  const is = installed.get(path)
  const { name, version, sha256, size } = artifact
  if (is?.sha256 === sha256 && is.size === size) return []
  const was = is === undefined ? 'absent' : is.sha256 === undefined ? 'foreign' : 'ours'
  return [{ kind: 'upload', artifact: name, version, sha256, size, path, mode: '0755', was }]
}
