import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import semver from 'semver'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { type ChildOptions, run } from './child.ts'
import type { Recipe, Tool } from './recipe.ts'

type Look = (options: ChildOptions) => Promise<string | undefined>

/** containerd and crictl ask for 1.26.3 in their go.mod. */
const oldestGo = '1.26.3'

/** How each tool is found missing: what is wrong with it, or undefined; and what brings it. */
const tools: Readonly<Record<Tool, { readonly fault: Look; readonly fix: string }>> = {
  go: {
    fault: async (options) => {
      const said = await goVersion(options)
      if (said === undefined) return 'Go is not installed'
      const version = semver.coerce(said)
      return version && semver.gte(version, oldestGo) ? undefined : `Go ${oldestGo} or newer is needed, this is ${said}`
    },
    fix: `install Go ${oldestGo} or newer: https://go.dev/dl, or Debian's golang-1.26 from backports`,
  },
  gcc: {
    fault: async (options) => ((await says(['gcc', '--version'], options)) ? undefined : 'gcc is not installed'),
    fix: 'apt-get install gcc libc6-dev',
  },
  libseccomp: {
    fault: async (options) =>
      (await says(['gcc', '-print-file-name=libseccomp.a'], options))?.includes('/')
        ? undefined
        : 'the static library libseccomp.a is not installed',
    fix: 'apt-get install libseccomp-dev',
  },
  mmdebstrap: {
    fault: async (options) =>
      (await says(['mmdebstrap', '--version'], options)) ? undefined : 'mmdebstrap is not installed',
    fix: 'apt-get install mmdebstrap debian-archive-keyring',
  },
}

/** What `go version` calls itself: 1.26.8; undefined without Go. */
export async function goVersion(options: ChildOptions): Promise<string | undefined> {
  const said = await says(['go', 'env', 'GOVERSION'], { ...options, env: { ...options.env, GOTOOLCHAIN: 'local' } })
  return said?.trim().replace(/^go/, '')
}

/**
 * Refuses to begin where something is missing, all of it at once.
 * @throws Failure BUNDLE_TOOLS
 */
export async function checkTools(todo: readonly Recipe[], cache: string, options: ChildOptions): Promise<void> {
  const troubles: Trouble[] = []
  for (const name of new Set(todo.flatMap(({ needs }) => needs))) {
    const message = await tools[name].fault(options)
    if (message !== undefined) troubles.push({ code: 'BUNDLE_TOOLS', message, fix: tools[name].fix })
  }
  const goCache = (await says(['go', 'env', 'GOCACHE'], options))?.trim()
  const needed = todo.reduce((sum, { gigabytes }) => sum + gigabytes, 0)
  for (const dir of new Set([cache, ...(goCache ? [goCache] : [])])) {
    const free = await freeGigabytes(dir)
    if (free < needed) {
      const message = `building needs ${needed.toFixed(1)} GB of disk, ${free.toFixed(1)} GB are free`
      troubles.push({ code: 'BUNDLE_TOOLS', message, where: dir, fix: 'make room, or set XDG_CACHE_HOME and GOCACHE' })
      break
    }
  }
  if (troubles.length > 0) throw new Failure(exits.badInput, troubles)
}

async function freeGigabytes(dir: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(dir)
    return (bavail * bsize) / 1e9
  } catch (error) {
    if (dirname(dir) === dir) throw error
    return freeGigabytes(dirname(dir))
  }
}

const says = (command: [string, ...string[]], options: ChildOptions): Promise<string | undefined> =>
  run(command, options).catch((error: unknown) => {
    if (options.signal?.aborted) throw error
    return undefined
  })
