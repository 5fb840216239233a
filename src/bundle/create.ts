import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { Manifest } from '../model/bundle.ts'
import { Failure } from '../model/trouble.ts'
import { checkBundle, filesOf } from './check.ts'
import { interrupted } from './child.ts'
import { imageRecipes } from './images.ts'
import { readBundle, writeManifest } from './manifest.ts'

import { cacheDir } from './place.ts'
import type { CreateOptions, Make } from './producer.ts'
import { format } from './recipe.ts'
import { recipes } from './recipes.ts'
import { fromReleases } from './releases.ts'
import { fromSource } from './source.ts'
import { prune } from './store.ts'
import { type Arch, type Producer, versionsOf } from './versions.ts'
import { wanted } from './wanted.ts'

const producers: Readonly<Record<Producer, Make>> = { source: fromSource, releases: fromReleases }

/**
 * Makes `dir` a complete bundle, or finds that it is one. What is there already and whole is not made again; an interrupted
 * run is gone on with. `changed` says whether anything had to be done.
 * @throws Failure BUNDLE_TOOLS, BUNDLE_FETCH, BUNDLE_ARCH, VERSION_UNSUPPORTED, INTERRUPTED
 */
export async function createBundle(options: CreateOptions): Promise<{ manifest: Manifest; changed: boolean }> {
  const { dir, from, kubernetes, arch } = options
  const recipe = await recipeOf(kubernetes, arch, from)
  const same = await readBundle(dir).catch(() => undefined)
  const usable = same?.recipe === recipe && same.arch === arch && same.producer === from
  if (usable && (await checkBundle(dir, same, undefined, options.onProgress)).length === 0)
    return { manifest: same, changed: false }

  await mkdir(dir, { recursive: true })
  try {
    const artifacts = await producers[from]({ ...options, cache: cacheDir(options.env) })
    const manifest: Manifest = { format: 1, kubernetes, arch, producer: from, recipe, artifacts }
    await writeManifest(dir, manifest)
    await prune(dir, new Set(filesOf(artifacts).keys()))
    return { manifest, changed: true }
  } catch (error) {
    if (options.signal?.aborted && !(error instanceof Failure)) throw interrupted()
    throw error
  }
}

/** Another value where another bundle would come out. The version of Go is left out: it need not be there to see that all is done. */
async function recipeOf(kubernetes: string, arch: Arch, from: Producer): Promise<string> {
  const made = from === 'source' ? [imageRecipes, (await recipes(kubernetes, arch, '')).map(({ key }) => key)] : []
  const parts = [format, versionsOf(kubernetes), wanted(kubernetes, from), made]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}
