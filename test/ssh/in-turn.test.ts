import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { inTurn } from '../../src/ssh/in-turn.ts'

/** Keeps everything else waiting. */
function compute(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('many streams with something to read at the same time leave room for everything else', async () => {
  const streams = Array.from({ length: 40 }, () => inTurn(new PassThrough()))
  let heard = 0
  let between = 0
  const all = streams.map(
    (stream) =>
      new Promise<void>((resolve) => {
        stream.on('data', () => {
          compute(5)
          heard += 1
          resolve()
        })
      }),
  )
  const count = () => {
    if (heard > 0) between += 1
    if (heard < streams.length) setImmediate(count)
  }
  count()
  for (const stream of streams) stream.write('x')
  await Promise.all(all)
  // 200 ms of work, of which 10 ms or little more may be done in one go
  expect(between).toBeGreaterThan(10)
})

test('all that came is heard in its order, and the end after it', async () => {
  const stream = inTurn(new PassThrough())
  const heard: string[] = []
  stream.on('data', (data: Buffer) => heard.push(data.toString()))
  const end = new Promise((resolve) => {
    stream.on('end', resolve)
  })
  stream.write('a')
  await new Promise(setImmediate)
  stream.write('b')
  stream.end('c')
  await end
  expect(heard.join('')).toBe('abc')
})

test('what comes before somebody listens is kept for who does', async () => {
  const stream = inTurn(new PassThrough())
  stream.write('SSH-2.0-')
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  stream.write('server')
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  const heard: string[] = []
  stream.on('data', (data: Buffer) => heard.push(data.toString()))
  const end = new Promise((resolve) => {
    stream.on('end', resolve)
  })
  stream.end('\n')
  await end
  expect(heard.join('')).toBe('SSH-2.0-server\n')
})
