import { describe, expect, it } from 'vitest'
import { choosePairs } from '../../src/verify/pairs.ts'
import { planCases } from '../../src/verify/plan.ts'
import { sceneOf } from './scene.ts'

const names = (n: number) => Array.from({ length: n }, (_, i) => `node-${i}`)
const all = (list: readonly string[]) => list.flatMap((from) => list.map((to) => [from, to] as const))

describe('the pairs that are tried', () => {
  it.each([1, 2, 50])('of %i nodes are all', (n) => {
    const { pairs, of, has } = choosePairs(names(n))
    expect([pairs, of]).toEqual([n * n, n * n])
    expect(all(names(n)).every(([from, to]) => has(from, to))).toBe(true)
  })

  it('of 60 nodes are those of a ring: each tries itself and eight others, and eight others try it', () => {
    const list = names(60)
    const { pairs, of, has } = choosePairs(list)
    expect([pairs, of]).toEqual([60 * 9, 3600])
    for (const name of list) {
      expect(has(name, name)).toBe(true)
      expect(list.filter((to) => has(name, to))).toHaveLength(9)
      expect(list.filter((from) => has(from, name))).toHaveLength(9)
    }
  })

  it('join all nodes: from one of them every other is reached', () => {
    const list = names(60)
    const { has } = choosePairs(list)
    const reached = new Set([list[0] as string])
    for (const from of reached) for (const to of list) if (has(from, to)) reached.add(to)
    expect(reached.size).toBe(60)
  })

  it('are the same in every run and in any order, and mostly stay when a node is added', () => {
    const list = names(60)
    const chosen = (of: readonly string[]) => {
      const { has } = choosePairs(of)
      return all(list)
        .filter(([from, to]) => has(from, to))
        .join(' ')
    }
    expect(chosen([...list].reverse())).toBe(chosen(list))
    const few = names(60).slice(0, 12)
    const before = choosePairs(list)
    const after = choosePairs([...list, 'new'])
    const changed = all(few).filter(([from, to]) => before.has(from, to) !== after.has(from, to))
    expect(changed.length).toBeLessThan(10)
  })

  it('have the suspicious ones with them, both ways, and nothing that is not in the inventory', () => {
    const list = names(60)
    const plain = choosePairs(list)
    const [from, to] = all(list).find(([a, b]) => !plain.has(a, b) && !plain.has(b, a))!
    const more = choosePairs(list, [
      [from, to],
      ['nowhere', from],
    ])
    expect(more.has(from, to) && more.has(to, from)).toBe(true)
    expect(more.pairs).toBe(plain.pairs + 2)
    expect(more.has('nowhere', from)).toBe(false)
  })

  it('bound the number of checks: 60 nodes have fewer than 50 of them would', () => {
    const scene = (n: number) => {
      const it = sceneOf(n)
      return { ...it, pairs: choosePairs(it.inventory.hosts.map(({ name }) => name)) }
    }
    const pairsOf = (n: number) => planCases(scene(n)).filter(({ scenario }) => scenario === 'pod-to-pod').length
    expect(pairsOf(60)).toBe(3 * 60 * 9)
    expect(pairsOf(50)).toBe(3 * 50 * 50)
    const service = planCases(scene(60)).find(({ id }) => id === 'pod-to-service/w1/probe/tcp')
    expect(service?.probes[0]?.arg).toBe(50)
  })
})
