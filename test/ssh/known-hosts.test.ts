import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { knownName, linesFor, parseKnownHosts } from '../../src/ssh/known-hosts.ts'

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'
const matches = (names: string, name: string) => linesFor(parseKnownHosts(`${names} ${key}`), name).length > 0

test.each([
  ['github.com', 22, 'github.com'],
  ['GitHub.com', 22, 'github.com'],
  ['10.0.0.1', 2222, '[10.0.0.1]:2222'],
  ['fd00::1', 22, 'fd00::1'],
  ['fd00::1', 2200, '[fd00::1]:2200'],
])('the host %s on port %i is written %s', (address, port, name) => {
  expect(knownName(address, port)).toBe(name)
})

test.each([
  ['a.example', 'a.example', true],
  ['A.Example', 'a.example', true],
  ['a.example', 'b.example', false],
  ['b.example,a.example', 'a.example', true],
  ['*.example', 'a.example', true],
  ['*.example', 'example', false],
  ['?.example', 'ab.example', false],
  ['*.example,!a.example', 'a.example', false],
  ['!a.example,*.example', 'a.example', false],
  ['!a.example', 'b.example', false],
  ['a.exampl', 'a.example', false],
  ['', 'a.example', false],
  ['|1|AAAA', 'a.example', false],
  ['|1|c2FsdA==|AAAA', 'a.example', false],
])('names %j hold %j: %s', (names, name, expected) => {
  expect(matches(names, name)).toBe(expected)
})

test.each([
  ['another type than the key’s own', `a ssh-rsa ${key.split(' ')[1]}`],
  ['no key', 'a ssh-ed25519'],
  ['a key cut short', 'a ssh-ed25519 AAAAC3Nz'],
  ['an unknown marker', `@trusted a ${key}`],
  ['a comment', `#a ${key}`],
])('a line with %s is no entry', (_, line) => {
  expect(parseKnownHosts(line)).toEqual([])
})

test('globs agree with regular expressions', () => {
  const word = fc.array(fc.constantFrom('a', 'b', '.', '[', ']', ':'), { maxLength: 8 }).map((p) => p.join(''))
  const pattern = fc
    .array(fc.constantFrom('a', 'b', '.', '[', ']', ':', '*', '?'), { minLength: 1, maxLength: 8 })
    .map((p) => p.join(''))
  fc.assert(
    fc.property(pattern, word, (glob, name) => {
      const regex = new RegExp(
        `^${glob
          .replace(/[.[\]]/g, '\\$&')
          .replaceAll('*', '.*')
          .replaceAll('?', '.')}$`,
      )
      expect(matches(glob, name)).toBe(regex.test(name))
    }),
    { numRuns: 2000 },
  )
})

test('a file of anything never throws, and trusts nothing', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(linesFor(parseKnownHosts(text), 'a.example')).toEqual([])
    }),
  )
})

test('ssh-keygen -F finds the same lines', () => {
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-known-'))
  const file = join(dir, 'known')
  const label = fc.constantFrom('a', 'b', 'ab', 'a.b', 'b.ab', 'A', '10.0.0.1', 'fd00::1')
  const port = fc.constantFrom('', ':22', ':2222')
  const place = fc.tuple(label, port).map(([it, port]) => (port === '' ? it : `[${it}]${port}`))
  const glob = fc.oneof(place, fc.constantFrom('*', '?', 'a*', '*b', '*.b', '[*]:2222', '[a?]:*', '?.?'))
  const pattern = fc.tuple(fc.boolean(), glob).map(([not, it]) => (not ? `!${it}` : it))
  const names = fc.array(pattern, { minLength: 1, maxLength: 4 }).map((it) => it.join(','))
  const hashed = fc.tuple(place, fc.integer({ min: 1, max: 200 })).map(([it, n]) => {
    const salt = Buffer.alloc(20, n)
    const digest = createHmac('sha1', salt).update(it.toLowerCase()).digest('base64')
    return `|1|${salt.toString('base64')}|${digest}`
  })
  const marker = fc.constantFrom('', '', '', '@revoked ', '@cert-authority ', '@other ')
  const entry = fc.tuple(marker, fc.oneof(names, hashed)).map(([it, names]) => `${it}${names} ${key}`)
  const line = fc.oneof(
    { weight: 6, arbitrary: entry },
    fc.constantFrom('', '# a', 'nonsense', `  a ${key}`, `a ${key} a comment`),
  )
  const found = (name: string) => {
    const { stdout } = spawnSync('ssh-keygen', ['-F', name, '-f', file], { encoding: 'utf8' })
    return [...stdout.matchAll(/found: line (\d+)/g)].map((it) => Number(it[1]))
  }
  try {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), label, fc.constantFrom(22, 2222), (lines, address, port) => {
        writeFileSync(file, `${lines.join('\n')}\n`)
        const name = knownName(address, port)
        const ours = linesFor(parseKnownHosts(lines.join('\n')), name).map((it) => it.line)
        expect([name, lines, ours]).toEqual([name, lines, found(name)])
      }),
      { numRuns: 150 },
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
