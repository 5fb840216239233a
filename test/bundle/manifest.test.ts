import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkBundle } from '../../src/bundle/check.ts'
import { neededBy, readBundle, writeManifest } from '../../src/bundle/manifest.ts'
import { newest, versions } from '../../src/bundle/versions.ts'
import { wanted } from '../../src/bundle/wanted.ts'
import { imagesIn, put, smallBundle, temporary, troublesOf } from './fixture.ts'

describe('the list of a bundle', () => {
  test('comes back as it was written', async () => {
    const { dir, manifest } = await smallBundle()
    expect(await readBundle(dir)).toEqual(manifest)
    expect(await readBundle(dir, { kubernetes: '1.37.1' })).toEqual(manifest)
  })

  test('that is not there says how to make one', async () => {
    const dir = join(temporary(), 'none')
    expect(await troublesOf(readBundle(dir))).toMatchObject([
      {
        code: 'BUNDLE_MISSING',
        where: join(dir, 'manifest.json'),
        fix: expect.stringContaining(`bundle create ${dir}`),
      },
    ])
  })

  const unusable: Record<string, [text: string, says: string]> = {
    empty: ['', 'not JSON'],
    'cut off': ['{"format": 1, "kuber', 'not JSON'],
    'of another format': [JSON.stringify({ format: 2 }), 'format'],
    'without artifacts': [
      JSON.stringify({ format: 1, kubernetes: '1', arch: 'amd64', producer: 'source', recipe: '' }),
      'artifacts',
    ],
    'with a file outside the bundle': [
      JSON.stringify({
        format: 1,
        kubernetes: '1',
        arch: 'amd64',
        producer: 'source',
        recipe: '',
        artifacts: [
          { kind: 'cni', name: 'x', version: '1', roles: [], size: 1, sha256: 'a'.repeat(64), file: 'files/../../etc' },
        ],
      }),
      'artifacts.0.file',
    ],
  }
  for (const [name, [text, says]] of Object.entries(unusable)) {
    test(`${name} is damaged, and it is said why`, async () => {
      const dir = temporary()
      await put(join(dir, 'manifest.json'), text)
      expect(await troublesOf(readBundle(dir))).toMatchObject([
        { code: 'BUNDLE_DAMAGED', message: expect.stringContaining(says), where: join(dir, 'manifest.json') },
      ])
    })
  }

  test('of another Kubernetes version is refused by both names', async () => {
    const { dir } = await smallBundle()
    expect(await troublesOf(readBundle(dir, { kubernetes: '1.36.4' }))).toMatchObject([
      { code: 'BUNDLE_VERSION', message: expect.stringMatching(/1\.37\.1.*1\.36\.4/) },
    ])
  })
})

describe('what a host needs', () => {
  test('a worker gets no control plane, and no kubectl', async () => {
    const { manifest } = await smallBundle()
    const names = (role: 'control-plane' | 'worker') => neededBy(manifest, role).map(({ name }) => name)
    expect(names('control-plane')).toEqual(manifest.artifacts.map(({ name }) => name))
    const spared = names('control-plane').filter((name) => !names('worker').includes(name))
    expect(spared).toEqual([
      'kubectl',
      'registry.k8s.io/kube-apiserver:v1.37.1',
      'registry.k8s.io/kube-controller-manager:v1.37.1',
      'registry.k8s.io/kube-scheduler:v1.37.1',
      'registry.k8s.io/etcd:3.7.0-0',
    ])
  })

  test('both producers make the same names for every version', () => {
    expect(Object.keys(versions)).toContain(newest)
    for (const kubernetes of Object.keys(versions)) {
      const [source, releases] = (['source', 'releases'] as const).map((it) => wanted(kubernetes, it))
      expect(source!.map(({ name }) => name)).toEqual(releases!.map(({ name }) => name))
    }
  })
})

describe('a check of a bundle', () => {
  test('finds nothing wrong with a whole one, and tells how far it is', async () => {
    const { dir, manifest } = await smallBundle()
    const seen: number[] = []
    expect(await checkBundle(dir, manifest, undefined, ({ done, total }) => seen.push(done / total))).toEqual([])
    expect(seen.at(-1)).toBe(1)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
  })

  test('names every fault at once', async () => {
    const { dir, manifest } = await smallBundle()
    const [image, other] = imagesIn(manifest)
    const layer = image!.blobs.at(-1)!.digest
    await rm(join(dir, 'files/kubelet'))
    await writeFile(join(dir, 'files/kubeadm'), 'too short')
    await writeFile(join(dir, 'blobs/sha256', layer), Buffer.alloc(image!.blobs.at(-1)!.size))
    const artifacts = manifest.artifacts.filter((it) => it !== other)
    await writeManifest(dir, { ...manifest, artifacts })
    const troubles = await checkBundle(dir, await readBundle(dir))
    expect(troubles.map(({ code, where, message }) => [code, where, message.replace(/ [0-9a-f]{64}/g, '')])).toEqual([
      ['BUNDLE_INCOMPLETE', join(dir, 'manifest.json'), `the bundle has no image ${other!.name}`],
      ['BUNDLE_DAMAGED', join(dir, 'blobs/sha256', layer), `blobs/sha256/${layer} has sha256 instead of`],
      ['BUNDLE_DAMAGED', join(dir, 'files/kubeadm'), expect.stringMatching(/has 9 bytes instead of \d+/)],
      ['BUNDLE_DAMAGED', join(dir, 'files/kubelet'), 'files/kubelet is missing'],
    ])
  })

  test('looks only at what it was asked for', async () => {
    const { dir, manifest } = await smallBundle()
    await rm(join(dir, 'files/kubelet'))
    expect(await checkBundle(dir, manifest, new Set(['kubeadm']))).toEqual([])
    expect(await checkBundle(dir, manifest, new Set(['kubelet']))).toHaveLength(1)
  })
})
