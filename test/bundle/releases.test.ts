import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { checkBundle } from '../../src/bundle/check.ts'
import { createBundle } from '../../src/bundle/create.ts'
import { downloads, sumFor } from '../../src/bundle/downloads.ts'
import { readBundle } from '../../src/bundle/manifest.ts'
import { parseMirrors, resolve } from '../../src/bundle/mirrors.ts'
import type { CreateOptions } from '../../src/bundle/producer.ts'
import { tar } from '../../src/bundle/tar.ts'
import { wanted } from '../../src/bundle/wanted.ts'
import { freePort } from '../helpers/ports.ts'
import { all, content, imagesIn, temporary, troublesOf } from './fixture.ts'

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')

/** A download site and a registry on loopback, with everything that a bundle is made of. */
interface Site {
  readonly origin: string
  /** By path */
  readonly files: Map<string, Buffer>
  /** Every path that was asked for, in order. */
  readonly asked: string[]
  /** May answer instead. */
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
}

let server: Server
let site: Site

beforeEach(async () => {
  const files = new Map<string, Buffer>()
  for (const { address, sums, holds } of downloads('1.37.1', 'amd64')) {
    const bytes =
      typeof holds === 'string'
        ? Buffer.from(`released ${holds}`)
        : gzipSync(
            await all(
              tar([
                { name: 'LICENSE', type: 'file', ...content('free') },
                ...Object.entries(holds).map(([path, name]) => ({
                  name: `./${path}`,
                  mode: 0o755,
                  type: 'file' as const,
                  ...content(`released ${name}`),
                })),
              ]),
            ),
          )
    files.set(`/downloads/${address}`, bytes)
    const before = files.get(`/downloads/${sums}`) ?? ''
    files.set(`/downloads/${sums}`, Buffer.from(`${before}${sha256(bytes)}  ${address.split('/').at(-1)}\n`))
  }
  // dl.k8s.io gives the bare hash
  for (const name of ['kubeadm', 'kubelet', 'kubectl']) {
    const path = `/downloads/dl.k8s.io/release/v1.37.1/bin/linux/amd64/${name}`
    files.set(`${path}.sha256`, Buffer.from(sha256(files.get(path)!)))
  }
  for (const { kind, name } of wanted('1.37.1', 'releases')) if (kind === 'image') addImage(files, name)

  const asked: string[] = []
  server = createServer((request, response) => answer(request, response))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  site = { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, files, asked }
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

/** An image for two architectures, behind an index, with a gzipped layer of its own and one that all share. */
function addImage(files: Map<string, Buffer>, ref: string): void {
  const [, repository = '', tag = ''] = /^(.+):([^:]+)$/.exec(ref)!
  const at = `/v2/images/${repository}`
  const blob = (bytes: Buffer | string, mediaType: string) => {
    files.set(`${at}/blobs/sha256:${sha256(bytes)}`, Buffer.from(bytes))
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: Buffer.byteLength(bytes) }
  }
  const layerType = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
  const manifests = ['arm64', 'amd64'].map((architecture) => {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: blob(JSON.stringify({ architecture, os: 'linux' }), 'application/vnd.docker.container.image.v1+json'),
      layers: [blob(gzipSync('shared'), layerType), blob(gzipSync(`${ref} ${architecture}`), layerType)],
    })
    const digest = `sha256:${sha256(manifest)}`
    files.set(`${at}/manifests/${digest}`, Buffer.from(manifest))
    return { digest, size: manifest.length, platform: { os: 'linux', architecture } }
  })
  files.set(`${at}/manifests/${tag}`, Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })))
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '', site.origin)
  site.asked.push(pathname)
  if (site.intercept?.(request, response)) return
  if (pathname === '/token') {
    response.end(JSON.stringify({ token: `for ${searchParams.get('scope')}` }))
    return
  }
  if (pathname.startsWith('/v2/')) {
    const scope = `repository:${/^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(pathname)![1]}:pull`
    if (request.headers.authorization !== `Bearer for ${scope}`) {
      const challenge = `Bearer realm="${site.origin}/token",service="here",scope="${scope}"`
      response.writeHead(401, { 'www-authenticate': challenge }).end()
      return
    }
  }
  const bytes = site.files.get(pathname)
  if (!bytes) {
    response.writeHead(404).end()
    return
  }
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (from > 0) response.writeHead(206, { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` })
  response.end(bytes.subarray(from))
}

const order = (changes: Partial<CreateOptions> = {}): CreateOptions => ({
  dir: join(temporary(), 'bundle'),
  from: 'releases',
  kubernetes: '1.37.1',
  arch: 'amd64',
  env: { XDG_CACHE_HOME: temporary() },
  mirrors: parseMirrors([
    `dl.k8s.io=${site.origin}/downloads/dl.k8s.io`,
    `https://github.com/=${site.origin}/downloads/github.com/`,
    `registry.k8s.io=${site.origin}/images/registry.k8s.io`,
    `ghcr.io=${site.origin}/images/ghcr.io`,
  ]),
  ...changes,
})

describe('a bundle from releases', () => {
  test('holds every file and image of the release, checked, and is whole', async () => {
    const { dir, ...rest } = order()
    const { manifest, changed } = await createBundle({ dir, ...rest })
    expect(changed).toBe(true)
    expect(await readBundle(dir)).toEqual(manifest)
    expect(await checkBundle(dir, manifest)).toEqual([])
    expect(manifest).toMatchObject({ kubernetes: '1.37.1', arch: 'amd64', producer: 'releases' })
    expect(manifest.artifacts.map(({ name }) => name)).toEqual(wanted('1.37.1', 'releases').map(({ name }) => name))
    for (const it of manifest.artifacts)
      if (it.kind !== 'image') expect(await readFile(join(dir, it.file), 'utf8')).toBe(`released ${it.name}`)
    for (const { sha256, blobs, name } of imagesIn(manifest)) {
      const image = JSON.parse(await readFile(join(dir, 'blobs/sha256', sha256), 'utf8'))
      const config = JSON.parse(await readFile(join(dir, 'blobs/sha256', image.config.digest.slice(7)), 'utf8'))
      expect(config.architecture, name).toBe('amd64')
      expect(blobs).toHaveLength(4)
    }
  })

  test('is not fetched again, not even the lists', async () => {
    const it = order()
    await createBundle(it)
    site.asked.length = 0
    expect((await createBundle(it)).changed).toBe(false)
    expect(site.asked).toEqual([])
  })

  test('that was damaged is mended without fetching what is whole', async () => {
    const it = order()
    const { manifest } = await createBundle(it)
    const layer = imagesIn(manifest)[0]!.blobs.at(-1)!.digest
    await writeFile(join(it.dir, 'blobs/sha256', layer), 'rubbish')
    site.asked.length = 0
    expect((await createBundle(it)).changed).toBe(true)
    expect(await checkBundle(it.dir, manifest)).toEqual([])
    expect(site.asked.filter((path) => path.includes('/blobs/'))).toEqual([
      expect.stringContaining(`/blobs/sha256:${layer}`),
    ])
    expect(site.asked.filter((path) => path.endsWith('.tar.gz') || path.endsWith('.tgz'))).toEqual([])
  })

  test('fetches a layer that images share once', async () => {
    await createBundle(order())
    const shared = sha256(gzipSync('shared'))
    expect(site.asked.filter((path) => path.endsWith(shared))).toHaveLength(1)
  })
})

describe('what is not as promised is refused and not kept', () => {
  const runc = '/downloads/github.com/opencontainers/runc/releases/download/v1.4.3/runc.amd64'
  const cases: Record<string, { spoil: () => void; says: RegExp; where: string }> = {
    'a binary with another checksum': {
      spoil: () => site.files.set(runc, Buffer.from('not runc')),
      says: /what came has sha256/,
      where: runc,
    },
    'a list of checksums without the file': {
      spoil: () => site.files.set(runc.replace('.amd64', '.sha256sum'), Buffer.from(`${'a'.repeat(64)}  runc.arm64\n`)),
      says: /holds no sha256 of runc\.amd64/,
      where: 'runc.sha256sum',
    },
    'a file that is not there': {
      spoil: () => site.files.delete(runc),
      says: /answered 404/,
      where: runc,
    },
    'an archive without the program': {
      spoil: () => {
        const [path] = [...site.files.keys()].filter((it) => it.endsWith('crictl-v1.36.0-linux-amd64.tar.gz'))
        const bytes = gzipSync(Buffer.alloc(1024))
        site.files.set(path!, bytes)
        site.files.set(`${path}.sha256`, Buffer.from(sha256(bytes)))
      },
      says: /does not hold crictl/,
      where: 'crictl-v1.36.0-linux-amd64.tar.gz',
    },
    'a blob with another digest': {
      spoil: () => {
        for (const path of site.files.keys())
          if (path.startsWith('/v2/images/registry.k8s.io/pause/blobs/')) site.files.set(path, Buffer.from('rubbish'))
      },
      says: /what came has sha256/,
      where: '/v2/images/registry.k8s.io/pause/blobs/',
    },
    'a manifest with another digest': {
      spoil: () => {
        for (const path of site.files.keys())
          if (path.startsWith('/v2/images/registry.k8s.io/pause/manifests/sha256:'))
            site.files.set(path, Buffer.from('{}'))
      },
      says: /what came is not sha256:/,
      where: '/v2/images/registry.k8s.io/pause/manifests/sha256:',
    },
    'an image for other architectures only': {
      spoil: () =>
        site.files.set(
          '/v2/images/registry.k8s.io/pause/manifests/3.10.2',
          Buffer.from(
            JSON.stringify({
              manifests: [
                { digest: `sha256:${'a'.repeat(64)}`, size: 1, platform: { os: 'linux', architecture: 's390x' } },
              ],
            }),
          ),
        ),
      says: /not there for linux\/amd64/,
      where: '/v2/images/registry.k8s.io/pause/',
    },
  }
  for (const [name, { spoil, says, where }] of Object.entries(cases)) {
    test(name, async () => {
      spoil()
      const it = order()
      const troubles = await troublesOf(createBundle(it))
      expect(troubles).toMatchObject([
        { code: 'BUNDLE_FETCH', message: expect.stringMatching(says), where: expect.stringContaining(where) },
      ])
      expect(await troublesOf(readBundle(it.dir))).toMatchObject([{ code: 'BUNDLE_MISSING' }])
    })
  }
})

/** How long the files under a directory are that are not yet there as a whole. */
const sizes = (dir: string): number[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.part'))
    .map((name) => statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0)

describe('a connection', () => {
  const kubelet = '/downloads/dl.k8s.io/release/v1.37.1/bin/linux/amd64/kubelet'

  test('that breaks in the middle is gone on with where it broke', async () => {
    const big = randomBytes(300_000)
    site.files.set(kubelet, big)
    site.files.set(`${kubelet}.sha256`, Buffer.from(sha256(big)))
    const ranges: (string | undefined)[] = []
    site.intercept = (request, response) => {
      if (request.url !== kubelet) return false
      ranges.push(request.headers.range)
      if (ranges.length > 1) return false
      response.writeHead(200, { 'content-length': big.length })
      response.write(big.subarray(0, 100_000))
      // all that was sent is there before the connection breaks: what is still on its way would be lost with it
      void vi
        .waitFor(() => expect(sizes(cache)).toContain(100_000), { timeout: 60_000 })
        .finally(() => response.destroy())
      return true
    }
    const cache = temporary()
    const it = order({ env: { XDG_CACHE_HOME: cache } })
    await createBundle(it)
    expect(await readFile(join(it.dir, 'files/kubelet'))).toEqual(big)
    expect(ranges).toEqual([undefined, 'bytes=100000-'])
  })

  test('that the user interrupts is gone on with by the next run, which fetches nothing twice', async () => {
    const stop = new AbortController()
    site.intercept = (request, response) => {
      if (!request.url?.includes('/kube-proxy/blobs/')) return false
      stop.abort()
      response.destroy()
      return true
    }
    const it = order()
    expect(await troublesOf(createBundle({ ...it, signal: stop.signal }))).toMatchObject([{ code: 'INTERRUPTED' }])
    const before = site.asked.filter((path) => site.files.has(path) && !path.includes('/manifests/'))
    delete site.intercept
    site.asked.length = 0
    await createBundle(it)
    expect(await checkBundle(it.dir, await readBundle(it.dir))).toEqual([])
    const heavy = (path: string) => !path.includes('sha256sum') && !path.endsWith('.sha256')
    const again = site.asked.filter((path) => before.includes(path) && heavy(path) && !path.includes('/kube-proxy/'))
    expect(again).toEqual([])
    expect(before.length).toBeGreaterThan(10)
  })

  test('to a server that is busy is tried again', async () => {
    let refusals = 0
    site.intercept = (request, response) => {
      if (request.url !== kubelet || refusals >= 2) return false
      refusals++
      response.writeHead(503).end()
      return true
    }
    const it = order()
    await createBundle(it)
    expect(refusals).toBe(2)
  })

  test('that nobody answers is named with its address', async () => {
    const port = await freePort()
    const mirrors = parseMirrors([`dl.k8s.io=http://127.0.0.1:${port}`])
    expect(await troublesOf(createBundle(order({ mirrors })))).toMatchObject([
      { code: 'BUNDLE_FETCH', where: expect.stringContaining(`:${port}/`), fix: expect.stringContaining('--mirror') },
    ])
  })
})

describe('mirrors', () => {
  const mirrors = parseMirrors([
    'registry.k8s.io=https://m.example/k8s',
    'registry.k8s.io/coredns=dns.example',
    'http://ghcr.io/=http://g.example:5000/',
  ])
  const cases: [address: string, url: string][] = [
    ['registry.k8s.io/pause', 'https://m.example/k8s/pause'],
    ['registry.k8s.io/coredns/coredns', 'https://dns.example/coredns'],
    ['ghcr.io/flannel-io/flannel', 'http://g.example:5000/flannel-io/flannel'],
    ['registry.k8s.io.example/pause', 'https://registry.k8s.io.example/pause'],
    ['dl.k8s.io/release/x', 'https://dl.k8s.io/release/x'],
  ]
  test.each(cases)('%s is fetched from %s', (address, url) => {
    expect(resolve(address, mirrors).href).toBe(url)
  })

  test.each(['registry.k8s.io', '=x', 'a=', 'a=ftp://'])('--mirror %s is refused', (word) => {
    expect(() => parseMirrors([word])).toThrow(/USAGE/)
  })
})

describe('a list of checksums', () => {
  const hash = (digit: string) => digit.repeat(64)
  const cases: [name: string, text: string, found: string | undefined][] = [
    ['the bare hash', hash('a'), hash('a')],
    ['the bare hash with an end of line', `${hash('a')}\n`, hash('a')],
    ['sha256sum of several', `${hash('a')}  other\n${hash('b')}  file\n`, hash('b')],
    ['sha256sum in binary mode', `${hash('b')} *file\n`, hash('b')],
    ['only others', `${hash('a')}  other\n`, undefined],
    ['a page of a proxy', '<html>login</html>', undefined],
  ]
  test.each(cases)('%s', (_, text, found) => {
    expect(sumFor(text, 'file')).toBe(found)
  })
})
