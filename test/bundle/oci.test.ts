import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sumOf } from '../../src/bundle/hash.ts'
import { makeImage } from '../../src/bundle/images.ts'
import { mediaTypes, writeImage, writeLayer } from '../../src/bundle/oci.ts'
import { tar } from '../../src/bundle/tar.ts'
import { all, content, put, temporary, untar } from './fixture.ts'

const read = async (dir: string, digest: string) =>
  JSON.parse(await readFile(join(dir, 'blobs/sha256', digest.replace('sha256:', '')), 'utf8'))

describe('an image', () => {
  test('names its layers, runs its program, and is the same when made again', async () => {
    const make = async (dir: string) => {
      const layer = await writeLayer(dir, [
        { name: 'program', mode: 0o755, mtime: new Date(0), ...content('#!/bin/sh') },
      ])
      return writeImage(dir, [layer], { arch: 'arm64', entrypoint: ['/program'], user: '1:2' })
    }
    const dir = temporary()
    const image = await make(dir)
    expect(await make(temporary())).toEqual(image)

    const manifest = await read(dir, image.sha256)
    expect(manifest).toMatchObject({ schemaVersion: 2, mediaType: mediaTypes.manifest })
    const config = await read(dir, manifest.config.digest)
    expect(config).toMatchObject({
      architecture: 'arm64',
      os: 'linux',
      config: { Entrypoint: ['/program'], User: '1:2', Env: [expect.stringMatching(/^PATH=.*\/usr\/local\/bin/)] },
      rootfs: { type: 'layers', diff_ids: [manifest.layers[0].digest] },
    })
    for (const { digest, size } of image.blobs)
      expect(await sumOf(join(dir, 'blobs/sha256', digest))).toEqual({ sha256: digest, size })
    expect(image.size).toBe(image.blobs.reduce((sum, { size }) => sum + size, 0))
  })

  const program = async (name: string) => {
    const path = join(temporary(), name)
    await put(path, `the program ${name}`)
    return [name, { path, sum: await sumOf(path) }] as const
  }

  test('of the control plane has its program on PATH and the root certificates', async () => {
    const dir = temporary()
    const larder = new Map([await program('kube-apiserver')])
    const { blobs } = await makeImage(dir, 'registry.k8s.io/kube-apiserver:v1.37.1', 'amd64', larder)
    const names = blobs.slice(2).flatMap(({ digest }) => listed(join(dir, 'blobs/sha256', digest)))
    expect(names.filter((name) => !name.endsWith('/'))).toEqual([
      'etc/ssl/certs/ca-certificates.crt',
      'usr/local/bin/kube-apiserver',
    ])
  })

  test('of CoreDNS may bind port 53 without being root', async () => {
    const dir = temporary()
    const { blobs, sha256 } = await makeImage(
      dir,
      'registry.k8s.io/coredns/coredns:v1.14.6',
      'amd64',
      new Map([await program('coredns')]),
    )
    const config = await read(dir, (await read(dir, sha256)).config.digest)
    expect(config.config).toMatchObject({ User: '65532:65532', Entrypoint: ['/coredns'] })
    const layer = join(dir, 'blobs/sha256', blobs.at(-1)!.digest)
    const list = execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-tvvf', layer]).toString()
    expect(list).toMatch(/ coredns\n +x: +20 security\.capability/)
    // struct vfs_cap_data: revision 2 and effective, then bit 10 permitted and nothing else
    const [, value] = /security\.capability=([\s\S]{20})\n/.exec((await readFile(layer)).toString('latin1'))!
    const words = Array.from({ length: 5 }, (_, i) => Buffer.from(value!, 'latin1').readUInt32LE(4 * i))
    expect(words).toEqual([0x02000001, 1 << 10, 0, 0, 0])
  })

  test('of kube-proxy and of flannel share the Debian layer', async () => {
    const dir = temporary()
    const larder = new Map([await program('root.tar'), await program('kube-proxy'), await program('flanneld')])
    const proxy = await makeImage(dir, 'registry.k8s.io/kube-proxy:v1.37.1', 'amd64', larder)
    const flannel = await makeImage(dir, 'ghcr.io/flannel-io/flannel:v0.28.9', 'amd64', larder)
    const common = proxy.blobs.filter(({ digest }) => flannel.blobs.some((it) => it.digest === digest))
    expect(common).toEqual([{ digest: larder.get('root.tar')!.sum.sha256, size: larder.get('root.tar')!.sum.size }])
    expect(listed(join(dir, 'blobs/sha256', flannel.blobs.at(-1)!.digest))).toEqual([
      'opt/',
      'opt/bin/',
      'opt/bin/flanneld',
    ])
  })
})

describe('a tar', () => {
  test('keeps files, folders and links', async () => {
    const bytes = await all(
      tar([
        { name: 'a/', type: 'directory' },
        { name: 'a/file', type: 'file', ...content('hello') },
        { name: 'a/soft', type: 'symlink', linkname: 'file' },
        { name: 'a/hard', type: 'link', linkname: 'a/file' },
        { name: 'empty', type: 'file', size: 0 },
      ]),
    )
    const list = execFileSync('tar', ['-tvf', '-'], { input: bytes }).toString()
    expect(list).toMatch(/ a\/\n.* a\/file\n.* a\/soft -> file\n.* a\/hard link to a\/file\n.* empty\n/)
    expect((await untar([bytes] as unknown as AsyncIterable<Buffer>)).get('a/file')?.toString()).toBe('hello')
  })

  test('fails where fewer or more bytes come than were promised', async () => {
    for (const size of [4, 6])
      await expect(all(tar([{ name: 'x', type: 'file', ...content('hello'), size }]))).rejects.toThrow()
  })
})

const listed = (path: string): string[] => execFileSync('tar', ['-tf', path]).toString().trim().split('\n')
