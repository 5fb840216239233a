import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { globs } from './known-hosts.ts'

/** What ssh_config(5) files tell apart, so that `ssh -G` is asked once for all hosts that they treat alike. */
export interface ConfigShape {
  /** Does any line matter here? Where none does, ssh need not be asked at all. */
  readonly matters: boolean
  /** Can hosts that the same patterns hold still be treated differently? */
  readonly perHost: boolean
  /** Every pattern of a Host line. */
  readonly patterns: readonly string[]
}

const matter = new Set([
  'hostname',
  'user',
  'port',
  'identityfile',
  'identitiesonly',
  'identityagent',
  'proxyjump',
  'proxycommand',
  'userknownhostsfile',
  'globalknownhostsfile',
  'hostkeyalias',
  'connecttimeout',
  'canonicalizehostname',
])
const mostDepth = 16

/** Reads the files and what they include; `~` is `home`, and relative includes lie beside the file that OpenSSH starts from. */
export function shapeOf(files: readonly string[], home: string): ConfigShape {
  let [matters, perHost] = [false, false]
  const patterns = new Set<string>()
  const read = (file: string, base: string, depth: number): void => {
    for (const [keyword, args] of linesOf(file)) {
      if (matter.has(keyword)) matters = true
      if (keyword === 'host') for (const arg of args) patterns.add(arg.replace(/^!/, ''))
      if (keyword === 'match' && args.join(' ').toLowerCase() !== 'all') perHost = true
      if ((keyword === 'hostname' || keyword.endsWith('knownhostsfile')) && /%/.test(args.join(' '))) perHost = true
      if (keyword === 'canonicalizehostname' && args[0] !== 'no') perHost = true
      if (keyword !== 'include') continue
      for (const arg of args) {
        const found = depth < mostDepth ? included(arg, base, home) : null
        if (!found) [matters, perHost] = [true, true]
        else for (const it of found) read(it, base, depth + 1)
      }
    }
  }
  for (const file of files) read(file, dirname(file), 0)
  return { matters, perHost, patterns: [...patterns] }
}

/** Equal for addresses that the files treat alike. */
export function alike(shape: ConfigShape, address: string): string {
  if (shape.perHost) return address
  return shape.patterns.map((pattern) => (globs(pattern, address) ? '1' : '0')).join('')
}

/** Keyword and arguments of every line; a file that cannot be read has none, as for ssh. */
function linesOf(file: string): [keyword: string, args: string[]][] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap((raw): [string, string[]][] => {
    const found = /^\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*)$/.exec(raw)
    if (!found) return []
    const args = [...found[2]!.matchAll(/"([^"]*)"|(\S+)/g)].map((it) => it[1] ?? it[2]!)
    return [[found[1]!.toLowerCase(), args]]
  })
}

/** The files that an Include names; null where its pattern is more than a name in one directory. */
function included(pattern: string, base: string, home: string): string[] | null {
  const path = pattern.startsWith('~/')
    ? join(home, pattern.slice(2))
    : isAbsolute(pattern)
      ? pattern
      : join(base, pattern)
  if (/[*?[%$]/.test(dirname(path)) || /[[%$]/.test(basename(path))) return null
  if (!/[*?]/.test(basename(path))) return [path]
  try {
    return readdirSync(dirname(path))
      .filter((name) => !name.startsWith('.') && globs(basename(path), name))
      .sort()
      .map((name) => join(dirname(path), name))
  } catch {
    return []
  }
}
