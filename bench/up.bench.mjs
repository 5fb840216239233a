import { createWriteStream, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileArchive, imageArchive } from '../dist/bundle/archive.js'
import { readBundle } from '../dist/bundle/manifest.js'
import { readInventory } from '../dist/read/inventory.js'
import { flannelManifest } from '../dist/steps/flannel.js'
import { freshHosts, inventory, sshConfig } from './lab.mjs'
import { k8snet, pair, timed } from './pair.mjs'

/** `up` on three bare hosts against the same work by hand: bench/plain-up.sh with the same bundle. */
export default async function up({ rounds = 3 }) {
  await freshHosts()
  const site = readInventory(inventory, undefined, { home: '/root', user: 'root' })
  const bundle = await readBundle(site.source.bundle)
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-bench-'))
  const save = (name, { stream }) => pipeline(stream, createWriteStream(join(dir, name)))
  await save(
    'files.tar',
    fileArchive(
      site.source.bundle,
      bundle.artifacts.filter(({ kind }) => kind !== 'image'),
    ),
  )
  await save(
    'images.tar',
    imageArchive(
      site.source.bundle,
      bundle.artifacts.filter(({ kind }) => kind === 'image'),
    ),
  )
  writeFileSync(join(dir, 'flannel.yaml'), flannelManifest({ inventory: site, bundle, host: site.hosts[0] }))
  const version = site.cluster.kubernetes
  await pair({
    name: 'up',
    goal: 0.8,
    rounds,
    plain: async () => {
      await freshHosts()
      return (await timed('bash', ['bench/plain-up.sh', sshConfig(), dir, version])).ms
    },
    ours: async () => {
      await freshHosts()
      return (await k8snet('up', inventory, '--yes', '--no-verify', '--quiet')).ms
    },
  })
}
