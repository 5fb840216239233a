import { images as present } from '../facts/images.ts'
import type { ImageArtifact } from '../model/bundle.ts'
import { type Site, step } from '../model/step.ts'

/** The images that the host's role needs are in containerd, exactly those of the bundle. */
export const images = step({
  title: 'The images of the bundle are in the container runtime',
  asks: (site) => ({ present: present(imagesFor(site)) }),
  plan: ({ present }, site) =>
    imagesFor(site)
      .filter(({ name }) => !present.has(name))
      .map(({ name, sha256, size, blobs }) => ({ kind: 'image', ref: name, digest: `sha256:${sha256}`, size, blobs })),
})

function imagesFor({ bundle, host }: Site): ImageArtifact[] {
  return bundle.artifacts.filter(
    (artifact): artifact is ImageArtifact => artifact.kind === 'image' && artifact.roles.includes(host.role),
  )
}

/** The full reference of the image whose repository ends with `name`: pause -> registry.k8s.io/pause:3.10.2 */
export function refOf({ bundle }: Site, name: string): string {
  const found = bundle.artifacts.find(
    (artifact) => artifact.kind === 'image' && artifact.name.replace(/:[^/]*$/, '').endsWith(`/${name}`),
  )
  if (!found) throw new Error(`the bundle has no image ${name}, and yet it was not refused`)
  return found.name
}
