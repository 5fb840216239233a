import type { Header, Pack } from 'tar-stream'

type Headers = Partial<Header> & Pick<Header, 'name'>

/** One entry of an archive; its bytes come when they are asked for, and are exactly `size`. */
export interface Entry extends Headers {
  readonly bytes?: Buffer | AsyncIterable<Buffer>
}

const block = 512

/** An archive of these entries, made as it is read; whoever stops reading stops the reading of the entries. */
export async function* tar(entries: AsyncIterable<Entry> | Iterable<Entry>): AsyncGenerator<Buffer, void, undefined> {
  // loaded only where there is something to send
  const { pack } = await import('tar-stream')
  const archive = pack()
  const fed = feed(archive, entries)
  fed.catch((error: Error) => archive.destroy(error))
  try {
    for await (const chunk of archive) yield chunk as Buffer
    await fed
  } finally {
    archive.destroy()
    await fed.catch(() => {})
  }
}

/** The length of an archive of plain files with short names. */
export function tarSize(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + block + Math.ceil(size / block) * block, 2 * block)
}

async function feed(archive: Pack, entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<void> {
  for await (const { bytes, ...headers } of entries) {
    const ended = new Promise<void>((resolve, reject) => {
      const sink = archive.entry(headers, (error) => (error ? reject(error) : resolve()))
      fill(sink, headers, bytes).catch(reject)
    })
    await ended
  }
  archive.finalize()
}

async function fill(sink: ReturnType<Pack['entry']>, headers: Headers, bytes: Entry['bytes']): Promise<void> {
  let wake = (): void => {}
  sink.on('drain', () => wake())
  sink.on('close', () => wake())
  // whoever reads the archive gets the error
  sink.on('error', () => {})
  let size = 0
  for await (const chunk of bytes === undefined ? [] : Buffer.isBuffer(bytes) ? [bytes] : bytes) {
    size += chunk.length
    if (sink.destroyed) throw new Error('nobody reads the archive any more')
    const room = new Promise<void>((resolve) => {
      wake = resolve
    })
    if (!sink.write(chunk)) await room
  }
  if (size !== (headers.size ?? 0))
    throw new Error(`${headers.name}: ${size} bytes came where ${headers.size} were promised`)
  sink.end(undefined)
}
