import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, copyFile, link, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Sum } from './hash.ts'

/** Puts a file under a name of the bundle: the same file where the disk allows it, a copy elsewhere. */
export async function putFile(dir: string, name: string, from: string): Promise<void> {
  await arrive(dir, name, async (path) => {
    await link(from, path).catch(() => copyFile(from, path))
    await chmod(path, name.startsWith('files/') ? 0o755 : 0o644)
  })
}

/** Writes a blob under its digest. */
export async function putBlob(dir: string, bytes: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<Sum> {
  const hash = createHash('sha256')
  let size = 0
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) {
      hash.update(chunk)
      size += chunk.length
      yield chunk
    }
  }
  const arriving = join(dir, 'blobs/sha256', `.new-${randomUUID()}`)
  await mkdir(join(dir, 'blobs/sha256'), { recursive: true })
  try {
    await pipeline(Readable.from(counted(), { objectMode: false }), createWriteStream(arriving))
    const sha256 = hash.digest('hex')
    await rename(arriving, join(dir, 'blobs/sha256', sha256))
    return { sha256, size }
  } finally {
    await rm(arriving, { force: true })
  }
}

async function arrive(dir: string, name: string, make: (path: string) => Promise<void>): Promise<void> {
  const path = join(dir, name)
  const arriving = join(path, '..', `.new-${randomUUID()}`)
  await mkdir(join(path, '..'), { recursive: true })
  try {
    await make(arriving)
    await rename(arriving, path)
  } finally {
    await rm(arriving, { force: true })
  }
}

/** Removes what the bundle's own folders hold beyond `keep`: leftovers of an older bundle or an interrupted one. */
export async function prune(dir: string, keep: ReadonlySet<string>): Promise<void> {
  for (const folder of ['files', 'blobs/sha256'])
    for (const name of await readdir(join(dir, folder)).catch(() => []))
      if (!keep.has(`${folder}/${name}`)) await rm(join(dir, folder, name), { recursive: true, force: true })
}
