import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** What each room may import: other rooms, and packages (node:… only where a room does I/O or needs plain computing). */
const rooms: Record<string, { rooms: string[]; packages: string[] }> = {
  model: { rooms: [], packages: ['ipaddr.js', 'node:util', 'node:crypto', 'node:stream'] },
  read: { rooms: ['model'], packages: ['yaml', 'zod', 'semver', 'node:fs', 'node:path', 'node:url'] },
  facts: { rooms: ['model'], packages: ['node:crypto'] },
  steps: { rooms: ['model', 'facts'], packages: ['yaml', 'semver', 'node:crypto', 'node:fs'] },
  actions: { rooms: ['model'], packages: ['diff', 'node:crypto'] },
  plan: { rooms: ['model', 'facts', 'actions'], packages: ['node:crypto'] },
  run: { rooms: ['model', 'plan', 'actions'], packages: ['node:crypto', 'node:stream', 'node:stream/promises'] },
  ssh: {
    rooms: ['model'],
    packages: [
      'ssh2',
      'node:child_process',
      'node:events',
      'node:crypto',
      'node:fs',
      'node:fs/promises',
      'node:stream',
      'node:stream/promises',
      'node:net',
      'node:os',
      'node:path',
    ],
  },
  bundle: { rooms: ['model'], packages: ['tar-stream', 'zod', 'zx', 'semver', '*node'] },
  verify: { rooms: ['model', 'facts'], packages: ['node:crypto', 'node:fs'] },
  dump: { rooms: ['model'], packages: ['node:zlib', 'node:fs/promises', 'node:path', 'yaml'] },
  causes: { rooms: ['model'], packages: [] },
  trace: { rooms: ['model'], packages: [] },
  selftest: { rooms: ['model'], packages: [] },
  record: { rooms: ['model'], packages: ['node:fs/promises', 'node:path'] },
  collect: { rooms: ['model'], packages: ['node:zlib'] },
  view: { rooms: ['model'], packages: ['listr2', 'node:util'] },
  kube: { rooms: ['model', 'read'], packages: ['yaml', 'node:fs', 'node:path', 'node:http', 'node:https'] },
  lab: { rooms: ['model'], packages: ['zx', 'yaml', '*node'] },
  commands: { rooms: ['*'], packages: ['commander', '*node'] },
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const sources = files.map((file) => ({
  file,
  room: file.includes('/') ? file.split('/')[0]! : 'cli',
  text: readFileSync(`src/${file}`, 'utf8'),
}))

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:^|\s)(?:import|export)\s[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)/g)].map(
    (match) => (match[1] ?? match[2])!,
  )
}

/** The file under src that an import names. */
const targetOf = (file: string, what: string): string => new URL(what, `file:///${file}`).pathname.slice(1)

/** The first way that is found from a file back to itself, that file at both ends; empty where there is none. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const from = (file: string, way: readonly string[]): string[] => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file]
    if (done.has(file)) return []
    for (const next of graph.get(file) ?? []) {
      const circle = from(next, [...way, file])
      if (circle.length > 0) return circle
    }
    done.add(file)
    return []
  }
  return [...graph.keys()].map((file) => from(file, [])).find((circle) => circle.length > 0) ?? []
}

function allowed(room: string, file: string, what: string): boolean {
  const rule = rooms[room]
  if (!rule) return false
  if (!what.startsWith('.'))
    return rule.packages.includes(what) || (what.startsWith('node:') && rule.packages.includes('*node'))
  const target = targetOf(file, what).split('/')[0]!
  return target === room || rule.rooms.includes(target) || rule.rooms.includes('*')
}

describe('the rooms of the house', () => {
  it.each(sources.filter(({ room }) => room !== 'cli'))(
    '$file imports only what its room may',
    ({ file, room, text }) => {
      expect(importsOf(text).filter((what) => !allowed(room, file, what))).toEqual([])
    },
  )

  it('no file imports itself round a corner', () => {
    const ours = (file: string, text: string) =>
      importsOf(text)
        .filter((what) => what.startsWith('.'))
        .map((what) => targetOf(file, what))
    const graph = new Map(sources.map(({ file, text }) => [file, ours(file, text)]))
    expect([...graph.values()].flat().filter((file) => file.endsWith('.ts') && !graph.has(file))).toEqual([])
    expect(circleIn(graph)).toEqual([])
  })

  it('has only rooms that the table names', () => {
    expect([...new Set(sources.map(({ room }) => room))].filter((room) => room !== 'cli' && !rooms[room])).toEqual([])
  })

  it.each(sources.filter(({ file }) => !['cli.ts', 'lab/demo.ts'].includes(file)))(
    '$file leaves process alone',
    ({ text }) => {
      expect(
        text
          .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
          .match(/\bprocess\.(env|argv|exit|exitCode|stdout|stderr|stdin)\b/)?.[0],
      ).toBeUndefined()
    },
  )

  it('has what the benchmarks take from it', () => {
    const benches = readdirSync('bench').filter((file) => file.endsWith('.mjs'))
    const taken = benches.flatMap((bench) => {
      const text = readFileSync(`bench/${bench}`, 'utf8')
      return [...text.matchAll(/import \{([^}]+)\} from '\.\.\/dist\/(.+)\.js'/g)].flatMap(([, names, file]) =>
        names!.split(',').map((name) => ({ bench, file: `${file}.ts`, name: name.trim() })),
      )
    })
    const has = ({ file, name }: { file: string; name: string }) =>
      new RegExp(`^export (async )?(function|const) ${name}\\b`, 'm').test(
        sources.find((source) => source.file === file)?.text ?? '',
      )
    expect(taken.length).toBeGreaterThan(10)
    expect(taken.filter((it) => !has(it))).toEqual([])
  })

  it.each(sources)('$file fits on a few screens', ({ text }) => {
    expect(text.split('\n').length).toBeLessThanOrEqual(250)
  })
})
