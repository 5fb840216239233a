import { createWriteStream } from 'node:fs'
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { type Entry, tar } from '../bundle/tar.ts'
import { type Contents, contentsText } from '../collect/contents.ts'
import type { Collected } from '../collect/files.ts'
import type { Inventory } from '../model/inventory.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { runsDir } from '../record/place.ts'
import { recordsOf } from '../record/read.ts'
import type { CommandIo } from './io.ts'
import { maskFor } from './masking.ts'

const newestRecords = 3

/** What came of a host. */
export interface Told {
  readonly host: string
  readonly files: readonly Collected[]
  readonly cut: boolean
  readonly error?: Trouble
}

/** Writes a support archive, whole or not at all, readable by its owner alone. Failure (exit 2) FILE_UNWRITABLE. */
export async function writeSupport(
  out: string,
  top: string,
  told: AsyncIterable<Told>,
  io: CommandIo,
  inventory: Inventory,
): Promise<{ size: number; parts: readonly Contents[] }> {
  const fresh = `${out}.new`
  const parts: Contents[] = []
  const file = createWriteStream(fresh, { mode: 0o600 })
  try {
    await pipeline(Readable.from(tar(entries(top, told, parts, io, inventory))), createGzip(), file)
    await rename(fresh, out)
    return { size: (await stat(out)).size, parts }
  } catch (cause) {
    await rm(fresh, { force: true }).catch(() => undefined)
    if (!(cause instanceof Error && 'path' in cause)) throw cause
    const message = `the archive could not be written: ${cause.message}`
    throw new Failure(
      exits.badInput,
      { code: 'FILE_UNWRITABLE', message, where: out, fix: 'name another place with --out' },
      { cause },
    )
  }
}

/** Every host's files, the inventory, the newest records, and at the end the list of it all. `parts` remembers what came. */
async function* entries(
  top: string,
  told: AsyncIterable<Told>,
  parts: Contents[],
  io: CommandIo,
  inventory: Inventory,
): AsyncGenerator<Entry> {
  const mtime = new Date()
  const mask = await maskFor(io, inventory)
  const entry = (name: string, text: string): Entry => {
    const bytes = Buffer.from(text)
    return { name: `${top}/${name}`, size: bytes.length, mode: 0o600, mtime, bytes }
  }
  for await (const part of told) {
    for (const { name, text } of part.files) if (text !== undefined) yield entry(`${part.host}/${name}`, text)
    parts.push({
      ...part,
      files: part.files.map(({ name, text, note }) => ({
        name,
        ...(text !== undefined && { bytes: Buffer.byteLength(text) }),
        ...(note && { note }),
      })),
    })
  }
  yield entry('inventory.json', mask(`${JSON.stringify(inventory, null, 2)}\n`))
  for (const path of await records(io, inventory))
    yield entry(`records/${basename(join(path, '..'))}/${basename(path)}`, mask(await readFile(path, 'utf8')))
  yield entry('contents.txt', contentsText(parts))
}

/** The files of the newest records. */
async function records(io: CommandIo, { cluster }: Inventory): Promise<string[]> {
  const dirs = (await recordsOf(runsDir(io.env, io.home), cluster.name)).slice(0, newestRecords)
  return (await Promise.all(dirs.map(async (dir) => (await readdir(dir)).map((name) => join(dir, name))))).flat()
}
