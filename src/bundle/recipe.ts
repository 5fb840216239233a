import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Sum, sumOf } from './hash.ts'

/** Raise it when the way recipes are made changes, stand-ins included, so that nothing made the old way is used again. */
export const format = 1

/** How some files are made. */
export interface Recipe {
  readonly name: string
  readonly outputs: readonly string[]
  /** Everything that the outputs follow from; two recipes with the same key make the same files. */
  readonly key: unknown
  /** About how long it takes on two quiet cores: its share of the progress. */
  readonly seconds: number
  /** About how much disk it needs beside its outputs, all caches empty. */
  readonly gigabytes: number
  /** Programs and libraries that must be there; see tools.ts. */
  readonly needs: readonly Tool[]
  /** Makes the outputs in `kitchen.out`. */
  make(kitchen: Kitchen): Promise<void>
}

export type Tool = 'go' | 'gcc' | 'libseccomp' | 'mmdebstrap'

/** Where a recipe is made. Both directories are empty at the start; `work` is thrown away. */
export interface Kitchen {
  readonly out: string
  readonly work: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
  /** Gets whatever the tools say. */
  readonly onLine?: (line: string) => void
}

/** What a recipe made, by name. */
export interface Made {
  readonly dir: string
  readonly files: Readonly<Record<string, Sum>>
}

/** Where the outputs of a recipe lie in the cache. */
export function shelf(cache: string, recipe: Recipe): string {
  const key = createHash('sha256').update(JSON.stringify([format, recipe.name, recipe.outputs, recipe.key]))
  return join(cache, 'made', `${recipe.name}-${key.digest('hex').slice(0, 16)}`)
}

/** What lies in the cache for a recipe: everything, as it was when it was made, or nothing. */
export async function findMade(cache: string, recipe: Recipe): Promise<Made | undefined> {
  const dir = shelf(cache, recipe)
  const sums = await readFile(join(dir, 'sums.json'), 'utf8').catch(() => undefined)
  if (sums === undefined) return undefined
  const files = JSON.parse(sums) as Record<string, Sum>
  for (const name of recipe.outputs) {
    const is = await sumOf(join(dir, name)).catch(() => undefined)
    if (is?.sha256 !== files[name]?.sha256) return undefined
  }
  return { dir, files }
}

/** Makes a recipe anew. What is half made never gets onto its shelf; what an interrupted run left is cleared away. */
export async function makeNow(cache: string, recipe: Recipe, kitchen: Omit<Kitchen, 'out' | 'work'>): Promise<Made> {
  const dir = shelf(cache, recipe)
  await sweep(cache, `${recipe.name}-`)
  const making = `${dir}.making-${randomUUID()}`
  const out = join(making, 'out')
  const work = join(making, 'work')
  await mkdir(out, { recursive: true })
  await mkdir(work)
  try {
    await recipe.make({ ...kitchen, out, work })
    const files: Record<string, Sum> = {}
    for (const name of recipe.outputs) files[name] = await sumOf(join(out, name))
    await writeFile(join(out, 'sums.json'), JSON.stringify(files, null, 2))
    await rm(dir, { recursive: true, force: true })
    await rename(out, dir)
    return { dir, files }
  } finally {
    await rm(making, { recursive: true, force: true })
  }
}

/** Half-made remains that nobody has touched for hours. */
async function sweep(cache: string, prefix: string): Promise<void> {
  const made = join(cache, 'made')
  for (const name of await readdir(made).catch(() => [])) {
    if (!name.startsWith(prefix) || !name.includes('.making-')) continue
    const found = await stat(join(made, name)).catch(() => undefined)
    if (found && Date.now() - found.mtimeMs > 6 * 3_600_000)
      await rm(join(made, name), { recursive: true, force: true })
  }
}
