import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inOnePiece } from '../../src/ssh/greeting.ts'

/** What a listener is handed, one entry for each time, when these pieces come. */
function heard(pieces: readonly Buffer[]): string[] {
  const stream = inOnePiece(new PassThrough())
  const all: string[] = []
  stream.on('data', (data: Buffer) => all.push(data.toString('latin1')))
  for (const piece of pieces) stream.emit('data', piece)
  return all
}

const cutAt = (text: string, places: readonly number[]) =>
  [0, ...places].map((from, i, all) => Buffer.from(text.slice(from, all[i + 1]), 'latin1'))

test('a greeting cut anywhere comes as one piece, and nothing of what follows is lost', () => {
  const greeting = 'welcome\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'
  const all = `${greeting}\0\0\x05\xdc then packets`
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(all.length), { maxLength: 40 }), (places) => {
      const seen = heard(
        cutAt(
          all,
          [...places].sort((a, b) => a - b),
        ),
      )
      expect(seen.join('')).toBe(all)
      expect(seen[0]!.length).toBeGreaterThanOrEqual(greeting.length)
    }),
  )
})

test('what never becomes a greeting is handed on after 16 KiB', () => {
  expect(heard(Array.from({ length: 17 }, () => Buffer.alloc(1024, 'x'))).map((it) => it.length)).toEqual([16384, 1024])
})

test('only the first listener gets it so', () => {
  const stream = inOnePiece(new PassThrough())
  const later: string[] = []
  stream.on('close', () => {})
  stream.on('data', () => {})
  stream.on('data', (data: Buffer) => later.push(data.toString()))
  stream.emit('data', Buffer.from('SSH'))
  expect(later).toEqual(['SSH'])
})
