import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { limitOf, parseDuration } from '../../src/commands/limit.ts'
import { exits, Failure } from '../../src/model/trouble.ts'
import { temporary } from '../bundle/fixture.ts'
import { k8snet } from '../helpers/cli.ts'
import { makeKey } from '../helpers/sshd.ts'

describe('a duration', () => {
  it.each([
    ['30s', 30_000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['250ms', 250],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

  it.each(['', '30', '5x', '-1s', '0s', '1d', 's', '10m junk', '9999h'])('%j is refused', (text) =>
    expect(() => parseDuration(text)).toThrow(/30s/),
  )
})

describe('a time limit', () => {
  /** The failure that the command is stopped with, after these events. */
  async function late(tell: (limit: ReturnType<typeof limitOf>, at: (ms: number) => void) => void): Promise<Failure> {
    let now = 0
    let stopped: Failure | undefined
    const limit = limitOf(
      (failure) => {
        stopped = failure
      },
      () => now,
    )
    tell(limit, (ms) => {
      now = ms
    })
    expect(limit.late).toBeUndefined()
    limit.start(5)
    await vi.waitFor(() => expect(stopped).toBeDefined(), { timeout: 20_000 })
    expect(stopped).toBe(limit.late)
    return stopped!
  }

  it('that runs out in a stage names the stage, the hosts, and what they were at', async () => {
    const { troubles, exit } = await late((limit, at) => {
      limit.phase('connect')
      limit.event({ type: 'begin', stage: 'init', host: 'cp1', actions: 3 })
      limit.event({ type: 'begin', stage: 'images', host: 'w1', actions: 1 })
      limit.event({ type: 'begin', stage: 'images', host: 'w2', actions: 1 })
      limit.event({ type: 'end', stage: 'images', host: 'w2', ms: 10, outcome: 'changed' })
      limit.event({ type: 'action', stage: 'init', host: 'cp1', step: 'kubeadm-init', summary: 'kubeadm init' })
      at(4000)
    })
    expect(exit).toBe(exits.someHosts)
    expect(troubles).toMatchObject([
      {
        code: 'TIMEOUT',
        message: 'the 5 ms of --timeout ran out during the stage init',
        where: 'cp1 and 1 more',
        evidence: [
          { source: 'cp1', line: 'init, kubeadm init: under way for 4.0 s' },
          { source: 'w1', line: 'images: under way for 4.0 s' },
        ],
      },
    ])
    expect(troubles[0]?.fix).toBeTruthy()
  })

  it('that runs out in between names the phase', async () => {
    const { troubles } = await late((limit) => limit.phase('check'))
    expect(troubles[0]?.message).toContain('the preflight checks')
  })

  it('leaves an error alone as long as there is time', () => {
    const limit = limitOf(
      () => undefined,
      () => 0,
    )
    const error = new Failure(exits.someHosts, { code: 'ACTION_FAILED', message: 'm' })
    expect(limit.instead(error)).toBe(error)
  })
})

describe('--timeout', () => {
  const dir = temporary()
  const file = join(dir, 'inventory.yaml')
  /** Takes connections and never says a word. */
  const silent = createServer(() => undefined)
  beforeAll(async () => {
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const host = {
      address: '127.0.0.1',
      nodeIP: '10.1.0.1',
      port: (silent.address() as AddressInfo).port,
      key: join(dir, 'id'),
    }
    writeFileSync(
      file,
      JSON.stringify({
        cluster: { kubernetes: '1.37.1' },
        source: { bundle: dir },
        hosts: {
          cp1: { ...host, role: 'control-plane', user: 'root', become: 'none', hostKey: `SHA256:${'A'.repeat(43)}` },
        },
      }),
    )
    makeKey(join(dir, 'id'), 'ed25519')
  })
  afterAll(() => void silent.close())

  it('ends a command on a host that is silent, with TIMEOUT and exit 3, and says which host it waited for', async () => {
    const ended = await k8snet(['kubeconfig', file, '--timeout', '3s'])
    expect(ended.code, ended.err).toBe(3)
    expect(ended.err).toMatch(/^TIMEOUT: the 3\.0 s of --timeout ran out during connecting to the hosts \(cp1\)/)
    expect(ended.ms).toBeLessThan(60_000)
  })

  it('that is no time is refused with exit 2', async () => {
    const ended = await k8snet(['kubeconfig', file, '--timeout', 'soon'])
    expect(ended.code).toBe(2)
    expect(ended.err).toContain('--timeout')
  })
})
