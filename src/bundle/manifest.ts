import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Artifact, Manifest } from '../model/bundle.ts'
import type { Role } from '../model/inventory.ts'
import { exits, Failure } from '../model/trouble.ts'

const hex = z.string().regex(/^[0-9a-f]{64}$/)
const size = z.int().nonnegative()
const common = {
  name: z.string().min(1),
  version: z.string().min(1),
  roles: z.array(z.enum(['control-plane', 'worker'])),
  size,
  sha256: hex,
}
const schema = z.object({
  format: z.literal(1),
  kubernetes: z.string(),
  arch: z.enum(['amd64', 'arm64']),
  producer: z.enum(['source', 'releases']),
  recipe: z.string(),
  artifacts: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.enum(['binary', 'cni']), ...common, file: z.string().regex(/^files\/[A-Za-z0-9_-]+$/) }),
      z.object({ kind: z.literal('image'), ...common, blobs: z.array(z.object({ digest: hex, size })) }),
    ]),
  ),
}) satisfies z.ZodType<Manifest>

/**
 * The list of a bundle.
 * @throws Failure BUNDLE_MISSING, BUNDLE_DAMAGED; BUNDLE_VERSION where it is not for `options.kubernetes`
 */
export async function readBundle(dir: string, options: { readonly kubernetes?: string } = {}): Promise<Manifest> {
  const path = join(dir, 'manifest.json')
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new Failure(
      exits.badInput,
      {
        code: 'BUNDLE_MISSING',
        message: `there is no bundle: its list cannot be read (${cause.code})`,
        where: path,
        fix: `k8snet bundle create ${dir} --from source, or --from releases`,
      },
      { cause },
    )
  })
  const manifest = parse(text, path, dir)
  if (options.kubernetes !== undefined && manifest.kubernetes !== options.kubernetes)
    throw new Failure(exits.badInput, {
      code: 'BUNDLE_VERSION',
      message: `the bundle is for Kubernetes ${manifest.kubernetes}, not for ${options.kubernetes}`,
      where: path,
      fix: `k8snet bundle create ANOTHER_DIR --kubernetes ${options.kubernetes}, or write kubernetes: ${manifest.kubernetes} in the inventory`,
    })
  return manifest
}

function parse(text: string, path: string, dir: string): Manifest {
  const damaged = (why: string, cause?: unknown): Failure =>
    new Failure(
      exits.badInput,
      { code: 'BUNDLE_DAMAGED', message: `the list of the bundle is unusable: ${why}`, where: path, fix: remake(dir) },
      { cause },
    )
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (error) {
    throw damaged('it is not JSON', error)
  }
  const result = schema.safeParse(data)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw damaged(`${issue?.path.join('.') || 'it'}: ${issue?.message}`)
}

/** What to do about a bundle that is not whole. */
export const remake = (dir: string): string => `k8snet bundle create ${dir} makes it whole again`

/** Writes the list; last of all, so that a directory with a list is a bundle. */
export async function writeManifest(dir: string, manifest: Manifest): Promise<void> {
  const path = join(dir, 'manifest.json')
  await writeFile(`${path}.new`, `${JSON.stringify(manifest, null, 2)}\n`)
  await rename(`${path}.new`, path)
}

/** What a host of this role needs of a bundle. */
export function neededBy(manifest: Manifest, role: Role): Artifact[] {
  return manifest.artifacts.filter(({ roles }) => roles.includes(role))
}
