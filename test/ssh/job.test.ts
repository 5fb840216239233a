import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Hands } from '../../src/model/ports.ts'
import { connect } from '../../src/ssh/connect.ts'
import { type Apart, processes, startApart } from '../helpers/apart.ts'
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
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const gone = () => vi.waitFor(() => expect(host.left()).toEqual([]), { timeout: 20_000 })

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
    const running = hands.run('echo one; sleep 2; printf two', { onLine: (line) => seen.push(line) }).then(() => {
      over = true
    })
    await vi.waitFor(() => expect(seen).toEqual(['one']), { timeout: 5000, interval: 20 })
    expect(over).toBe(false)
    await running
    expect(seen).toEqual(['one', 'two'])
  })

  test('comes back though a child of it keeps the output open, and prints on', async () => {
    const began = Date.now()
    expect((await hands.run('(sleep 12; echo late) & echo done')).out).toBe('done\n')
    expect(Date.now() - began).toBeLessThan(10_000)
    await gone()
  })

  test('keeps its script out of sight, and what it needs on the host for root only', async () => {
    const running = hands.run('word=very-secret-word; sleep 2; mkdir /run/k8snet/seen; sleep 1; rmdir /run/k8snet/seen')
    await vi.waitFor(() => expect(host.left()).toContain('job.lock'), { timeout: 5000, interval: 10 })
    let looks = 0
    while (!host.left().includes('seen')) {
      expect(processes()).not.toContain('very-secret-word')
      looks++
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(looks).toBeGreaterThan(2)
    const modes = host.left().map((name) => {
      const stat = lstatSync(join(host.run, name))
      return stat.isDirectory() ? [name, stat.mode & 0o777, 0o700] : [name, stat.mode & 0o777, 0o600]
    })
    expect(modes.length).toBeGreaterThan(5)
    expect(modes.filter(([name, mode, want]) => mode !== want && name !== 'seen')).toEqual([])
    expect(statSync(host.run).mode & 0o777).toBe(0o700)
    const texts = host.left().map((name) => {
      const path = join(host.run, name)
      return statSync(path).isFile() ? readFileSync(path, 'utf8') : ''
    })
    expect(texts.join()).not.toContain('very-secret-word')
    expect((await running).code).toBe(0)
    await gone()
  })

  test('that takes longer than it may is ended on the host, with all that it started', async () => {
    const sleeping = () => processes().match(/sleep\0(4711)/g) ?? []
    await expect(hands.run('echo so far; sleep 4711; echo never', { timeoutMs: 1500 })).rejects.toMatchObject({
      exit: 3,
      troubles: [
        { code: 'TIMEOUT', where: 'h1', message: expect.stringContaining('1.5 s'), evidence: [{ line: 'so far' }] },
      ],
    })
    expect(sleeping()).toEqual([])
    await gone()
  })

  test('that ends with 124 by itself is not taken for one whose time was up', async () => {
    expect((await hands.run('timeout 0.1 sleep 1')).code).toBe(124)
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
    const slow = await startApart()
    // Half a second passes between emptying a directory and removing it, in which the job puts down what it ended with.
    slow.replace('rm', '[ ! -d "$2" ] || { "$real" -rf "$2"/*; sleep 0.5; }; exec "$real" "$@"')
    slow.replace('ln', 'sleep 0.25; exec "$real" "$@"')
    const it = await connect(slow.host())
    expect(await it.run('echo end')).toEqual({ out: 'end\n', err: '', code: 0 })
    await vi.waitFor(() => expect(slow.left()).toEqual([]), { timeout: 10_000 })
    it.close()
    await slow.stop()
  })

  test('that is to stop hears of it over the one session that sshd allows', async () => {
    const narrow = await startApart({ config: ['MaxSessions 1'] })
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
    const busy = other.run('sleep 1; [ ! -e /run/k8snet/stop ]; echo $?')
    await pause(300)
    const waiting = it.run('[ -e /run/k8snet/stop ]; echo $?', { signal: early.signal })
    await pause(400)
    early.abort()
    expect([(await busy).out, (await waiting).out]).toEqual(['0\n', '0\n'])
    other.close()
    // The next one is not stopped by what was said to the last one.
    expect((await it.run('[ ! -e /run/k8snet/stop ]; echo $?')).out).toBe('0\n')
    it.close()
    await narrow.stop()
  })

  test('goes through sudo', async () => {
    const user = addUser('k8snet-job', { sudoers: 'k8snet-job ALL=(ALL) NOPASSWD: ALL' })
    const it = await connect(host.host({ user: user.name, become: 'sudo' }))
    expect(await it.run('id -u; exit 3')).toEqual({ out: '0\n', err: '', code: 3 })
    it.close()
    user.remove()
    await gone()
  })

  test('takes what killed ones have left away, but for the mark that they ran', async () => {
    const jobs = join(host.run, 'jobs')
    const it = await connect(host.host())
    const running = it.run('sleep 1')
    running.catch(() => {})
    const begun = () => host.left().find((name) => name.endsWith('/begun'))
    await vi.waitFor(() => expect(begun()).toBeDefined(), { timeout: 5000, interval: 20 })
    const id = begun()!.split('/')[1]!
    it.close()
    await expect(running).rejects.toMatchObject({ troubles: [{ code: 'CONNECTION_LOST' }] })
    await vi.waitFor(() => expect(readdirSync(join(jobs, id))).toContain('rc'), { timeout: 9000 })
    expect(readdirSync(join(jobs, id)).sort()).toEqual(['begun', 'lock', 'log', 'rc', 'run'])
    await hands.run('true')
    expect(readdirSync(join(jobs, id))).toEqual(['begun'])
    await hands.change(`rm -r /run/k8snet/jobs /run/k8snet/job.lock`)
  })
})

describe('a host', () => {
  const log = 'seq 1 30000; exit 5'
  test('whose /run is full says so', async () => {
    const full = await startApart({ size: '64k' })
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
    await full.stop()
  })

  test('whose /run takes no changes says so', async () => {
    const fixed = await startApart({ readOnly: true })
    const it = await connect(fixed.host())
    await expect(it.run('true')).rejects.toMatchObject({
      exit: 3,
      troubles: [{ code: 'READ_ONLY', where: 'h1', evidence: [{ line: expect.stringContaining('Read-only') }] }],
    })
    it.close()
    await fixed.stop()
  })

  test('gets as many round trips for a run as for a change', async () => {
    const proxy = await startProxy(host.port)
    const it = await connect(host.host({ port: proxy.port }))
    const took = async (work: () => Promise<unknown>) => {
      const times = []
      for (let i = 0; i < 6; i++) {
        const began = performance.now()
        await work()
        times.push(performance.now() - began)
      }
      return Math.min(...times)
    }
    const both = async () => [await took(() => it.change('true')), await took(() => it.run('true'))] as const
    const near = await both()
    proxy.delay(100)
    const far = await both()
    const [change, run] = far.map((ms, i) => (ms - near[i]!) / 200)
    console.log(`at 100 ms each way: change ${Math.round(far[0])} ms, run ${Math.round(far[1])} ms`)
    console.log(`round trips: change ${change!.toFixed(1)}, run ${run!.toFixed(1)}`)
    expect(Math.round(run!)).toBeLessThanOrEqual(Math.round(change!))
    it.close()
    await proxy.close()
  })
})
