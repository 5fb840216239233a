import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A JSON file, or undefined where there is none or it is no JSON: the lab's own files can all be made again. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch {
    return undefined
  }
}

/** Writes a file at once and whole, and only if that changes it. Returns whether it did. */
export async function writeIfChanged(path: string, text: string): Promise<boolean> {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return false
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
  return true
}

export const writeJson = (path: string, value: unknown): Promise<boolean> =>
  writeIfChanged(path, `${JSON.stringify(value, null, 2)}\n`)
