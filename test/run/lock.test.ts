import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Hands } from '../../src/model/ports.ts'
import { Failure } from '../../src/model/trouble.ts'
import { type Lock, type LockOptions, withLock } from '../../src/run/lock.ts'
import { connect } from '../../src/ssh/connect.ts'
import { stopClock } from '../helpers/clock.ts'
import { startProxy, type TcpProxy } from '../helpers/proxy.ts'
import { type Sshd, startSshd } from '../helpers/sshd.ts'

/** The lock over a real sshd that allows one session per connection, with real processes that hold it. It is a host of its own as far as mounts go. */

let sshd: Sshd
let dir: string
let path: string
const open: { close(): unknown }[] = []
beforeAll(async () => {
  sshd = await startSshd(['MaxSessions 1'], ['unshare', '--mount'])
})
afterAll(() => sshd.stop())
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'k8snet-lock-'))
  notes.length = 0
  path = join(dir, 'lock')
})
afterEach(async () => {
  for (const it of open.splice(0)) await it.close()
  rmSync(dir, { recursive: true, maxRetries: 10 })
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

/** The same, tried again while the host does not yet know that the one who had it is gone; not because no sign of life came. */
async function soon(hands: Hands): Promise<string> {
  const until = performance.now() + 20_000
  for (;;) {
    try {
      const got = await attempt(hands)
      expect(notes.filter((note) => note.includes('took the lock over'))).toEqual([])
      return got
    } catch (error) {
      if (!isLocked(error) || performance.now() > until) throw error
    }
  }
}
const isLocked = (error: unknown) => error instanceof Failure && error.troubles[0]!.code === 'LOCKED'

async function refused(promise: Promise<unknown>) {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Failure)
  const { exit, troubles } = error as Failure
  return { exit, ...troubles[0]! }
}

/** Waits until something is so. */
const until = (holds: () => boolean) => vi.waitFor(() => expect(holds()).toBe(true), { timeout: 30_000, interval: 20 })
/** Nobody holds the lock any more, whatever its file says. */
const isFree = () => spawnSync('flock', ['-n', path, 'true']).status === 0
/** The process that has the lock. */
const holder = () => readFileSync(path, 'utf8').split('\n')[1]

describe('the lock of a cluster', () => {
  it('is for one run: a second one is refused with who, from where, since when, doing what, and its last sign', async () => {
    const { ended, letGo } = await holding(await leader())
    const trouble = await refused(attempt(await leader()))
    expect(trouble).toMatchObject({ exit: 7, code: 'LOCKED', where: 'cp1' })
    expect(trouble.message).toMatch(
      /^ann@desk from 127\.0\.0\.1 is at work on this cluster: up of lab, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(.+ ago\)$/,
    )
    expect(trouble.evidence?.[0]?.line).toMatch(/^its last sign of life came .+ ago$/)
    letGo()
    expect(await ended).toBe('done')
  })

  it('is free for the next one as soon as the work has ended, and leaves nothing on the host', async () => {
    const hands = await leader()
    expect(await attempt(hands)).toBe('mine')
    expect(await soon(hands)).toBe('mine')
    await until(() => !existsSync(path) && !existsSync(`${path}.beat`))
  })

  it('is released also when the work fails, and the failure is the one that is told', async () => {
    const hands = await leader()
    const failing = withLock(hands, options(), async ({ held }) => {
      await held
      throw new Error('the work failed')
    })
    await expect(failing).rejects.toThrow('the work failed')
    expect(await soon(hands)).toBe('mine')
  })

  it('is let go of also when the work ends before it was taken', async () => {
    const hands = await leader()
    expect(await withLock(hands, options(), async () => 'early')).toBe('early')
    expect(await soon(hands)).toBe('mine')
    await until(() => !existsSync(path))
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
    expect(await soon(await leader())).toBe('mine')
  })

  it('is taken over from one who gives no sign while its connection still stands, and from nobody sooner', async () => {
    const { hands, proxy } = await proxied(60_000)
    const other = await leader()
    const clock = await stopClock(other, join(dir, 'uptime'))
    try {
      await holding(hands, { beatMs: 100, staleSeconds: 2 })
      clock.setOn()
      // its next sign of life is one of now
      await until(() => readFileSync(`${path}.beat`, 'utf8') === '2000\n')
      expect((await refused(attempt(other, { staleSeconds: 2 }))).code).toBe('LOCKED')
      proxy.stall()
      // signs that were on their way to the host may still come
      const gone = () => {
        clock.setOn()
        return attempt(other, { staleSeconds: 2 })
      }
      let got: string | undefined
      while (got === undefined)
        got = await gone().catch((error: unknown) => {
          if (!isLocked(error)) throw error
          return undefined
        })
      expect(got).toBe('mine')
      expect(notes.join('\n')).toMatch(
        /^cp1: took the lock over from ann@desk \(127\.0\.0\.1\), whose up of lab gave its last sign .+ ago$/,
      )
    } finally {
      await clock.goOn()
    }
  })

  it('does not end a process that only has the number of the one that held it', async () => {
    const bystander = spawn('sleep', ['600'])
    open.push({ close: () => bystander.kill() })
    const hold = `exec 9<>'${path}'; flock -n 9; printf '%s\\n' old '${bystander.pid} 1 1' old@desk work >'${path}'; echo 1 >'${path}.beat'; sleep 600`
    const other = spawn('sh', ['-c', hold], { detached: true })
    open.push({ close: () => process.kill(-other.pid!) })
    await until(() => existsSync(`${path}.beat`))
    const trouble = await refused(attempt(await leader()))
    expect(trouble.code).toBe('LOCKED')
    expect(bystander.exitCode).toBeNull()
    expect(bystander.signalCode).toBeNull()
  })

  it('is taken again by the same run when its connection breaks, and nobody notices', async () => {
    const { hands, proxy } = await proxied()
    const { ended, letGo, lock } = await holding(hands)
    const first = holder()
    proxy.reset()
    await until(() => notes.length > 0 && holder() !== first)
    expect((await refused(attempt(await leader()))).code).toBe('LOCKED')
    expect(lock.lost.aborted).toBe(false)
    letGo()
    expect(await ended).toBe('done')
    await until(() => !existsSync(path))
  })

  it('that its own half-open connection still holds is no hindrance for the same run', async () => {
    const { hands, proxy } = await proxied(300)
    const { ended, letGo, lock } = await holding(hands)
    const first = holder()
    // the old connection stays as it is, and there is a way to the host again
    proxy.stall()
    proxy.heal()
    await until(() => notes.some((note) => note.includes('broke')))
    await until(() => holder() !== first)
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
    await until(isFree)
    if (still) other = await holding(theirs, { who: 'bob@desk', doing: 'down of lab' })
    else expect(await attempt(theirs)).toBe('mine')
    if (!still) await until(() => !existsSync(path))
    gate()
    await until(() => lock.lost.aborted)
    expect((lock.lost.reason as Failure).troubles[0]).toMatchObject({ code: 'LOCK_LOST', where: 'cp1' })
    if (still) expect((lock.lost.reason as Failure).message).toContain('bob@desk from 127.0.0.1: down of lab')
    other?.letGo()
    void ended
  })
})
