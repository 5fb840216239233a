import { images as present } from '../facts/images.ts'
import type { ImageAction } from '../model/action.ts'
import type { ImageArtifact } from '../model/bundle.ts'
import { type Site, step } from '../model/step.ts'

/** What has to be there before kubeadm runs: the sandbox of every pod and, on a control plane, its own programs. */
export const firstImages = step({
  title: 'The images that kubeadm starts with are in the container runtime',
  asks: (site) => ({ present: present(imagesFor(site)) }),
  plan: ({ present }, site) => missing(site, present, (image) => isFirst(image, site)),
})

/** What the pods that come later run. It can travel while kubeadm is at work. */
export const images = step({
  title: 'The other images of the bundle are in the container runtime',
  asks: (site) => ({ present: present(imagesFor(site)) }),
  plan: ({ present }, site) => missing(site, present, (image) => !isFirst(image, site)),
})

function isFirst(image: ImageArtifact, site: Site): boolean {
  return !image.roles.includes('worker') || image.name === refOf(site, 'pause')
}

function missing(site: Site, present: ReadonlySet<string>, which: (image: ImageArtifact) => boolean): ImageAction[] {
  return imagesFor(site)
    .filter((image) => which(image) && !present.has(image.name))
    .map(({ name, sha256, size, blobs }) => ({ kind: 'image', ref: name, digest: `sha256:${sha256}`, size, blobs }))
}

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
