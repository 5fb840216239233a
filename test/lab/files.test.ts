import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readJson, writeIfChanged } from '../../src/lab/files.ts'
import { labOf } from '../../src/lab/lab.ts'
import { install, missing } from '../../src/lab/packages.ts'
import { readSettings } from '../../src/lab/settings.ts'
import { must, tools, works } from '../../src/lab/tools.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k8snet-lab-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const labIn = (signal = new AbortController().signal, said: string[] = []) =>
  labOf({ env: { PATH: '/usr/bin:/bin' }, home: dir, signal, say: (line) => said.push(line) }, dir)

describe('the files of a lab', () => {
  it('are not touched when they would say the same', async () => {
    const path = join(dir, 'deep/inventory.yaml')
    expect(await writeIfChanged(path, 'a')).toBe(true)
    await utimes(path, 1, 1)
    expect(await writeIfChanged(path, 'a')).toBe(false)
    expect((await stat(path)).mtimeMs).toBe(1000)
    expect(await writeIfChanged(path, 'b')).toBe(true)
    expect(await readFile(path, 'utf8')).toBe('b')
  })

  it('count as absent when they are damaged', async () => {
    await writeFile(join(dir, 'half.json'), '{"id": ')
    expect(await readJson(join(dir, 'half.json'))).toBeUndefined()
  })

  it('of another lab, copied here, are not taken for its own', async () => {
    const settings = { provider: 'docker', hosts: 5, subnet: '192.168.56' }
    await writeIfChanged(join(dir, '.vagrant/lab.json'), JSON.stringify({ ...settings, id: 'ffffff' }))
    expect(await readSettings(labIn())).toBeUndefined()
    await writeIfChanged(join(dir, '.vagrant/lab.json'), JSON.stringify({ ...settings, id: labIn().id }))
    expect(await readSettings(labIn())).toMatchObject({ hosts: 5 })
  })
})

describe('the tools of the machine', () => {
  it('are missing when neither their command nor their file is there, and their package is named once', async () => {
    const needs = [
      { package: 'coreutils', gives: 'ls' },
      { package: 'base-files', gives: '/etc/os-release' },
      { package: 'nothing-such', gives: 'nothing-such' },
      { package: 'nothing-such', gives: '/nothing/such' },
    ]
    expect(await missing(labIn(), needs)).toEqual(['nothing-such'])
  })

  it('are not installed again when all are there', async () => {
    const said: string[] = []
    expect(await install(labIn(undefined, said), [{ package: 'coreutils', gives: 'ls' }])).toEqual([])
    expect(said).toEqual([])
  })

  it('fail with their last words as evidence', async () => {
    const lab = labIn()
    const failing = must(lab, 'the tool', tools(lab)`echo one; echo broken pipe dream >&2; exit 4`)
    await expect(failing).rejects.toMatchObject({
      exit: 3,
      troubles: [
        { code: 'LAB_TOOL', message: 'the tool failed with status 4', evidence: [{ line: 'broken pipe dream' }] },
      ],
    })
  })

  it('show their lines as they come', async () => {
    const lab = labIn()
    const lines: string[] = []
    await must(lab, 'the tool', tools(lab)`printf 'a\nb\n'`, (line) => lines.push(line))
    expect(lines).toEqual(['a', 'b'])
  })

  it('are ended by an interruption, which is told as one', async () => {
    const stop = new AbortController()
    const lab = labIn(stop.signal)
    const began = performance.now()
    setTimeout(() => stop.abort(), 100)
    await expect(works(lab, tools(lab)`sleep 300`)).rejects.toMatchObject({
      exit: 130,
      troubles: [{ code: 'INTERRUPTED' }],
    })
    expect(performance.now() - began).toBeLessThan(100_000)
  })
})
