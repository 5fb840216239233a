import { execFileSync } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { fileArchive, imageArchive, openArtifact } from '../../src/bundle/archive.ts'
import { sumOfBytes } from '../../src/bundle/hash.ts'
import type { Manifest } from '../../src/model/bundle.ts'
import { all, filesIn, imagesIn, smallBundle, troublesOf, untar } from './fixture.ts'

let dir: string
let manifest: Manifest

beforeAll(async () => {
  ;({ dir, manifest } = await smallBundle())
})

describe('an archive of files', () => {
  test('holds each artifact under its name, and is as long as promised', async () => {
    const { size, stream } = fileArchive(dir, filesIn(manifest))
    const bytes = await all(stream)
    expect(bytes.length).toBe(size)
    const list = execFileSync('tar', ['-tvf', '-'], { input: bytes }).toString().trim().split('\n')
    expect(list.map((line) => line.split(/\s+/).at(-1))).toEqual(filesIn(manifest).map(({ name }) => name))
    expect(list.every((line) => line.startsWith('-rwxr-xr-x'))).toBe(true)
    const kubelet = execFileSync('tar', ['-xOf', '-', 'kubelet'], { input: bytes })
    expect(kubelet).toEqual(await readFile(join(dir, 'files/kubelet')))
  })

  test('of nothing is an empty tar', async () => {
    const { size, stream } = fileArchive(dir, [])
    const bytes = await all(stream)
    expect(bytes).toEqual(Buffer.alloc(1024))
    expect(size).toBe(1024)
  })

  test('that nobody reads to its end lets go of its files', async () => {
    const { stream } = fileArchive(dir, filesIn(manifest))
    for await (const chunk of stream) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect(stream.destroyed).toBe(true)
  })
})

describe('an archive of images', () => {
  test('is an OCI layout with each blob once and the full names of the images', async () => {
    const { size, stream } = imageArchive(dir, imagesIn(manifest))
    const bytes = await all(stream)
    expect(bytes.length).toBe(size)
    const entries = await untar([bytes] as unknown as AsyncIterable<Buffer>)
    expect(JSON.parse(String(entries.get('oci-layout')))).toEqual({ imageLayoutVersion: '1.0.0' })
    const { manifests } = JSON.parse(String(entries.get('index.json')))
    expect(
      manifests.map((it: { annotations: Record<string, string> }) => it.annotations['io.containerd.image.name']),
    ).toEqual(imagesIn(manifest).map(({ name }) => name))
    const blobs = [...entries].filter(([name]) => name.startsWith('blobs/'))
    for (const [name, blob] of blobs) expect(`blobs/sha256/${sumOfBytes(blob).sha256}`).toBe(name)
    const listed = execFileSync('tar', ['-tf', '-'], { input: bytes }).toString().trim().split('\n')
    expect(listed.length).toBe(new Set(listed).size)
    // the shared layer, and a layer, a config and a manifest for each image
    expect(blobs.length).toBe(1 + 3 * imagesIn(manifest).length)
    for (const { digest, size } of manifests)
      expect(entries.get(digest.replace('sha256:', 'blobs/sha256/'))?.length).toBe(size)
  })

  test('leaves out the blobs that the host has', async () => {
    const [first, second] = imagesIn(manifest)
    const have = new Set(first!.blobs.map(({ digest }) => digest))
    const { size, stream } = imageArchive(dir, [first!, second!], have)
    const bytes = await all(stream)
    expect(bytes.length).toBe(size)
    const names = [...(await untar([bytes] as unknown as AsyncIterable<Buffer>)).keys()]
    const missing = second!.blobs.map(({ digest }) => digest).filter((digest) => !have.has(digest))
    expect(names).toEqual(['oci-layout', 'index.json', ...missing.map((digest) => `blobs/sha256/${digest}`)])
    expect(missing.length).toBe(3)
  })
})

describe('a damaged bundle fails the stream and names the file', () => {
  const harm: Record<string, (path: string) => Promise<void>> = {
    'other bytes of the same length': async (path) => writeFile(path, Buffer.alloc((await readFile(path)).length, 120)),
    'a file that is too long': async (path) => writeFile(path, `${await readFile(path)}more`),
    'a file that is too short': async (path) => writeFile(path, 'short'),
    'a missing file': (path) => rm(path),
  }
  for (const [name, act] of Object.entries(harm)) {
    test(name, async () => {
      const { dir, manifest } = await smallBundle()
      const kubelet = filesIn(manifest).find((it) => it.name === 'kubelet')!
      const image = imagesIn(manifest)[0]!
      const layer = image.blobs.at(-1)!.digest
      await act(join(dir, 'files/kubelet'))
      await act(join(dir, 'blobs/sha256', layer))
      const fileTrouble = {
        code: 'BUNDLE_DAMAGED',
        where: join(dir, 'files/kubelet'),
        fix: expect.stringContaining('bundle create'),
      }
      expect(await troublesOf(all(fileArchive(dir, filesIn(manifest)).stream))).toMatchObject([fileTrouble])
      expect(await troublesOf(all(openArtifact(dir, kubelet)))).toMatchObject([fileTrouble])
      expect(await troublesOf(all(imageArchive(dir, [image]).stream))).toMatchObject([
        { code: 'BUNDLE_DAMAGED', where: join(dir, 'blobs/sha256', layer) },
      ])
    })
  }
})
