import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import type { Sum } from './hash.ts'
import { type WrittenImage, writeImage, writeLayer } from './oci.ts'
import { putFile } from './store.ts'
import type { Entry } from './tar.ts'
import type { Arch } from './versions.ts'

/** What an image of a bundle from source is made of. */
interface ImageRecipe {
  /** The program, and where it lies in the image. */
  readonly program: string
  readonly path: string
  /** On the small Debian root; other images hold nothing but their program. */
  readonly debian?: true
  /** With the root certificates of the web. */
  readonly certificates?: true
  readonly user?: string
  /** Files may carry capabilities, as `setcap` writes them. */
  readonly capability?: string
}

/**
 * security.capability with cap_net_bind_service (bit 10) permitted and effective, revision 2: what CoreDNS, which kubeadm
 * runs without privileges and with NET_BIND_SERVICE, needs for port 53. Layout: struct vfs_cap_data in linux/capability.h.
 */
const bindService = '\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'

/** By the last part of the image's name. The static pods of kubeadm call their program by name on PATH. */
export const imageRecipes: Readonly<Record<string, ImageRecipe>> = {
  'kube-apiserver': { program: 'kube-apiserver', path: 'usr/local/bin/kube-apiserver', certificates: true },
  'kube-controller-manager': {
    program: 'kube-controller-manager',
    path: 'usr/local/bin/kube-controller-manager',
    certificates: true,
  },
  'kube-scheduler': { program: 'kube-scheduler', path: 'usr/local/bin/kube-scheduler' },
  'kube-proxy': { program: 'kube-proxy', path: 'usr/local/bin/kube-proxy', debian: true },
  etcd: { program: 'etcd', path: 'usr/local/bin/etcd' },
  pause: { program: 'pause', path: 'pause', user: '65535:65535' },
  coredns: { program: 'coredns', path: 'coredns', certificates: true, user: '65532:65532', capability: bindService },
  flannel: { program: 'flanneld', path: 'opt/bin/flanneld', debian: true },
}

/** A file that was made, by its name. */
export type Larder = ReadonlyMap<string, { readonly path: string; readonly sum: Sum }>

/** Writes an image into the bundle. `ref` is its full name. */
export async function makeImage(dir: string, ref: string, arch: Arch, larder: Larder): Promise<WrittenImage> {
  const name = /([^/:]+):[^/:]+$/.exec(ref)?.[1]
  const recipe = name === undefined ? undefined : imageRecipes[name]
  if (!recipe) throw new Error(`${ref}: there is no recipe for this image`)
  const layers: Sum[] = []
  if (recipe.debian) layers.push(await putLayer(dir, 'root.tar', larder))
  if (recipe.certificates) layers.push(await writeLayer(dir, certificates()))
  layers.push(await writeLayer(dir, programLayer(recipe, take(larder, recipe.program))))
  return writeImage(dir, layers, {
    arch,
    entrypoint: [`/${recipe.path}`],
    ...(recipe.user !== undefined && { user: recipe.user }),
  })
}

async function putLayer(dir: string, name: string, larder: Larder): Promise<Sum> {
  const { path, sum } = take(larder, name)
  await putFile(dir, `blobs/sha256/${sum.sha256}`, path)
  return sum
}

function take(larder: Larder, name: string) {
  const found = larder.get(name)
  if (!found) throw new Error(`no recipe makes ${name}`)
  return found
}

const fixed = { uid: 0, gid: 0, mtime: new Date(0) }

function* programLayer(recipe: ImageRecipe, { path, sum }: { path: string; sum: Sum }): Generator<Entry> {
  yield* parents(recipe.path)
  yield {
    ...fixed,
    name: recipe.path,
    type: 'file',
    mode: 0o755,
    size: sum.size,
    bytes: createReadStream(path, { highWaterMark: 1 << 20 }),
    ...(recipe.capability !== undefined && { pax: { 'SCHILY.xattr.security.capability': recipe.capability } }),
  }
}

function* certificates(): Generator<Entry> {
  const path = 'etc/ssl/certs/ca-certificates.crt'
  const bytes = Buffer.from(`${rootCertificates.join('\n')}\n`)
  yield* parents(path)
  yield { ...fixed, name: path, type: 'file', mode: 0o644, size: bytes.length, bytes }
}

function* parents(path: string): Generator<Entry> {
  const parts = path.split('/').slice(0, -1)
  for (let i = 1; i <= parts.length; i++)
    yield { ...fixed, name: `${join(...parts.slice(0, i))}/`, type: 'directory', mode: 0o755 }
}
