import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

export interface Sum {
  /** hex */
  readonly sha256: string
  readonly size: number
}

/** What a file holds, read as a stream. */
export async function sumOf(path: string): Promise<Sum> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk)
    size += chunk.length
  }
  return { sha256: hash.digest('hex'), size }
}

/** What a value holds. */
export function sumOfBytes(bytes: Buffer | string): Sum {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), size: Buffer.byteLength(bytes) }
}

/** Does `work` for every item, `width` of them at a time. The first failure ends it. */
export async function several<T>(items: Iterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: width }, worker))
}
