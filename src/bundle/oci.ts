import type { Blob } from '../model/bundle.ts'
import type { Sum } from './hash.ts'
import { putBlob } from './store.ts'
import { type Entry, tar } from './tar.ts'
import type { Arch } from './versions.ts'

/** The media types of the OCI image specification 1.1 that are written here. */
export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const

export interface ImageConfig {
  readonly arch: Arch
  readonly entrypoint: readonly string[]
  /** uid:gid; root where nothing is said */
  readonly user?: string
}

export interface WrittenImage {
  /** hex digest of the image's manifest */
  readonly sha256: string
  readonly size: number
  readonly blobs: readonly Blob[]
}

/** Writes a layer that holds these entries; the same entries make the same layer. */
export async function writeLayer(dir: string, entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<Sum> {
  return putBlob(dir, tar(entries))
}

/** Writes the config and the manifest of an image whose uncompressed layers are in the bundle already. */
export async function writeImage(dir: string, layers: readonly Sum[], about: ImageConfig): Promise<WrittenImage> {
  const config = await json(dir, {
    created: '1970-01-01T00:00:00Z',
    architecture: about.arch,
    os: 'linux',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Entrypoint: about.entrypoint,
      WorkingDir: '/',
      ...(about.user !== undefined && { User: about.user }),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ sha256 }) => `sha256:${sha256}`) },
  })
  const manifest = await json(dir, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: describe(mediaTypes.config, config),
    layers: layers.map((layer) => describe(mediaTypes.layer, layer)),
  })
  const blobs = [manifest, config, ...layers].map(({ sha256, size }) => ({ digest: sha256, size }))
  return { sha256: manifest.sha256, size: blobs.reduce((sum, { size }) => sum + size, 0), blobs }
}

const json = (dir: string, value: object): Promise<Sum> => putBlob(dir, [Buffer.from(JSON.stringify(value))])

const describe = (mediaType: string, { sha256, size }: Sum): object => ({ mediaType, digest: `sha256:${sha256}`, size })
