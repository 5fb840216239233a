import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { frame, framed, lines, oneLine } from '../../src/ssh/frame.ts'

const nonce = '0123456789abcdef01234567'
const bytes = fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b))

test('a frame gives back what stood between its marks, however it was cut and whatever stood around', () => {
  fc.assert(
    fc.property(
      bytes,
      bytes,
      bytes,
      fc.integer({ min: 0, max: 255 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (junk, body, after, status, cuts) => {
        const wire = Buffer.concat([
          junk,
          Buffer.from(`${nonce}<\n`),
          body,
          Buffer.from(`${nonce}> ${status}\n`),
          after,
        ])
        const passed: Buffer[] = []
        const it = frame(nonce, (chunk) => passed.push(Buffer.from(chunk)))
        for (let at = 0, i = 0; at < wire.length; i++) {
          const size = cuts[i % cuts.length]!
          it.feed(wire.subarray(at, at + size))
          at += size
        }
        expect([it.state, it.status]).toEqual(['ended', status])
        expect(it.bytes().equals(body)).toBe(true)
        expect(Buffer.concat(passed).equals(body)).toBe(true)
      },
    ),
  )
})

test('a frame that was cut anywhere before its end is not ended', () => {
  const wire = Buffer.from(`junk${nonce}<\nbody${nonce}> 0\n`)
  for (let n = 0; n < wire.length; n++) {
    const it = frame(nonce)
    it.feed(wire.subarray(0, n))
    expect(it.state).not.toBe('ended')
  }
})

describe.each(['dash', 'bash', 'busybox sh'])('in %s', (shell) => {
  const [command = '', ...args] = shell.split(' ')
  const run = (more: string[], input: string) => {
    const done = spawnSync(command, [...args, ...more], { input })
    const out = frame(nonce)
    const err = frame(nonce)
    out.feed(done.stdout)
    err.feed(done.stderr)
    return [out.state, out.bytes().toString(), err.bytes().toString(), out.status]
  }

  test('a script over stdin is framed', () => {
    expect(run(['-s'], framed('echo a; cat; echo b >&2; exit 3', nonce, 'null'))).toEqual(['ended', 'a\n', 'b\n', 3])
  })

  test('a script in one line is framed, keeps every character, and leaves the data to itself', () => {
    const hard = String.raw`it's \n \\ \0 "x" $HOME %b %s !1`
    const script = `cat; printf '%s' '${hard.replaceAll("'", "'\\''")}'\nexit 5`
    const input = oneLine(framed(script, nonce, 'data'))
    expect(input.indexOf('\n')).toBe(input.length - 1)
    expect(run(['-c', 'IFS= read -r s; eval "$(printf %b "$s")"'], `${input}data\\n\nmore`)).toEqual([
      'ended',
      `data\\n\nmore${hard}`,
      '',
      5,
    ])
  })
})

test('lines come whole, also where a character is cut in two', () => {
  const text = Buffer.from('grüße\n网络\n\nlast')
  for (let cut = 0; cut <= text.length; cut++) {
    const seen: string[] = []
    const it = lines((line) => seen.push(line))
    it.feed(text.subarray(0, cut))
    it.feed(text.subarray(cut))
    it.end()
    expect(seen).toEqual(['grüße', '网络', '', 'last'])
  }
})
