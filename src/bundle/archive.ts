import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { FileArtifact, ImageArtifact } from '../model/bundle.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { Sum } from './hash.ts'
import { remake } from './manifest.ts'
import { mediaTypes } from './oci.ts'
import { type Entry, tar, tarSize } from './tar.ts'

/** A stream and how many bytes it will give. It fails with BUNDLE_DAMAGED where a file is not what the list says. */
export interface Archive {
  readonly size: number
  readonly stream: Readable
}

/** The bytes of a binary or CNI plugin, checked while they pass. */
export function openArtifact(dir: string, artifact: FileArtifact): Readable {
  return Readable.from(checked(dir, artifact.file, artifact), { objectMode: false })
}

/** One tar with an entry for each artifact, named by its name. Nothing is copied on disk. */
export function fileArchive(dir: string, artifacts: readonly FileArtifact[]): Archive {
  return archive(
    artifacts.map((it) => ({ name: it.name, mode: 0o755, size: it.size, bytes: checked(dir, it.file, it) })),
  )
}

/**
 * One OCI archive of images, with each blob once, for `ctr images import -`.
 * Blobs in `have` (hex digests that the host's content store holds) are left out. Nothing is copied on disk.
 * @throws Failure BUNDLE_DAMAGED where the manifest of an image cannot be read
 */
export function imageArchive(dir: string, images: readonly ImageArtifact[], have?: ReadonlySet<string>): Archive {
  const blobs = new Map(images.flatMap((image) => image.blobs.map(({ digest, size }) => [digest, size] as const)))
  return archive([
    text('oci-layout', { imageLayoutVersion: '1.0.0' }),
    text('index.json', {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: images.map((it) => descriptor(dir, it)),
    }),
    ...[...blobs]
      .filter(([digest]) => !have?.has(digest))
      .map(([digest, size]) => {
        const name = `blobs/sha256/${digest}`
        return { name, mode: 0o644, size, bytes: checked(dir, name, { sha256: digest, size }) }
      }),
  ])
}

function descriptor(dir: string, image: ImageArtifact): object {
  const file = `blobs/sha256/${image.sha256}`
  try {
    const bytes = readFileSync(join(dir, file))
    const { mediaType = mediaTypes.manifest } = JSON.parse(bytes.toString()) as { mediaType?: string }
    return {
      mediaType,
      digest: `sha256:${image.sha256}`,
      size: bytes.length,
      annotations: {
        'io.containerd.image.name': image.name,
        'org.opencontainers.image.ref.name': image.name.slice(image.name.lastIndexOf(':') + 1),
      },
    }
  } catch (cause) {
    throw damaged(dir, file, 'cannot be read', cause)
  }
}

function archive(entries: readonly Entry[]): Archive {
  const plain = entries.map((entry) => ({ ...entry, mtime: new Date(0), type: 'file' as const }))
  return {
    size: tarSize(plain.map(({ size }) => size ?? 0)),
    stream: Readable.from(tar(plain), { objectMode: false, highWaterMark: 1 << 20 }),
  }
}

function text(name: string, value: object): Entry {
  const bytes = Buffer.from(JSON.stringify(value))
  return { name, mode: 0o644, size: bytes.length, bytes }
}

async function* checked(dir: string, file: string, want: Sum): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256')
  let size = 0
  try {
    for await (const chunk of createReadStream(join(dir, file), { highWaterMark: 1 << 18 })) {
      hash.update(chunk)
      size += chunk.length
      if (size > want.size) break
      yield chunk
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code) throw damaged(dir, file, 'cannot be read', error)
    throw error
  }
  if (size !== want.size || hash.digest('hex') !== want.sha256)
    throw damaged(dir, file, `is not what the bundle's list says`)
}

const damaged = (dir: string, file: string, why: string, cause?: unknown): Failure =>
  new Failure(
    exits.badInput,
    { code: 'BUNDLE_DAMAGED', message: `${file} ${why}`, where: join(dir, file), fix: remake(dir) },
    { cause },
  )
