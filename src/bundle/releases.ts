import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import type { Artifact } from '../model/bundle.ts'
import { type Download, downloads, sumFor } from './downloads.ts'
import { download, getText, notFetched } from './fetch.ts'
import { sumOf } from './hash.ts'
import { type Mirrors, resolve } from './mirrors.ts'
import type { Make } from './producer.ts'
import { pullImage } from './registry.ts'
import { putFile } from './store.ts'
import { wanted } from './wanted.ts'

/** Fetches every artifact from where its project publishes it. */
export const fromReleases: Make = async ({ dir, kubernetes, arch, cache, mirrors = new Map(), signal, onProgress }) => {
  const want = wanted(kubernetes, 'releases')
  const sources = downloads(kubernetes, arch)
  const images = want.filter(({ kind }) => kind === 'image')
  const total = sources.length + images.length
  let done = 0
  let bytes = 0
  const begun = Date.now()
  const tell = (name: string): void =>
    onProgress?.({
      done,
      total,
      name: bytes > 0 ? `${name} (${(bytes / 1e6).toFixed(0)} MB)` : name,
      ...(done > 0 && { etaMs: Math.round(((Date.now() - begun) / done) * (total - done)) }),
    })
  const options = (name: string) => ({
    ...(signal && { signal }),
    onBytes: (count: number) => {
      const before = bytes
      bytes += count
      if (Math.floor(before / 5e6) !== Math.floor(bytes / 5e6)) tell(name)
    },
  })

  const files = new Map<string, string>()
  for (const source of sources) {
    const name = basename(source.address)
    tell(`fetching ${name}`)
    for (const [artifact, path] of await fetchOne(source, cache, mirrors, options(`fetching ${name}`)))
      files.set(artifact, path)
    done++
  }
  const pulled = new Map<string, Awaited<ReturnType<typeof pullImage>>>()
  for (const { name } of images) {
    tell(`pulling ${name}`)
    pulled.set(name, await pullImage(dir, name, { arch, mirrors, ...options(`pulling ${name}`) }))
    done++
  }

  const artifacts: Artifact[] = []
  for (const it of want) {
    if (it.kind === 'image') {
      artifacts.push({ ...it, kind: it.kind, ...pulled.get(it.name)! })
      continue
    }
    const file = `files/${it.name}`
    const path = files.get(it.name)!
    await putFile(dir, file, path)
    artifacts.push({ ...it, kind: it.kind, ...(await sumOf(path)), file })
  }
  tell('done')
  return artifacts
}

/** Fetches a file into the cache, unless it is there, and returns where the artifacts in it lie. */
async function fetchOne(
  { address, sums, holds }: Download,
  cache: string,
  mirrors: Mirrors,
  options: Parameters<typeof download>[3] & object,
): Promise<Map<string, string>> {
  const url = resolve(address, mirrors)
  const from = resolve(sums, mirrors)
  const sha256 = sumFor(await getText(from, options.signal ? { signal: options.signal } : {}), basename(address))
  if (sha256 === undefined) throw notFetched(from, `it holds no sha256 of ${basename(address)}`)
  const path = join(cache, 'downloads', `${sha256.slice(0, 16)}-${basename(address)}`)
  const there = await sumOf(path).catch(() => undefined)
  if (there?.sha256 === sha256) options.onBytes?.(there.size)
  else await download(url, path, sha256, options)
  if (typeof holds === 'string') return new Map([[holds, path]])
  return unpack(path, `${path}.d`, holds, url)
}

async function unpack(path: string, into: string, holds: Readonly<Record<string, string>>, url: URL) {
  await mkdir(into, { recursive: true })
  const found = new Map<string, string>()
  const archive = extract()
  const reading = pipeline(createReadStream(path), createGunzip(), archive as unknown as NodeJS.WritableStream)
  reading.catch(() => {})
  try {
    for await (const entry of archive) {
      const artifact = holds[entry.header.name.replace(/^\.\//, '')]
      if (artifact === undefined) {
        entry.resume()
        continue
      }
      const to = join(into, artifact)
      await pipeline(entry as unknown as AsyncIterable<Buffer>, createWriteStream(`${to}.new`, { mode: 0o755 }))
      await rename(`${to}.new`, to)
      found.set(artifact, to)
    }
    await reading
  } catch (cause) {
    await rm(into, { recursive: true, force: true })
    throw notFetched(url, `the archive cannot be unpacked: ${(cause as Error).message}`, { cause })
  }
  const missing = Object.entries(holds).filter(([, artifact]) => !found.has(artifact))
  if (missing.length > 0) throw notFetched(url, `the archive does not hold ${missing.map(([name]) => name).join(', ')}`)
  return found
}
