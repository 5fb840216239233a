import { arch as machine } from 'node:os'
import { join } from 'node:path'
import type { Artifact } from '../model/bundle.ts'
import { exits, Failure } from '../model/trouble.ts'
import { workClock } from './clock.ts'
import type { Sum } from './hash.ts'
import { type Larder, makeImage } from './images.ts'
import type { Make } from './producer.ts'
import { findMade, type Made, makeNow, type Recipe } from './recipe.ts'
import { recipes } from './recipes.ts'
import { putFile } from './store.ts'
import { checkTools, goVersion } from './tools.ts'
import { wanted } from './wanted.ts'

/** Builds every artifact from Go modules, a little C and Debian packages. */
export const fromSource: Make = async (order) => {
  const { dir, kubernetes, arch, cache, env, signal, onProgress } = order
  if (arch !== (machine() === 'x64' ? 'amd64' : machine()))
    throw new Failure(exits.badInput, {
      code: 'BUNDLE_ARCH',
      message: `--from source builds for the architecture of this machine only, and that is not ${arch}`,
      fix: 'use --from releases, or a machine of that architecture',
    })
  const child = { env, ...(signal && { signal }) }
  const all = await recipes(kubernetes, arch, (await goVersion(child)) ?? 'absent')
  const made = new Map<Recipe, Made>()
  for (const recipe of all) {
    const found = await findMade(cache, recipe)
    if (found) made.set(recipe, found)
  }
  const todo = all.filter((recipe) => !made.has(recipe))
  await checkTools(todo, cache, child)

  const packing = 15
  const clock = workClock([...todo.map(({ seconds }) => seconds), packing], onProgress)
  for (const recipe of todo) {
    clock.begin(`building ${recipe.name}`, recipe.seconds)
    made.set(recipe, await makeNow(cache, recipe, { ...child, onLine: clock.detail }).finally(clock.end))
  }

  clock.begin('packing images', packing)
  try {
    const larder: Larder = new Map(
      [...made.values()].flatMap(({ dir, files }) =>
        Object.entries(files).map(([name, sum]) => [name, { path: join(dir, name), sum }] as const),
      ),
    )
    return await pack(dir, order, larder)
  } finally {
    clock.end()
  }
}

async function pack(dir: string, { kubernetes, arch, signal }: Parameters<Make>[0], larder: Larder) {
  const artifacts: Artifact[] = []
  for (const want of wanted(kubernetes, 'source')) {
    signal?.throwIfAborted()
    if (want.kind === 'image') {
      artifacts.push({ ...want, kind: want.kind, ...(await makeImage(dir, want.name, arch, larder)) })
      continue
    }
    const { path, sum } = larder.get(want.name) as { path: string; sum: Sum }
    const file = `files/${want.name}`
    await putFile(dir, file, path)
    artifacts.push({ ...want, kind: want.kind, ...sum, file })
  }
  return artifacts
}
