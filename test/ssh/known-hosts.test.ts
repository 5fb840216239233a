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
