import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Blob } from '../model/bundle.ts'
import { download, type FetchOptions, get, notFetched } from './fetch.ts'
import { sumOf, sumOfBytes } from './hash.ts'
import { type Mirrors, resolve } from './mirrors.ts'
import { mediaTypes, type WrittenImage } from './oci.ts'
import { putBlob } from './store.ts'
import type { Arch } from './versions.ts'

interface Descriptor {
  readonly mediaType?: string
  readonly digest: string
  readonly size: number
  readonly platform?: { readonly os: string; readonly architecture: string }
}

interface ImageManifest {
  readonly mediaType?: string
  readonly manifests?: readonly Descriptor[]
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
}

const accepted = [
  mediaTypes.index,
  mediaTypes.manifest,
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/**
 * Brings an image into the bundle, as the registry has it, for one architecture: OCI distribution API, read only.
 * Every blob is checked by its digest; blobs that are there already are not fetched.
 * @param ref registry/repository:tag
 * @throws Failure BUNDLE_FETCH
 */
export async function pullImage(
  dir: string,
  ref: string,
  options: { readonly arch: Arch; readonly mirrors: Mirrors } & FetchOptions,
): Promise<WrittenImage> {
  const [, name = '', tag = ''] = /^(.+):([^:/]+)$/.exec(ref) ?? []
  const at = resolve(name, options.mirrors)
  const repository = new URL(`/v2${at.pathname}/`, at)
  const session = new Session(options)

  let { bytes, manifest } = await readManifest(session, new URL(`manifests/${tag}`, repository))
  if (manifest.manifests) {
    const mine = manifest.manifests.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === options.arch,
    )
    if (!mine) throw notFetched(repository, `${ref} is not there for linux/${options.arch}`)
    ;({ bytes, manifest } = await readManifest(session, new URL(`manifests/${mine.digest}`, repository), mine.digest))
  }
  if (!manifest.config || !manifest.layers) throw notFetched(repository, `${ref} is not an image`)

  const blobs: Blob[] = []
  for (const { digest, size } of [manifest.config, ...manifest.layers]) {
    const hex = hexOf(digest, repository)
    const path = join(dir, 'blobs/sha256', hex)
    if (await isThere(path, hex, size)) options.onBytes?.(size)
    else await session.download(new URL(`blobs/${digest}`, repository), path, hex)
    blobs.push({ digest: hex, size })
  }
  const { sha256, size } = await putBlob(dir, [bytes])
  const all = [{ digest: sha256, size }, ...blobs]
  return { sha256, size: all.reduce((sum, blob) => sum + blob.size, 0), blobs: all }
}

async function readManifest(session: Session, url: URL, digest?: string) {
  const bytes = await session.read(url)
  if (digest !== undefined && sumOfBytes(bytes).sha256 !== hexOf(digest, url))
    throw notFetched(url, `what came is not ${digest}`)
  try {
    return { bytes, manifest: JSON.parse(bytes.toString()) as ImageManifest }
  } catch (cause) {
    throw notFetched(url, 'what came is not a manifest', { cause })
  }
}

function hexOf(digest: string, url: URL): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
  if (hex === undefined) throw notFetched(url, `the digest ${digest} is not of a known kind`)
  return hex
}

async function isThere(path: string, sha256: string, size: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.size === size && (await sumOf(path)).sha256 === sha256
}

/** Requests to one repository, with the token that it asks for. No credentials are sent: images to deploy from are public. */
class Session {
  readonly #options: FetchOptions
  #headers: Record<string, string> = {}

  constructor(options: FetchOptions) {
    this.#options = options
  }

  async read(url: URL): Promise<Buffer> {
    const ask = () => get(url, { ...this.#options, headers: { ...this.#headers, accept: accepted }, accept: [401] })
    let response = await ask()
    if (response.status === 401) {
      await response.body?.cancel()
      await this.#authorise(url, response.headers.get('www-authenticate') ?? '')
      response = await ask()
    }
    if (!response.ok) throw notFetched(url, `the registry answered ${response.status}`)
    return Buffer.from(await response.arrayBuffer())
  }

  async download(url: URL, path: string, sha256: string): Promise<void> {
    await download(url, path, sha256, { ...this.#options, headers: this.#headers })
  }

  async #authorise(url: URL, challenge: string): Promise<void> {
    const parameters = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, k, v]) => [k, v as string]))
    const realm = parameters.get('realm')
    if (!/^bearer /i.test(challenge) || realm === undefined)
      throw notFetched(url, 'the registry wants a login, and this image should be public')
    const at = new URL(realm)
    for (const name of ['service', 'scope']) {
      const value = parameters.get(name)
      if (value !== undefined) at.searchParams.set(name, value)
    }
    const response = await get(at, this.#options)
    const { token, access_token } = (await response.json()) as { token?: string; access_token?: string }
    this.#headers = { authorization: `Bearer ${token ?? access_token}` }
  }
}
