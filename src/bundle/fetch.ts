import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { setTimeout as sleep } from 'node:timers/promises'
import { exits, Failure } from '../model/trouble.ts'

export interface FetchOptions {
  readonly signal?: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
  /** Gets the bytes that came, as they come. */
  readonly onBytes?: (count: number) => void
  /** Statuses that the caller deals with. */
  readonly accept?: readonly number[]
}

/** What to say of something that could not be had. */
export function notFetched(url: URL | string, why: string, options: { fix?: string; cause?: unknown } = {}): Failure {
  const fix = options.fix ?? 'check the connection, or name another place with --mirror FROM=TO'
  return new Failure(
    exits.badInput,
    { code: 'BUNDLE_FETCH', message: `${why}`, where: String(url), fix },
    { cause: options.cause },
  )
}

const attempts = 4

/**
 * An answer with status 2xx or one of `accept`; lost connections, 429 and 5xx are tried again a few times.
 * @throws Failure BUNDLE_FETCH
 */
export async function get(url: URL, options: FetchOptions = {}): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    let why: string
    try {
      const response = await fetch(url, { signal: options.signal ?? null, headers: options.headers ?? {} })
      if (response.ok || options.accept?.includes(response.status)) return response
      await response.body?.cancel()
      why = `the server answered ${response.status}`
      if (response.status !== 429 && response.status < 500) throw notFetched(url, why)
    } catch (error) {
      if (options.signal?.aborted || error instanceof Failure) throw error
      why = reason(error)
    }
    if (attempt === attempts) throw notFetched(url, why)
    await sleep(250 * 2 ** attempt, undefined, { ...(options.signal && { signal: options.signal }) })
  }
}

/** A small text. */
export async function getText(url: URL, options: FetchOptions = {}): Promise<string> {
  const response = await get(url, options)
  return response.text().catch((cause: unknown) => {
    if (options.signal?.aborted) throw cause
    throw notFetched(url, reason(cause), { cause })
  })
}

/**
 * Brings a file to `path`, whose sha256 must be the one given. What an earlier try left in `path`.part is gone on with where
 * the server can; a file that turns out wrong is thrown away.
 * @throws Failure BUNDLE_FETCH
 */
export async function download(url: URL, path: string, sha256: string, options: FetchOptions = {}): Promise<void> {
  const part = `${path}.part`
  await mkdir(dirname(path), { recursive: true })
  for (let attempt = 1; ; attempt++) {
    try {
      await goOn(url, part, options)
      break
    } catch (error) {
      if (options.signal?.aborted || error instanceof Failure) throw error
      if (attempt === attempts) throw notFetched(url, reason(error), { cause: error })
      await sleep(250 * 2 ** attempt, undefined, { ...(options.signal && { signal: options.signal }) })
    }
  }
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(part, { highWaterMark: 1 << 20 })) hash.update(chunk)
  const is = hash.digest('hex')
  if (is !== sha256) {
    await rm(part)
    throw notFetched(url, `what came has sha256 ${is}, promised was ${sha256}`, {
      fix: 'try again; if it stays so, the server or something on the way gives out another file',
    })
  }
  await rename(part, path)
}

async function goOn(url: URL, part: string, options: FetchOptions): Promise<void> {
  const there = (await stat(part).catch(() => undefined))?.size ?? 0
  const headers = { ...options.headers, ...(there > 0 && { range: `bytes=${there}-` }) }
  // 416: nothing is left to send
  const response = await get(url, { ...options, headers, accept: there > 0 ? [416] : [] })
  if (response.status === 416) return void (await response.body?.cancel())
  const resumed = response.status === 206
  if (resumed) options.onBytes?.(there)
  const body = Readable.fromWeb(response.body as ReadableStream<Uint8Array>)
  body.on('data', (chunk: Buffer) => options.onBytes?.(chunk.length))
  await pipeline(body, createWriteStream(part, { flags: resumed ? 'a' : 'w' }))
}

const reason = (error: unknown): string => {
  const cause = (error as Error).cause
  return `no answer: ${cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : (error as Error).message}`
}
