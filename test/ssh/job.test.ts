import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Hands } from '../../src/model/ports.ts'
import { connect } from '../../src/ssh/connect.ts'
import { type Apart, processes, startApart } from '../helpers/apart.ts'
import { gate, openGates } from '../helpers/gate.ts'
import { startProxy } from '../helpers/proxy.ts'
import { addUser } from '../helpers/sshd.ts'

let host: Apart
let hands: Hands
beforeAll(async () => {
  host = await startApart()
  hands = await connect(host.host())
})
afterAll(async () => {
  hands?.close()
  await host?.stop()
})
afterEach(openGates)
/** Another host, for one test. */
const startOther = async (...options: Parameters<typeof startApart>) => {
  const other = await startApart(...options)
  onTestFinished(() => other.stop())
  return other
}
const patience = { timeout: 60_000, interval: 20 }
const gone = () => vi.waitFor(() => expect(host.left()).toEqual([]), patience)
/** Has any process of this machine a file open whose path ends so? */
const isOpen = (path: string) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      const names = orElse([], () => readdirSync(`/proc/${pid}/fd`))
      return names.some((fd) => orElse('', () => readlinkSync(`/proc/${pid}/fd/${fd}`)).endsWith(path))
    })
/** A process, or what it had open, may be gone by now. */
function orElse<T>(other: T, look: () => T): T {
  try {
    return look()
  } catch {
    return other
  }
}

describe('a run', () => {
  test.each([
    ['prints nothing and is well', 'true', { out: '', err: '', code: 0 }],
    [
      'has its output, that of both streams, and its status',
      "printf 'a\\nb'; echo oops >&2; exit 7",
      { out: 'a\nboops\n', err: '', code: 7 },
    ],
    ['is nothing at all', '', { out: '', err: '', code: 0 }],
    ['ends in a comment', 'echo x # and so on', { out: 'x\n', err: '', code: 0 }],
    ['stops at set -e', 'set -e; false; echo never', { out: '', err: '', code: 1 }],
    ['reads stdin', 'cat; echo still here', { out: 'still here\n', err: '', code: 0 }],
    ['speaks UTF-8', "printf 'grüße 网络'", { out: 'grüße 网络', err: '', code: 0 }],
    ['is no shell', 'echo a; if', { out: expect.stringContaining('yntax error'), err: '', code: 2 }],
  ])('that %s comes back as it was', async (_, script, reply) => {
    expect(await hands.run(script)).toEqual(reply)
    await gone()
  })

  test('has the environment that a change has', async () => {
    const script = 'env | grep -v -e ^SSH_ -e ^_= -e ^PWD= -e ^OLDPWD= -e ^SHLVL= | sort; umask; pwd; id -u'
    expect((await hands.run(script)).out).toBe((await hands.change(script)).out)
  })

  test('with 10 MB of output, in lines of every length, comes back whole', async () => {
    const script = 'head -c 6000000 /dev/zero | tr "\\0" x; echo; seq 1 400000; seq 1 100000 >&2'
    let seen = 0
    const reply = await hands.run(script, { onLine: () => seen++ })
    expect(reply.out.length).toBeGreaterThan(9_000_000)
    const lines = reply.out.trimEnd().split('\n')
    expect([lines[0]!.length, lines.length, seen]).toEqual([6_000_000, 500_001, 500_001])
    await gone()
  })

  test('of a script of 2 MB runs', async () => {
    const script = `${': filler\n'.repeat(230_000)}echo end`
    expect((await hands.run(script)).out).toBe('end\n')
  })

  test('hands over its lines as they come', async () => {
    const seen: string[] = []
    let over = false
    const more = gate()
    const running = hands.run(`echo one; ${more.wait}; printf two`, { onLine: (line) => seen.push(line) }).then(() => {
      over = true
    })
    await vi.waitFor(() => expect(seen).toEqual(['one']), patience)
    expect(over).toBe(false)
    more.open()
    await running
    expect(seen).toEqual(['one', 'two'])
  })

  test('comes back though a child of it keeps the output open, and prints on', async () => {
    // The child ends after this test only.
    expect((await hands.run(`(${gate().wait}; echo late) & echo done`)).out).toBe('done\n')
    await gone()
  })

  test('keeps its script out of sight, and what it needs on the host for root only', async () => {
    const end = gate()
    // Its whole way there is looked at.
    let there = false
    const running = hands.run(`word=very-secret-word; ${end.wait}`)
    const coming = end.here().finally(() => {
      there = true
    })
    for (let looks = 0; looks < 5 || !there; looks++) {
      expect(processes()).not.toContain('very-secret-word')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await coming
    expect(host.left()).toContain('job.lock')
    const modes = host.left().map((name) => {
      const stat = lstatSync(join(host.run, name))
      return stat.isDirectory() ? [name, stat.mode & 0o777, 0o700] : [name, stat.mode & 0o777, 0o600]
    })
    expect(modes.length).toBeGreaterThan(5)
    expect(modes.filter(([, mode, want]) => mode !== want)).toEqual([])
    expect(statSync(host.run).mode & 0o777).toBe(0o700)
    const texts = host.left().map((name) => {
      const path = join(host.run, name)
      return statSync(path).isFile() ? readFileSync(path, 'utf8') : ''
    })
    expect(texts.join()).not.toContain('very-secret-word')
    end.open()
    expect((await running).code).toBe(0)
    await gone()
  })

  test('that takes longer than it may is ended on the host, with all that it started', async () => {
    // Other runs of this test may be under way on this machine.
    const seconds = 1_000_000 + process.pid
    const sleeping = () => processes().match(new RegExp(`sleep\0${seconds}\0`, 'g')) ?? []
    const script = `echo so far; sleep ${seconds}; echo never`
    await expect(hands.run(script, { timeoutMs: 6500 })).rejects.toMatchObject({
      exit: 3,
      troubles: [
        { code: 'TIMEOUT', where: 'h1', message: expect.stringContaining('6.5 s'), evidence: [{ line: 'so far' }] },
      ],
    })
    await vi.waitFor(() => expect(sleeping()).toEqual([]), patience)
    await gone()
  })

  test('that ends with 124 by itself is not taken for one whose time was up', async () => {
    expect((await hands.run('timeout 0.1 sleep 1000')).code).toBe(124)
  })

  test('follows another one, and does not run beside it', async () => {
    const other = await connect(host.host())
    const script = 'mkdir /run/k8snet/alone || exit 1; sleep 0.7; rmdir /run/k8snet/alone'
    const codes = await Promise.all([hands.run(script), hands.run(script), other.run(script), other.run(script)])
    expect(codes.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    other.close()
    await gone()
  })

  test('leaves nothing, also where its end comes while what it left is being removed', async () => {
    const slow = await startOther()
    // Half a second passes between emptying a directory and removing it, in which the job puts down what it ended with.
    slow.replace('rm', '[ ! -d "$2" ] || { "$real" -rf "$2"/*; sleep 0.5; }; exec "$real" "$@"')
    slow.replace('ln', 'sleep 0.25; exec "$real" "$@"')
    const it = await connect(slow.host())
    expect(await it.run('echo end')).toEqual({ out: 'end\n', err: '', code: 0 })
    await vi.waitFor(() => expect(slow.left()).toEqual([]), patience)
    it.close()
  })

  test('that is to stop hears of it over the one session that sshd allows', async () => {
    const narrow = await startOther({ config: ['MaxSessions 1'] })
    const it = await connect(narrow.host())
    const stop = new AbortController()
    const running = it.run('echo up; while [ ! -e /run/k8snet/stop ]; do sleep 0.1; done; echo stopped', {
      signal: stop.signal,
      onLine: (line) => line === 'up' && stop.abort(),
    })
    expect((await running).out).toBe('up\nstopped\n')
    await expect(it.run('true', { signal: stop.signal })).rejects.toMatchObject({ exit: 130 })
    const early = new AbortController()
    const other = await connect(narrow.host())
    const end = gate()
    const busy = other.run(`${end.wait}; [ ! -e /run/k8snet/stop ]; echo $?`)
    await end.here()
    const waiting = it.run('[ -e /run/k8snet/stop ]; echo $?', { signal: early.signal })
    const inPlace = () => narrow.left().filter((name) => /^jobs\/[0-9a-f]+\/log$/.test(name))
    await vi.waitFor(() => expect(inPlace()).toHaveLength(2), patience)
    early.abort()
    await vi.waitFor(() => expect(narrow.left().filter((name) => name.endsWith('/stop'))).toHaveLength(1), patience)
    end.open()
    expect([(await busy).out, (await waiting).out]).toEqual(['0\n', '0\n'])
    other.close()
    // The next one is not stopped by what was said to the last one.
    expect((await it.run('[ ! -e /run/k8snet/stop ]; echo $?')).out).toBe('0\n')
    it.close()
  })

  test('goes through sudo', async () => {
    const name = `k8snet-j${process.pid}`
    const user = addUser(name, { sudoers: `${name} ALL=(ALL) NOPASSWD: ALL` })
    onTestFinished(() => user.remove())
    const it = await connect(host.host({ user: user.name, become: 'sudo' }))
    expect(await it.run('id -u; exit 3')).toEqual({ out: '0\n', err: '', code: 3 })
    it.close()
    await gone()
  })

  test('takes what killed ones have left away, but for the mark that they ran', async () => {
    const jobs = join(host.run, 'jobs')
    const it = await connect(host.host())
    const end = gate()
    const running = it.run(end.wait)
    running.catch(() => {})
    await end.here()
    const [id = ''] = readdirSync(jobs)
    it.close()
    await expect(running).rejects.toMatchObject({ troubles: [{ code: 'CONNECTION_LOST' }] })
    end.open()
    await vi.waitFor(() => expect(readdirSync(join(jobs, id))).toContain('rc'), patience)
    // What followed it over the closed connection goes away too, and may have held its lock until just now.
    await vi.waitFor(() => expect(isOpen(`/jobs/${id}/lock`)).toBe(false), patience)
    expect(readdirSync(join(jobs, id)).sort()).toEqual(['begun', 'lock', 'log', 'rc', 'run'])
    await hands.run('true')
    expect(readdirSync(join(jobs, id))).toEqual(['begun'])
    await hands.change(`rm -r /run/k8snet/jobs /run/k8snet/job.lock`)
  })
})

describe('a host', () => {
  const log = 'seq 1 30000; exit 5'
  test('whose /run is full says so', async () => {
    const full = await startOther({ size: '64k' })
    const it = await connect(full.host())
    await expect(it.run(`: ${'x'.repeat(80_000)}`)).rejects.toMatchObject({
      exit: 3,
      troubles: [{ code: 'DISK_FULL', where: 'h1', evidence: [{ line: expect.stringContaining('No space left') }] }],
    })
    expect(full.left()).toEqual(['jobs'])
    await expect(it.run(log)).rejects.toMatchObject({
      troubles: [{ code: 'DISK_FULL', message: expect.stringContaining('could not write its output') }],
    })
    expect((await it.run('echo well')).out).toBe('well\n')
    it.close()
  })

  test('whose /run takes no changes says so', async () => {
    const fixed = await startOther({ readOnly: true })
    const it = await connect(fixed.host())
    await expect(it.run('true')).rejects.toMatchObject({
      exit: 3,
      troubles: [{ code: 'READ_ONLY', where: 'h1', evidence: [{ line: expect.stringContaining('Read-only') }] }],
    })
    it.close()
  })

  test('gets as many round trips for a run as for a change', async () => {
    const proxy = await startProxy(host.port)
    const it = await connect(host.host({ port: proxy.port }))
    onTestFinished(() => proxy.close())
    /** How often a call went to and fro. What is slower than the link makes that seem more, never less. */
    const took = async (work: () => Promise<unknown>, pauseMs: number) => {
      proxy.delay(pauseMs)
      // What the last call has left on the way comes first.
      await new Promise((resolve) => setTimeout(resolve, 4 * pauseMs))
      const before = proxy.passages()
      await work()
      return (proxy.passages() - before) / 2
    }
    let [change, run] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (const pauseMs of [100, 100, 200, 400, 800, 1600, 3200]) {
      change = Math.min(change, await took(() => it.change('true'), pauseMs))
      run = Math.min(run, await took(() => it.run('true'), pauseMs))
      if (pauseMs > 100 && run <= change) break
    }
    console.log(`round trips: change ${change}, run ${run}`)
    expect(run).toBeLessThanOrEqual(change)
    it.close()
  })
})
