import { arch as machine } from 'node:os'
import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { checkBundle } from '../bundle/check.ts'
import { createBundle } from '../bundle/create.ts'
import { readBundle } from '../bundle/manifest.ts'
import { parseMirrors } from '../bundle/mirrors.ts'
import type { OnProgress } from '../bundle/progress.ts'
import { type Arch, newest, type Producer, versions } from '../bundle/versions.ts'
import type { Manifest } from '../model/bundle.ts'
import { exits, Failure } from '../model/trouble.ts'
import { table } from '../view/table.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, common } from './options.ts'

/** `k8snet bundle`: the directory that hosts are installed from. */
export function bundleCommand(io: CommandIo): Command {
  return new Command('bundle')
    .description('The bundle that hosts are installed from: every program and image of a cluster, in one directory.')
    .addCommand(createCommand(io))
    .addCommand(checkCommand(io))
    .addCommand(listCommand(io))
}

type CreateWords = CommonOptions & { from: Producer; kubernetes: string; arch: Arch; mirror: string[] }

function createCommand(io: CommandIo): Command {
  const many = (word: string, before: string[]): string[] => [...before, word]
  return common(
    new Command('create').description(
      'Makes a complete bundle, or finishes one. What is there and whole is kept; made again, nothing is done.',
    ),
    [
      'k8snet bundle create --from releases',
      'k8snet bundle create /srv/bundle --from releases --mirror registry.k8s.io=https://mirror.example/k8s',
      'k8snet bundle create --from source',
    ],
  )
    .argument('[directory]', 'where the bundle lies', './bundle')
    .addOption(
      new Option('--from <producer>', 'fetch the official releases, or build from source (Go modules, by GOPROXY)')
        .choices(['source', 'releases'])
        .makeOptionMandatory(),
    )
    .addOption(new Option('--kubernetes <version>', 'which Kubernetes').choices(Object.keys(versions)).default(newest))
    .addOption(
      new Option('--arch <architecture>', 'of the hosts')
        .choices(['amd64', 'arm64'])
        .default(machine() === 'arm64' ? 'arm64' : 'amd64'),
    )
    .option('--mirror <from=to>', 'fetch what lies under FROM from TO instead; may be given several times', many, [])
    .action(async (directory: string, { from, kubernetes, arch, mirror, ...options }: CreateWords) => {
      const dir = resolve(io.cwd, directory)
      const { manifest, changed } = await createBundle({
        dir,
        from,
        kubernetes,
        arch,
        mirrors: parseMirrors(mirror),
        env: io.env,
        signal: io.signal,
        ...progress(io, options),
      })
      if (options.output === 'json') io.out(json({ ok: true, dir, changed, ...summary(manifest) }))
      else io.out(`${dir} is ${changed ? 'now' : 'already'} a complete bundle: ${inWords(manifest)}\n`)
    })
}

function checkCommand(io: CommandIo): Command {
  return common(
    new Command('check').description('Names every file of a bundle that is missing or damaged, and what it lacks.'),
    'k8snet bundle check /srv/bundle',
  )
    .argument('[directory]', 'where the bundle lies', './bundle')
    .action(async (directory: string, options: CommonOptions) => {
      const dir = resolve(io.cwd, directory)
      const manifest = await readBundle(dir)
      const troubles = await checkBundle(dir, manifest, undefined, progress(io, options).onProgress)
      if (troubles.length > 0) throw new Failure(exits.badInput, troubles)
      if (options.output === 'json') io.out(json({ ok: true, dir, ...summary(manifest) }))
      else io.out(`${dir} is whole: ${inWords(manifest)}\n`)
    })
}

function listCommand(io: CommandIo): Command {
  return common(new Command('list').description('Lists what a bundle holds.'), 'k8snet bundle list /srv/bundle')
    .argument('[directory]', 'where the bundle lies', './bundle')
    .action(async (directory: string, options: CommonOptions) => {
      const dir = resolve(io.cwd, directory)
      const manifest = await readBundle(dir)
      io.out(options.output === 'json' ? json({ ok: true, dir, ...manifest }) : listText(manifest))
    })
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`

const summary = ({ kubernetes, arch, producer, artifacts }: Manifest) => ({
  kubernetes,
  arch,
  producer,
  artifacts: artifacts.length,
  size: sizeOf(artifacts),
})

const inWords = ({ kubernetes, arch, producer, artifacts }: Manifest): string =>
  `Kubernetes ${kubernetes} for ${arch}, from ${producer}, ${artifacts.length} artifacts, ${megabytes(sizeOf(artifacts))} MB`

/** What it takes on disk: a blob that images share counts once. */
function sizeOf(artifacts: Manifest['artifacts']): number {
  const blobs = new Map(artifacts.flatMap((it) => (it.kind === 'image' ? it.blobs : [])).map((b) => [b.digest, b.size]))
  const files = artifacts.reduce((sum, it) => sum + (it.kind === 'image' ? 0 : it.size), 0)
  return [...blobs.values()].reduce((sum, size) => sum + size, files)
}

const listText = ({ artifacts }: Manifest): string =>
  table([
    ['KIND', 'NAME', 'VERSION', 'MB', 'NEEDED BY', 'SHA256'],
    ...artifacts.map(({ kind, name, version, size, roles, sha256 }) => [
      kind,
      name,
      version,
      megabytes(size),
      roles.length > 1 ? 'every host' : (roles[0] ?? '-'),
      sha256.slice(0, 12),
    ]),
  ])

const megabytes = (size: number): string => (size / 1e6).toFixed(1)

/** Progress on stderr: one line that is written over on a terminal; elsewhere a line per piece of work and half minute. */
function progress(io: CommandIo, { output, quiet }: CommonOptions): { onProgress?: OnProgress } {
  if (quiet || (output === 'json' && !io.errIsTerminal)) return {}
  let last = { name: '', at: 0 }
  return {
    onProgress: ({ done, total, name, etaMs }) => {
      const share = `${Math.floor((done / Math.max(total, 1)) * 100)}%`.padStart(4)
      const left = etaMs !== undefined && done < total ? `, about ${duration(etaMs)} left` : ''
      if (io.errIsTerminal) return io.err(`\r\x1b[K${share}  ${name}${left}${done >= total ? '\n' : ''}`)
      const what = name.replace(/ \(.*/, '')
      const now = Date.now()
      if ((what === last.name || what.startsWith('blobs/') || what.startsWith('files/')) && now - last.at < 30_000)
        return
      last = { name: what, at: now }
      io.err(`${share}  ${name}${left}\n`)
    },
  }
}

const duration = (ms: number): string => (ms < 90_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`)
