import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Hands } from '../../src/model/ports.ts'
import { Failure } from '../../src/model/trouble.ts'
import { type Lock, type LockOptions, withLock } from '../../src/run/lock.ts'
import { connect } from '../../src/ssh/connect.ts'
import { startProxy, type TcpProxy } from '../helpers/proxy.ts'
import { type Sshd, startSshd } from '../helpers/sshd.ts'

/** The lock over a real sshd that allows one session per connection, with real processes that hold it. */

let sshd: Sshd
let dir: string
let path: string
const open: { close(): unknown }[] = []
beforeAll(async () => {
  sshd = await startSshd(['MaxSessions 1'])
})
afterAll(() => sshd.stop())
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'k8snet-lock-'))
  path = join(dir, 'lock')
})
afterEach(async () => {
  for (const it of open.splice(0)) await it.close()
  rmSync(dir, { recursive: true })
})

const script = readFileSync('templates/lock.sh', 'utf8')

async function leader(port?: number, keepaliveMs = 5000): Promise<Hands> {
  const hands = await connect(sshd.host({ name: 'cp1', ...(port && { port }) }), { keepaliveMs })
  open.push(hands)
  return hands
}

async function proxied(keepaliveMs?: number): Promise<{ hands: Hands; proxy: TcpProxy }> {
  const proxy = await startProxy(sshd.port)
  open.push(proxy)
  return { hands: await leader(proxy.port, keepaliveMs), proxy }
}

const notes: string[] = []
const options = (over: Partial<LockOptions> = {}): LockOptions => ({
  script,
  who: 'ann@desk',
  doing: 'up of lab',
  signal: new AbortController().signal,
  note: (text) => notes.push(text),
  path,
  ...over,
})

/** Holds the lock until it is told to let go. */
async function holding(hands: Hands, over: Partial<LockOptions> = {}) {
  let letGo: () => void = () => undefined
  let lock: Lock | undefined
  const free = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const ended = withLock(hands, options(over), async (it) => {
    lock = it
    await it.held
    await free
    return 'done'
  })
  ended.catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 0))
  await lock!.held
  return { ended, letGo, lock: lock! }
}

const attempt = (hands: Hands, over: Partial<LockOptions> = {}) =>
  withLock(hands, options({ who: 'bob@desk', ...over }), async ({ held }) => {
    await held
    return 'mine'
  })

async function refused(promise: Promise<unknown>) {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Failure)
  const { exit, troubles } = error as Failure
  return { exit, ...troubles[0]! }
}

async function within(ms: number, holds: () => boolean): Promise<number> {
  const began = performance.now()
  while (!holds() && performance.now() - began < ms) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(holds()).toBe(true)
  return performance.now() - began
}

describe('the lock of a cluster', () => {
  it('is for one run: a second one is refused with who, from where, since when, doing what, and its last sign', async () => {
    const { ended, letGo } = await holding(await leader())
    const trouble = await refused(attempt(await leader()))
    expect(trouble).toMatchObject({ exit: 7, code: 'LOCKED', where: 'cp1' })
    expect(trouble.message).toMatch(
      /^ann@desk from 127\.0\.0\.1 is at work on this cluster: up of lab, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(\d s ago\)$/,
    )
    expect(trouble.evidence?.[0]?.line).toMatch(/^its last sign of life came \d s ago$/)
    letGo()
    expect(await ended).toBe('done')
  })

  it('is free for the next one as soon as the work has ended, and leaves nothing on the host', async () => {
    const hands = await leader()
    expect(await attempt(hands)).toBe('mine')
    expect(await attempt(hands)).toBe('mine')
    await within(2000, () => !existsSync(path) && !existsSync(`${path}.beat`))
  })

  it('is released also when the work fails, and the failure is the one that is told', async () => {
    const hands = await leader()
    const failing = withLock(hands, options(), async ({ held }) => {
      await held
      throw new Error('the work failed')
    })
    await expect(failing).rejects.toThrow('the work failed')
    expect(await attempt(hands)).toBe('mine')
  })

  it('is let go of also when the work ends before it was taken', async () => {
    const hands = await leader()
    expect(await withLock(hands, options(), async () => 'early')).toBe('early')
    expect(await attempt(hands)).toBe('mine')
    await within(2000, () => !existsSync(path))
  })

  it('is free at once when the process that holds it is killed', async () => {
    const { letGo } = await holding(await leader())
    letGo()
    // the client's end of a connection, as a process of its own that can be killed: ssh with the same script
    const words = [path, 'feed', 'eve@pad', 'up of lab', '30', ''].map((word) => `'${word}'`).join(' ')
    const client = spawn(
      'ssh',
      [
        ...[
          '-i',
          sshd.key,
          '-p',
          String(sshd.port),
          '-o',
          `UserKnownHostsFile=${sshd.knownHosts}`,
          '-o',
          'BatchMode=yes',
        ],
        ...['-F', '/dev/null', 'root@127.0.0.1', `set -- ${words}; ${script}`],
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    await new Promise((resolve) => client.stdout.once('data', resolve))
    expect((await refused(attempt(await leader()))).message).toContain('eve@pad')
    client.kill('SIGKILL')
    const began = performance.now()
    expect(await attempt(await leader())).toBe('mine')
    expect(performance.now() - began).toBeLessThan(3000)
  })

  it('is taken over from one who gives no sign while its connection still stands, and from nobody sooner', async () => {
    const { hands, proxy } = await proxied(60_000)
    const other = await leader()
    await holding(hands, { beatMs: 100, staleSeconds: 2 })
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect((await refused(attempt(other, { staleSeconds: 2 }))).code).toBe('LOCKED')
    proxy.stall()
    await new Promise((resolve) => setTimeout(resolve, 4000))
    notes.length = 0
    expect(await attempt(other, { staleSeconds: 2 })).toBe('mine')
    expect(notes.join('\n')).toMatch(
      /^cp1: took the lock over from ann@desk \(127\.0\.0\.1\), whose up of lab gave its last sign \d s ago$/,
    )
  })

  it('does not end a process that only has the number of the one that held it', async () => {
    const bystander = spawn('sleep', ['60'])
    const hold = `exec 9<>'${path}'; flock -n 9; printf '%s\\n' old '${bystander.pid} 1 1' old@desk work >'${path}'; echo 1 >'${path}.beat'; sleep 60`
    const holder = spawn('sh', ['-c', hold], { detached: true })
    await within(2000, () => existsSync(`${path}.beat`))
    const trouble = await refused(attempt(await leader()))
    expect(trouble.code).toBe('LOCKED')
    expect(bystander.exitCode).toBeNull()
    expect(bystander.signalCode).toBeNull()
    bystander.kill()
    process.kill(-holder.pid!)
  })

  it('is taken again by the same run when its connection breaks, and nobody notices', async () => {
    const { hands, proxy } = await proxied()
    const { ended, letGo, lock } = await holding(hands)
    const first = readFileSync(path, 'utf8')
    notes.length = 0
    proxy.reset()
    await within(5000, () => notes.length > 0 && readFileSync(path, 'utf8').split('\n')[1] !== first.split('\n')[1])
    expect((await refused(attempt(await leader()))).code).toBe('LOCKED')
    expect(lock.lost.aborted).toBe(false)
    letGo()
    expect(await ended).toBe('done')
    await within(2000, () => !existsSync(path))
  })

  it('that its own half-open connection still holds is no hindrance for the same run', async () => {
    const { hands, proxy } = await proxied(300)
    const { ended, letGo, lock } = await holding(hands)
    const first = readFileSync(path, 'utf8')
    proxy.stall()
    // a way to the host again, while the old connection stays as it is
    await within(5000, () => notes.some((note) => note.includes('broke')))
    proxy.heal()
    await within(10_000, () => readFileSync(path, 'utf8').split('\n')[1] !== first.split('\n')[1])
    expect(lock.lost.aborted).toBe(false)
    letGo()
    expect(await ended).toBe('done')
  })

  it.each([
    ['still has it', true],
    ['has ended again', false],
  ])('that another run took while the connection was broken is lost, also when that one %s', async (_, still) => {
    const { hands, proxy } = await proxied()
    const { ended, lock } = await holding(hands)
    let other: { letGo: () => void } | undefined
    // nobody can come back before the other one was there
    const again = hands.again
    let gate: () => void = () => undefined
    const closed = new Promise<void>((resolve) => {
      gate = resolve
    })
    Object.assign(hands, {
      again: async () => {
        await closed
        return again()
      },
    })
    proxy.reset()
    const theirs = await leader()
    await new Promise((resolve) => setTimeout(resolve, 300))
    if (still) other = await holding(theirs, { who: 'bob@desk', doing: 'down of lab' })
    else expect(await attempt(theirs)).toBe('mine')
    if (!still) await within(2000, () => !existsSync(path))
    gate()
    await within(5000, () => lock.lost.aborted)
    expect((lock.lost.reason as Failure).troubles[0]).toMatchObject({ code: 'LOCK_LOST', where: 'cp1' })
    if (still) expect((lock.lost.reason as Failure).message).toContain('bob@desk from 127.0.0.1: down of lab')
    other?.letGo()
    void ended
  })
})
