import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Hands } from '../../src/model/ports.ts'
import { endpointGone } from '../../src/verify/endpoint-gone.ts'
import { planCases } from '../../src/verify/plan.ts'
import { fullSceneOf, namespace } from './scene.ts'

const cases = planCases(fullSceneOf(3))
const ids = cases.filter(({ scenario }) => scenario === 'udp-endpoint-gone').flatMap(({ probes }) => probes[0]!.id)

function begun() {
  let deleted = 0
  const change = async () => {
    deleted += 1
    return { out: '', err: '', code: 0 }
  }
  const going = endpointGone({ change } as unknown as Hands, namespace, 'cp1', cases)
  let over = false
  going.done.then(() => {
    over = true
  })
  return { ...going, seen: () => ({ deleted, over }) }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('the endpoint that goes', () => {
  it('goes at once when all clients are under way, and once', async () => {
    const it = begun()
    for (const id of ids.slice(1)) it.started(id)
    await vi.advanceTimersByTimeAsync(100)
    expect(it.seen()).toEqual({ deleted: 0, over: false })
    it.started(ids[0]!)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(it.seen()).toEqual({ deleted: 1, over: true })
  })

  it('waits for a first client that a busy host starts late, and not much longer for the others', async () => {
    const it = begun()
    await vi.advanceTimersByTimeAsync(8000)
    expect(it.seen()).toEqual({ deleted: 0, over: false })
    it.started(ids[0]!)
    await vi.advanceTimersByTimeAsync(2000)
    expect(it.seen()).toEqual({ deleted: 0, over: false })
    await vi.advanceTimersByTimeAsync(2000)
    expect(it.seen()).toEqual({ deleted: 1, over: true })
  })

  it('stays where no client is under way, and holds up nobody for long', async () => {
    const it = begun()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(it.seen()).toEqual({ deleted: 0, over: true })
    const stopped = begun()
    stopped.stop()
    await vi.advanceTimersByTimeAsync(0)
    expect(stopped.seen()).toEqual({ deleted: 0, over: true })
  })
})
