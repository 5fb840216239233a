import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { workClock } from '../../src/bundle/clock.ts'
import { writeManifest } from '../../src/bundle/manifest.ts'
import type { Progress } from '../../src/bundle/progress.ts'
import { bundleCommand } from '../../src/commands/bundle.ts'
import type { CommandIo } from '../../src/commands/io.ts'
import { smallBundle, temporary, troublesOf } from './fixture.ts'

/** Runs `k8snet bundle WORDS` and returns what it printed. */
async function bundle(words: string[], cwd = '/', env: CommandIo['env'] = {}) {
  const out: string[] = []
  const err: string[] = []
  const io = {
    out: (text: string) => void out.push(text),
    err: (text: string) => void err.push(text),
    outIsTerminal: false,
    errIsTerminal: false,
    color: false,
    env,
    cwd,
    signal: new AbortController().signal,
    exit: () => {},
  } as unknown as CommandIo
  const command = bundleCommand(io)
  for (const it of [command, ...command.commands]) it.exitOverride().configureOutput({ writeErr: () => {} })
  await command.parseAsync(words, { from: 'user' })
  return { out: out.join(''), err: err.join('') }
}

describe('k8snet bundle', () => {
  test('list shows every artifact with who needs it', async () => {
    const { dir, manifest } = await smallBundle()
    const { out } = await bundle(['list', dir])
    const lines = out.trim().split('\n')
    expect(lines).toHaveLength(1 + manifest.artifacts.length)
    expect(out).toMatch(/^binary +kubectl +1\.37\.1 +\S+ +control-plane +\w{12}$/m)
    expect(out).toMatch(/^image +registry\.k8s\.io\/pause:3\.10\.2 +3\.10\.2 +\S+ +every host +\w{12}$/m)
  })

  test('list -o json is the list itself', async () => {
    const { dir, manifest } = await smallBundle()
    expect(JSON.parse((await bundle(['list', dir, '-o', 'json'])).out)).toEqual({ ok: true, dir, ...manifest })
  })

  test('check says that all is well, on stdout and nothing but that', async () => {
    const { dir } = await smallBundle()
    expect((await bundle(['check', dir, '-q'])).err).toBe('')
    expect((await bundle(['check', dir])).out).toMatch(
      /is whole: Kubernetes 1\.37\.1 for amd64, from source, 22 artifacts/,
    )
    expect(JSON.parse((await bundle(['check', '-o', 'json', dir])).out)).toMatchObject({ ok: true, artifacts: 22 })
  })

  test('check fails with every fault', async () => {
    const { dir } = await smallBundle()
    for (const name of ['kubelet', 'ctr']) await rm(join(dir, 'files', name))
    expect(await troublesOf(bundle(['check', dir]))).toMatchObject([
      { code: 'BUNDLE_DAMAGED', where: join(dir, 'files/ctr') },
      { code: 'BUNDLE_DAMAGED', where: join(dir, 'files/kubelet') },
    ])
  })

  test('takes ./bundle where no directory is named', async () => {
    const cwd = temporary()
    await smallBundle(join(cwd, 'bundle'))
    expect((await bundle(['check'], cwd)).out).toContain(`${join(cwd, 'bundle')} is whole`)
    expect(await troublesOf(bundle(['check'], temporary()))).toMatchObject([{ code: 'BUNDLE_MISSING' }])
  })

  test('create builds nothing where a tool is missing, and names all of them', async () => {
    const { dir, manifest } = await smallBundle()
    await writeManifest(dir, { ...manifest, recipe: 'of an older k8snet' })
    const env = { PATH: temporary(), XDG_CACHE_HOME: temporary() }
    const troubles = await troublesOf(bundle(['create', dir, '--from', 'source'], '/', env))
    expect(troubles.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['Go is not installed', 'gcc is not installed', 'mmdebstrap is not installed']),
    )
    expect((await bundle(['check', dir])).out).toContain('is whole')
  })

  test.each([
    ['create'],
    ['create', '--from', 'nowhere'],
    ['create', '--from', 'source', '--kubernetes', '1.2.3'],
    ['create', '--from', 'source', '--arch', 's390x'],
    ['create', '--from', 'releases', '--mirror', 'registry.k8s.io'],
    ['chek'],
  ])('refuses %s %s %s %s %s', async (...words) => {
    await expect(bundle(words.filter((word) => word !== undefined))).rejects.toThrow()
  })
})

describe('the time left', () => {
  test('follows the expected work and how fast it went so far', () => {
    let now = 0
    const seen: Progress[] = []
    const clock = workClock(
      [100, 300],
      (progress) => seen.push(progress),
      () => now,
    )
    clock.begin('first', 100)
    now = 200_000
    clock.end()
    clock.begin('second', 300)
    clock.end()
    const [atStart, afterFirst] = seen
    expect(atStart).toMatchObject({ done: 0, total: 400, name: 'first', etaMs: 400_000 })
    // the first took twice as long as expected, so the rest will too, nearly
    expect(afterFirst).toMatchObject({ done: 100, total: 400, name: 'second' })
    expect(afterFirst!.etaMs! / 1000).toBeGreaterThan(450)
    expect(afterFirst!.etaMs! / 1000).toBeLessThan(600)
  })
})
