import { mkdtempSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { extract } from 'tar-stream'
import { afterAll } from 'vitest'
import { sumOfBytes } from '../../src/bundle/hash.ts'
import { writeManifest } from '../../src/bundle/manifest.ts'
import { writeImage, writeLayer } from '../../src/bundle/oci.ts'
import { wanted } from '../../src/bundle/wanted.ts'
import type { Artifact, FileArtifact, ImageArtifact, Manifest } from '../../src/model/bundle.ts'
import type { Trouble } from '../../src/model/trouble.ts'
import { Failure } from '../../src/model/trouble.ts'

const made: string[] = []
afterAll(() => Promise.all(made.map((dir) => rm(dir, { recursive: true, force: true }))))

/** A directory that goes away after the tests of the file. */
export function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-bundle-'))
  made.push(dir)
  return dir
}

/** A complete bundle whose files are a few bytes long. All images share one layer. */
export async function smallBundle(dir = temporary()): Promise<{ dir: string; manifest: Manifest }> {
  const shared = await writeLayer(dir, [{ name: 'shared', type: 'file', ...content('what all images have') }])
  const artifacts: Artifact[] = []
  for (const want of wanted('1.37.1', 'source')) {
    if (want.kind === 'image') {
      const own = await writeLayer(dir, [{ name: 'program', type: 'file', ...content(want.name) }])
      const image = await writeImage(dir, [shared, own], { arch: 'amd64', entrypoint: ['/program'] })
      artifacts.push({ ...want, kind: want.kind, ...image })
      continue
    }
    const file = `files/${want.name}`
    const text = `the program ${want.name}`.repeat(100)
    await put(join(dir, file), text)
    artifacts.push({ ...want, kind: want.kind, file, ...sumOfBytes(text) })
  }
  const manifest: Manifest = {
    format: 1,
    kubernetes: '1.37.1',
    arch: 'amd64',
    producer: 'source',
    recipe: 'small',
    artifacts,
  }
  await writeManifest(dir, manifest)
  return { dir, manifest }
}

export const filesIn = ({ artifacts }: Manifest) => artifacts.filter((it): it is FileArtifact => it.kind !== 'image')
export const imagesIn = ({ artifacts }: Manifest) => artifacts.filter((it): it is ImageArtifact => it.kind === 'image')

export const content = (text: string) => ({ size: Buffer.byteLength(text), bytes: Buffer.from(text) })

export async function put(path: string, text: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

/** The entries of a tar by name, read by a reader that is not ours. */
export async function untar(stream: AsyncIterable<Buffer>): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>()
  const archive = extract()
  const source = Readable.from(stream)
  source.on('error', (error) => archive.destroy(error))
  source.pipe(archive as unknown as NodeJS.WritableStream)
  for await (const entry of archive) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    found.set(entry.header.name, Buffer.concat(chunks))
  }
  return found
}

export async function all(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** What a promise failed with, as troubles. */
export async function troublesOf(work: Promise<unknown>): Promise<readonly Trouble[]> {
  try {
    await work
  } catch (error) {
    if (error instanceof Failure) return error.troubles
    throw error
  }
  throw new Error('it did not fail')
}
