import { describe, expect, it } from 'vitest'
import { inTurns, turns } from '../../src/model/turns.ts'

const busy = (ms: number) => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('much quick work', () => {
  it('lets timers have their turn in between, and keeps its order', async () => {
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 1)
    const done = await inTurns([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], (n) => {
      busy(8)
      return n * n
    })
    clearInterval(timer)
    expect(done).toEqual([1, 4, 9, 16, 25, 36, 49, 64, 81, 100])
    expect(ticks).toBeGreaterThanOrEqual(3)
  })

  it('does so also where it is done by many at the same time', async () => {
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 1)
    const turn = turns()
    await Promise.all(Array.from({ length: 10 }, () => turn().then(() => busy(8))))
    clearInterval(timer)
    expect(ticks).toBeGreaterThanOrEqual(3)
  })
})
