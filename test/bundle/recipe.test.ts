import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../src/bundle/child.ts'
import { batches, stagedModules } from '../../src/bundle/go.ts'
import { imageRecipes } from '../../src/bundle/images.ts'
import { findMade, makeNow, type Recipe } from '../../src/bundle/recipe.ts'
import { recipes } from '../../src/bundle/recipes.ts'
import { checkTools } from '../../src/bundle/tools.ts'
import { versions } from '../../src/bundle/versions.ts'
import { wanted } from '../../src/bundle/wanted.ts'
import { temporary, troublesOf } from './fixture.ts'

const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }

const echo = (changes: Partial<Recipe> = {}): Recipe => ({
  name: 'echo',
  outputs: ['said'],
  key: 'hello',
  seconds: 1,
  gigabytes: 0,
  needs: [],
  make: async ({ out, work, ...kitchen }) => {
    const said = await run(['sh', '-c', 'pwd > here; cat here; echo hello'], { ...kitchen, cwd: work })
    await writeFile(join(out, 'said'), said.split('\n')[1] ?? '')
  },
  ...changes,
})

describe('what a recipe makes', () => {
  test('is kept with its hash, and found again', async () => {
    const cache = temporary()
    expect(await findMade(cache, echo())).toBeUndefined()
    const made = await makeNow(cache, echo(), { env })
    expect(await readFile(join(made.dir, 'said'), 'utf8')).toBe('hello')
    expect(await findMade(cache, echo())).toEqual(made)
  })

  test('is not found for another key', async () => {
    const cache = temporary()
    await makeNow(cache, echo(), { env })
    expect(await findMade(cache, echo({ key: 'good day' }))).toBeUndefined()
  })

  test('is made anew when it was damaged', async () => {
    const cache = temporary()
    const { dir } = await makeNow(cache, echo(), { env })
    await writeFile(join(dir, 'said'), 'hullo')
    expect(await findMade(cache, echo())).toBeUndefined()
    await makeNow(cache, echo(), { env })
    expect(await readFile(join(dir, 'said'), 'utf8')).toBe('hello')
  })

  test('leaves nothing behind when it fails, and the failure says what the tool said', async () => {
    const cache = temporary()
    const bad = echo({
      make: async (kitchen) => {
        await writeFile(join(kitchen.out, 'said'), 'half')
        await run(['sh', '-c', 'echo no such module >&2; exit 3'], kitchen)
      },
    })
    expect(await troublesOf(makeNow(cache, bad, { env }))).toMatchObject([
      { code: 'BUNDLE_FETCH', message: 'sh ended with status 3', evidence: [{ line: 'no such module' }] },
    ])
    expect(await readdir(join(cache, 'made'))).toEqual([])
  })

  test('leaves nothing behind when it is interrupted, and the tool and its helpers have ended by then', async () => {
    const cache = temporary()
    const stop = new AbortController()
    let ended = false
    let ready = 0
    const slow = echo({
      make: async (kitchen) => {
        const ends = (name: string) => `trap 'echo ended > ${join(cache, name)}; exit 1' TERM; echo ready >&2`
        const helper = `(${ends('helper')}; while :; do sleep 0.1; done) &`
        const tool = `${helper} ${ends('tool')}; while :; do sleep 0.1; done`
        await run(['sh', '-c', tool], { ...kitchen, onLine: () => ++ready === 2 && stop.abort() }).finally(() => {
          ended = true
        })
      },
    })
    expect(await troublesOf(makeNow(cache, slow, { env, signal: stop.signal }))).toMatchObject([
      { code: 'INTERRUPTED' },
    ])
    expect(ended).toBe(true)
    for (const name of ['helper', 'tool']) expect(await readFile(join(cache, name), 'utf8')).toBe('ended\n')
    expect(await readdir(join(cache, 'made'))).toEqual([])
  })
})

describe('the recipes', () => {
  test('make everything that a bundle from source wants', async () => {
    for (const kubernetes of Object.keys(versions)) {
      const made = (await recipes(kubernetes, 'amd64', '1.26.8')).flatMap(({ outputs }) => outputs)
      expect(made.length).toBe(new Set(made).size)
      for (const { kind, name } of wanted(kubernetes, 'source')) {
        if (kind !== 'image') expect(made).toContain(name)
        else {
          const recipe = imageRecipes[/([^/]+):[^:]+$/.exec(name)![1]!]
          expect(recipe, name).toBeDefined()
          expect(made).toContain(recipe!.program)
        }
      }
    }
  })

  test('have another key for another architecture, Go or version', async () => {
    const key = async (...args: Parameters<typeof recipes>) =>
      JSON.stringify((await recipes(...args)).find(({ name }) => name === 'etcd')!.key)
    const plain = await key('1.37.1', 'amd64', '1.26.8')
    expect(await key('1.37.1', 'amd64', '1.26.8')).toBe(plain)
    expect(await key('1.37.1', 'arm64', '1.26.8')).not.toBe(plain)
    expect(await key('1.37.1', 'amd64', '1.27.0')).not.toBe(plain)
  })

  test('build programs named like their package together', () => {
    expect(batches({ a: 'x/cmd/a', b: 'x/cmd/b', etcd: 'go.etcd.io/etcd/server/v3' })).toEqual([
      ['', ['x/cmd/a', 'x/cmd/b']],
      ['etcd', ['go.etcd.io/etcd/server/v3']],
    ])
  })

  test('read the staged modules of Kubernetes from its own go.mod', () => {
    const goMod = [
      'module k8s.io/kubernetes',
      'require k8s.io/api v0.0.0',
      'replace (',
      '\tk8s.io/api => ./staging/src/k8s.io/api',
      '\tk8s.io/client-go => ./staging/src/k8s.io/client-go',
      '\texample.com/pinned => example.com/pinned v1.2.3',
      ')',
      'replace k8s.io/streaming => ./staging/src/k8s.io/streaming',
    ].join('\n')
    expect(stagedModules(goMod)).toEqual(['k8s.io/api', 'k8s.io/client-go', 'k8s.io/streaming'])
  })
})

describe('before building', () => {
  test('every missing tool and too little disk are named at once, with what brings them', async () => {
    const todo = [
      echo({ needs: ['go', 'gcc'] }),
      echo({ needs: ['libseccomp', 'mmdebstrap'], gigabytes: 1_000_000_000 }),
    ]
    const troubles = await troublesOf(checkTools(todo, join(temporary(), 'not/yet'), { env: { PATH: temporary() } }))
    expect(troubles.map(({ code }) => code)).toEqual(Array(5).fill('BUNDLE_TOOLS'))
    expect(troubles.map(({ fix }) => fix).join('\n')).toMatch(/Go 1\.26.*gcc.*libseccomp-dev.*mmdebstrap.*make room/s)
  })

  test('nothing is asked of a machine that has nothing to build', async () => {
    await expect(checkTools([], temporary(), { env: { PATH: '/nowhere' } })).resolves.toBeUndefined()
  })

  test('a Go that is too old is refused by its version', async () => {
    const bin = temporary()
    await writeFile(join(bin, 'go'), '#!/bin/sh\necho go1.24.4\n', { mode: 0o755 })
    const troubles = await troublesOf(checkTools([echo({ needs: ['go'] })], temporary(), { env: { PATH: bin } }))
    expect(troubles[0]).toMatchObject({ code: 'BUNDLE_TOOLS', message: expect.stringMatching(/1\.26\.3.*1\.24\.4/) })
  })
})
