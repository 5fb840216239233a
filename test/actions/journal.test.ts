import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { thingOf } from '../../src/actions/index.ts'
import type { Action, UnitState } from '../../src/model/action.ts'
import { applyScript, type OnChanged, readJournal, undoScript } from '../../src/run/script.ts'

/**
 * The way back as a property: whatever several runs did, wherever each of them and the way back itself was killed, at the end
 * everything is to the byte what it was before the first. A real POSIX shell on a real file system; systemctl is a stand-in that
 * keeps its units in files, and /proc/sys a directory.
 */

const prelude = readFileSync('templates/prelude.sh', 'utf8')
/** Programs that the scripts call; before the n-th call of one the whole script is killed, as by a power cut. */
const programs = [
  'awk',
  'cat',
  'chmod',
  'chown',
  'cp',
  'flock',
  'head',
  'mkdir',
  'mv',
  'rm',
  'rmdir',
  'sha256sum',
  'sync',
  'systemctl',
  'tail',
  'grep',
]

const systemctl = `#!/bin/sh
verb=$1; shift
case $verb in show) want=$2; unit=$4 ;; *) [ "$1" != --quiet ] || shift; unit=$1 ;; esac
f=$UNITS/$unit
read -r enabled active <"$f" || exit 5
case $verb in
  enable) enabled=enabled ;; disable) enabled=disabled ;; mask) enabled=masked ;; unmask) enabled=disabled ;;
  start | restart) active=true ;; stop) active=false ;;
  show) case $want in LoadState) echo loaded ;; *) echo "$enabled" ;; esac; exit ;;
  daemon-reload) exit ;;
esac
echo "$enabled $active" >"$f"
`

class World {
  readonly dir = mkdtempSync(join(tmpdir(), 'k8snet-journal-'))
  readonly #counter = join(this.dir, 'test/count')
  readonly #killed = join(this.dir, 'test/killed')
  #ids = 0

  constructor() {
    for (const name of ['bin', 'test', 'root/etc', 'root/proc/sys/net', 'root/units'])
      mkdirSync(join(this.dir, name), { recursive: true })
    const step = `#!/bin/sh
read -r n <'${this.#counter}'
n=$((n - 1)); echo $n >'${this.#counter}'
[ $n -ne 0 ] || { echo "\${0##*/} $*" >'${this.#killed}'; kill -KILL 0; }
PATH=\${PATH#*:}
exec "\${0##*/}" "$@"
`
    writeFileSync(join(this.dir, 'bin/awk'), step, { mode: 0o755 })
    for (const name of programs.slice(1)) linkSync(join(this.dir, 'bin/awk'), join(this.dir, 'bin', name))
    mkdirSync(join(this.dir, 'real'))
    writeFileSync(join(this.dir, 'real/systemctl'), systemctl, { mode: 0o755 })
  }

  path = (name: string) => join(this.dir, 'root', name)

  /** Runs a script to its end, or until the n-th program; says whether it was killed. */
  async run(script: string, killAt = 0): Promise<boolean> {
    writeFileSync(this.#counter, `${killAt}\n`)
    rmSync(this.#killed, { force: true })
    const moved = script
      .replaceAll('/var/lib/k8snet', join(this.dir, 'state'))
      .replaceAll('/run/k8snet', join(this.dir, 'run'))
      .replaceAll('/proc/sys/', `${this.path('proc/sys')}/`)
    const child = spawn('dash', ['-s'], {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: `${this.dir}/bin:${this.dir}/real:/usr/sbin:/usr/bin:/sbin:/bin`, UNITS: this.path('units') },
    })
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.stdout.resume()
    child.stdin.on('error', () => undefined)
    child.stdin.end(`main() {\n${moved}\n}\nmain </dev/null\n`)
    await ended
    return existsSync(this.#killed)
  }

  async apply(actions: readonly Action[], killAt: number, tear: number): Promise<void> {
    const items = actions.map((action) => ({ id: `id${this.#ids++}`, step: 'test', action }))
    const killed = await this.run(applyScript(prelude, items), killAt)
    // a line that was not yet on the disk may be there in part
    const journal = join(this.dir, 'state/journal')
    if (!killed || !/^sync .*\/journal$/m.test(readFileSync(this.#killed, 'utf8')) || !existsSync(journal)) return
    const size = statSync(journal).size
    const last = readFileSync(journal, 'utf8').trimEnd().lastIndexOf('\n') + 1
    truncateSync(journal, Math.max(last, size - 1 - tear))
  }

  down = async (killAt = 0, onChanged: OnChanged = 'leave') =>
    this.run(undoScript(prelude, this.journal(), onChanged), killAt)
  journal = () =>
    existsSync(join(this.dir, 'state/journal'))
      ? readJournal(readFileSync(join(this.dir, 'state/journal'), 'utf8'))
      : []

  /** Everything there is: path, mode, content. */
  picture = () =>
    readdirSync(this.path(''), { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => {
        const at = statSync(this.path(name))
        return `${name} ${(at.mode & 0o7777).toString(8)} ${at.isFile() ? JSON.stringify(readFileSync(this.path(name), 'latin1')) : ''}`
      })

  leftovers = () => readdirSync(this.dir).filter((name) => name === 'state' || name === 'run')
  end = () => rmSync(this.dir, { recursive: true })
}

/** What a run wants of one thing; what was there before it is read when the run begins, as `up` does. */
type Wish =
  | { kind: 'file'; path: string; content: string | null; mode: string }
  | { kind: 'line'; edits: { nth: number | null; want: string }[] }
  | { kind: 'sysctl'; key: string; want: string }
  | {
      kind: 'service'
      unit: string
      enabled?: 'enabled' | 'disabled' | 'masked' | undefined
      active?: boolean | undefined
    }

const line = fc.constantFrom('a', 'b', '# a', '', 'x y', "it's", '\\1 &')
const text = fc
  .tuple(fc.array(line, { maxLength: 5 }), fc.boolean())
  .map(([lines, open]) => lines.map((it) => `${it}\n`).join('') + (open ? 'end' : ''))
const mode = fc.constantFrom('0644', '0600', '0755')
const paths = ['etc/one', 'etc/two', 'etc/sub/deep/three']
const wish: fc.Arbitrary<Wish> = fc.oneof(
  fc.record({
    kind: fc.constant('file' as const),
    path: fc.constantFrom(...paths),
    content: fc.option(text, { freq: 5 }),
    mode,
  }),
  fc.record({
    kind: fc.constant('line' as const),
    edits: fc.array(fc.record({ nth: fc.option(fc.nat(5)), want: line.filter((it) => it !== '') }), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
  fc.record({
    kind: fc.constant('sysctl' as const),
    key: fc.constantFrom('net.x', 'net.y'),
    want: fc.constantFrom('0', '1', '60'),
  }),
  fc.record({
    kind: fc.constant('service' as const),
    unit: fc.constantFrom('u.service', 'v.service'),
    enabled: fc.option(fc.constantFrom('enabled' as const, 'disabled' as const, 'masked' as const), { nil: undefined }),
    active: fc.option(fc.boolean(), { nil: undefined }),
  }),
)
const start = fc.record({
  files: fc.tuple(...paths.slice(0, 2).map(() => fc.option(fc.tuple(text, mode)))),
  fstab: fc.tuple(text, mode),
  sysctls: fc.tuple(fc.constantFrom('0', '1', '60'), fc.constantFrom('0', '1', '60')),
  units: fc.tuple(
    fc.constantFrom('enabled true', 'disabled false', 'masked false'),
    fc.constantFrom('enabled false', 'disabled true'),
  ),
})
const killAt = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 90 }))
const run = fc.record({ wishes: fc.array(wish, { minLength: 1, maxLength: 6 }), killAt, tear: fc.nat(200) })

function worldOf(begin: typeof start extends fc.Arbitrary<infer T> ? T : never): World {
  const world = new World()
  for (const [i, it] of [...begin.files, begin.fstab].entries()) {
    const path = world.path(i === 2 ? 'etc/fstab' : paths[i]!)
    if (it) writeFileSync(path, it[0])
    if (it) chmodSync(path, Number.parseInt(it[1], 8))
  }
  for (const [i, it] of begin.sysctls.entries()) writeFileSync(world.path(`proc/sys/net/${'xy'[i]}`), `${it}\n`)
  for (const [i, it] of begin.units.entries()) writeFileSync(world.path(`units/${'uv'[i]}.service`), `${it}\n`)
  return world
}

/** The wishes as actions, each thing once, from what is there now. */
function actionsOf(world: World, wishes: readonly Wish[]): Action[] {
  const all = wishes.map((it) => actionOf(world, it)).filter((it) => it.kind !== 'line' || it.edits.length > 0)
  return all.filter((it, i) => all.findIndex((other) => thingOf(other) === thingOf(it)) === i)
}

function actionOf(world: World, it: Wish): Action {
  if (it.kind === 'file') {
    const path = world.path(it.path)
    const was = existsSync(path)
      ? { content: readFileSync(path, 'utf8'), mode: `0${(statSync(path).mode & 0o7777).toString(8)}`, owner: '0:0' }
      : null
    return { kind: 'file', path, was, want: it.content === null ? null : { content: it.content, mode: it.mode } }
  }
  if (it.kind === 'line') {
    const lines = readFileSync(world.path('etc/fstab'), 'utf8').replace(/\n$/, '').split('\n')
    const edits = it.edits.map(({ nth, want }) => ({ was: nth === null ? null : lines[nth % lines.length]!, want }))
    return { kind: 'line', path: world.path('etc/fstab'), edits: edits.filter(({ was }) => was !== '') }
  }
  if (it.kind === 'sysctl')
    return {
      kind: 'sysctl',
      key: it.key,
      want: it.want,
      was: readFileSync(world.path(`proc/sys/${it.key.replace('.', '/')}`), 'utf8').trim(),
    }
  const [enabled, active] = readFileSync(world.path(`units/${it.unit}`), 'utf8')
    .trim()
    .split(' ')
  const want = { ...(it.enabled && { enabled: it.enabled }), ...(it.active !== undefined && { active: it.active }) }
  return {
    kind: 'service',
    unit: it.unit,
    was: { enabled: enabled as UnitState['enabled'], active: active === 'true' },
    want,
  }
}

const patience = { timeout: 520_000 }

describe('after any runs, each killed anywhere', () => {
  it(
    'going back, itself killed anywhere and begun again, ends at the byte-identical start and leaves nothing',
    patience,
    async () => {
      await fc.assert(
        fc.asyncProperty(
          start,
          fc.array(run, { minLength: 1, maxLength: 3 }),
          fc.array(killAt, { maxLength: 2 }),
          async (begin, runs, kills) => {
            const world = worldOf(begin)
            try {
              const before = world.picture()
              for (const it of runs) await world.apply(actionsOf(world, it.wishes), it.killAt, it.tear)
              for (const it of [...kills, 0]) await world.down(it)
              expect(world.picture()).toEqual(before)
              expect(world.leftovers()).toEqual([])
            } finally {
              world.end()
            }
          },
        ),
        { numRuns: 40 },
      )
    },
  )

  it('what somebody else wrote since is never lost, and all the rest goes back', patience, async () => {
    await fc.assert(
      fc.asyncProperty(start, fc.array(run, { minLength: 1, maxLength: 2 }), async (begin, runs) => {
        const world = worldOf(begin)
        try {
          const before = world.picture()
          for (const it of runs) await world.apply(actionsOf(world, it.wishes), it.killAt, it.tear)
          const stranger = world.path(paths[0]!)
          const touched = world.journal().some(({ action }) => action.kind === 'file' && action.path === stranger)
          writeFileSync(stranger, 'somebody else wrote this\n', { mode: 0o640 })
          chmodSync(stranger, 0o640)
          await world.down()
          const others = (picture: string[]) => picture.filter((it) => !it.startsWith(`${paths[0]} `))
          expect(readFileSync(stranger, 'utf8')).toBe('somebody else wrote this\n')
          expect(others(world.picture())).toEqual(others(before))
          expect(world.journal().map(({ action }) => thingOf(action))).toEqual(
            world.journal().map(() => `file ${stranger}`),
          )
          expect(world.journal().length > 0).toBe(touched)
          await world.down(0, 'keep')
          expect(readFileSync(stranger, 'utf8')).toBe('somebody else wrote this\n')
          expect(world.leftovers()).toEqual([])
        } finally {
          world.end()
        }
      }),
      { numRuns: 20 },
    )
  })
})

describe('a file that is a link', () => {
  it('stays one, and what it links to comes back', async () => {
    const world = new World()
    writeFileSync(world.path('target'), 'before\n')
    symlinkSync(world.path('target'), world.path('etc/link'))
    const was = { content: 'before\n', mode: '0644', owner: '0:0' }
    await world.apply(
      [{ kind: 'file', path: world.path('etc/link'), was, want: { content: 'new\n', mode: '0600' } }],
      0,
      0,
    )
    expect(readFileSync(world.path('target'), 'utf8')).toBe('new\n')
    await world.down()
    expect(readFileSync(world.path('target'), 'utf8')).toBe('before\n')
    expect(statSync(world.path('target')).mode & 0o777).toBe(0o644)
    expect(readdirSync(world.path('etc'), { withFileTypes: true }).map((it) => [it.name, it.isSymbolicLink()])).toEqual(
      [['link', true]],
    )
    world.end()
  })
})

describe('the journal', () => {
  it('keeps an entry that comes after a line which a crash tore off', async () => {
    const world = new World()
    const write = (name: string): Action => ({
      kind: 'file',
      path: world.path(name),
      was: null,
      want: { content: name, mode: '0644' },
    })
    await world.apply([write('etc/one')], 0, 0)
    const journal = join(world.dir, 'state/journal')
    writeFileSync(journal, `${readFileSync(journal, 'utf8')}\n{"id":"torn","step":"te`)
    await world.apply([write('etc/two')], 0, 0)
    expect(world.journal().map(({ action, ended }) => [thingOf(action), ended])).toEqual([
      [`file ${world.path('etc/one')}`, 'done'],
      [`file ${world.path('etc/two')}`, 'done'],
    ])
    world.end()
  })

  it('that cannot be written lets no change begin', async () => {
    const world = new World()
    mkdirSync(join(world.dir, 'state/journal'), { recursive: true })
    const path = world.path('etc/one')
    await world.run(
      applyScript(prelude, [
        { id: 'a', step: 'test', action: { kind: 'file', path, was: null, want: { content: '', mode: '0644' } } },
      ]),
    )
    expect(existsSync(path)).toBe(false)
    world.end()
  })
})
