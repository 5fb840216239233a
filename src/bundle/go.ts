import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { run } from './child.ts'
import type { Kitchen, Recipe } from './recipe.ts'
import type { Arch } from './versions.ts'

/** Programs of one Go module, built from the module proxy: a go.mod of their own keeps upstreams from raising each other's versions. */
export interface GoRecipe {
  readonly name: string
  readonly module: string
  /** With its leading v */
  readonly version: string
  /** Packages by the name of the program. */
  readonly programs: Readonly<Record<string, string>>
  readonly cgo?: true
  readonly tags?: readonly string[]
  /** -X: values of string variables */
  readonly set?: Readonly<Record<string, string>>
  /** Further modules and what stands in for them: a path below `stand-ins`. */
  readonly standIns?: Readonly<Record<string, string>>
  /** The module replaces parts of itself by paths; they are taken from the proxy at this version instead. */
  readonly staging?: string
  readonly seconds: number
  readonly gigabytes: number
}

export interface GoSetup {
  readonly arch: Arch
  /** What `go version` says; part of the key. */
  readonly go: string
  /** Directory of our own modules that stand in for others. */
  readonly standIns: string
}

export function goRecipe(it: GoRecipe, { arch, go, standIns }: GoSetup): Recipe {
  return {
    name: it.name,
    outputs: Object.keys(it.programs),
    key: [it, arch, go],
    seconds: it.seconds,
    gigabytes: it.gigabytes,
    needs: it.cgo ? ['go', 'gcc'] : ['go'],
    make: async (kitchen) => {
      const env = environment(kitchen, arch, it.cgo === true)
      await mkdir(env.GOTMPDIR)
      await writeFile(join(kitchen.work, 'go.mod'), await goMod(it, standIns, kitchen, env))
      for (const [output, packages] of batches(it.programs))
        await run(
          ['go', 'build', '-v', '-mod=mod', '-trimpath', ...flags(it), '-o', join(kitchen.out, output), ...packages],
          { ...kitchen, cwd: kitchen.work, env },
        )
    },
  }
}

/** One `go build` for all programs whose name is that of their package, so that they share the work; one for each other. */
export function batches(programs: GoRecipe['programs']): [output: string, packages: string[]][] {
  const all = Object.entries(programs)
  const alike = all.filter(([name, path]) => basename(path) === name).map(([, path]) => path)
  const others = all.filter(([name, path]) => basename(path) !== name)
  return [
    ...(alike.length > 0 ? [['', alike] as [string, string[]]] : []),
    ...others.map(([name, path]) => [name, [path]] as [string, string[]]),
  ]
}

function flags({ tags = [], set = {}, cgo }: GoRecipe): string[] {
  const ldflags = [
    '-s -w',
    ...(cgo ? ['-extldflags -static'] : []),
    ...Object.entries(set).map(([k, v]) => `-X ${k}=${v}`),
  ]
  return [...(tags.length > 0 ? ['-tags', tags.join(',')] : []), '-ldflags', ldflags.join(' ')]
}

/** The user's environment, proxies and private modules included, without what would change the outcome. */
function environment({ env, work }: Kitchen, arch: Arch, cgo: boolean) {
  return {
    ...env,
    GOFLAGS: '-buildvcs=false',
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    GOOS: 'linux',
    GOARCH: arch,
    CGO_ENABLED: cgo ? '1' : '0',
    GOTMPDIR: join(work, 'tmp'),
  }
}

async function goMod(it: GoRecipe, standIns: string, kitchen: Kitchen, env: Kitchen['env']): Promise<string> {
  const replaces = Object.entries(it.standIns ?? {}).map(([module, path]) => [module, join(standIns, path)])
  if (it.staging !== undefined) {
    const about = await run(['go', 'mod', 'download', '-json', `${it.module}@${it.version}`], {
      ...kitchen,
      cwd: kitchen.work,
      env,
    })
    const { GoMod } = JSON.parse(about) as { GoMod: string }
    for (const module of stagedModules(await readFile(GoMod, 'utf8')))
      replaces.push([module, `${module} ${it.staging}`])
  }
  return [
    `module k8snet/source/${it.name}`,
    '',
    'go 1.26.0',
    ...(it.staging !== undefined ? ['godebug default=go1.26'] : []),
    `require ${it.module} ${it.version}`,
    ...replaces.map(([from, to]) => `replace ${from} => ${to}`),
    '',
  ].join('\n')
}

/** The modules that a go.mod replaces by paths of its own repository. */
export function stagedModules(goMod: string): string[] {
  return [...goMod.matchAll(/^\s*(?:replace\s+)?(\S+)\s+=>\s+\.\/\S+\s*$/gm)].map(([, module]) => module as string)
}
