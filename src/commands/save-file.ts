import { randomBytes } from 'node:crypto'
import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { exits, Failure } from '../model/trouble.ts'

/**
 * Saves a file, whole or not at all, readable by its owner alone, whatever was there before; a link stays, and what it names is
 * replaced. `what` is it, in words. Failure (exit 2) FILE_UNWRITABLE.
 */
export async function saveFile(path: string, text: string, what: string): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const fresh = `${target}.${randomBytes(4).toString('hex')}`
  try {
    const there = await stat(target).catch(() => undefined)
    if (there && !there.isFile()) throw new Error('it is there already, and is no file')
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx', flush: true })
    await rename(fresh, target)
  } catch (cause) {
    await rm(fresh, { force: true }).catch(() => undefined)
    const message = `${what} could not be saved: ${(cause as Error).message}`
    const fix = 'name a file in a directory that you may write to'
    throw new Failure(exits.badInput, { code: 'FILE_UNWRITABLE', message, where: path, fix }, { cause })
  }
}
