import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import ssh2 from 'ssh2'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { job } from '../../src/facts/job.ts'
import type { Hands } from '../../src/model/ports.ts'
import { settle } from '../../src/run/settle.ts'
import { type ConnectOptions, connect, connectAll } from '../../src/ssh/connect.ts'
import { type Apart, startApart } from '../helpers/apart.ts'
import { gate, openGates } from '../helpers/gate.ts'
import { startProxy, type TcpProxy } from '../helpers/proxy.ts'
import { startSshd } from '../helpers/sshd.ts'

let host: Apart
let proxy: TcpProxy
let hands: Hands
const links: string[] = []
const onLink: ConnectOptions['onLink'] = (_, state, text) => links.push(`${state}: ${text}`)
const reach = (options: ConnectOptions = {}) => connect(host.host({ port: proxy.port }), { onLink, ...options })

beforeAll(async () => {
  host = await startApart()
})
afterAll(() => host?.stop())
beforeEach(async () => {
  links.length = 0
  proxy = await startProxy(host.port)
  hands = await reach()
})
afterEach(async () => {
  openGates()
  hands.close()
  await proxy.close()
  // What a test has left running ends here, so that the next one finds the host free.
  const own = await connect(host.host())
  await settle(own, new AbortController().signal)
  await own.change('rm -rf /run/k8snet/*')
  own.close()
})

const patience = { timeout: 60_000, interval: 20 }
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const lost = { exit: 3, troubles: [{ code: 'CONNECTION_LOST', where: 'h1' }] }
/** Numbers its runs and its lines, so that whatever is done or said twice shows. */
const counting = (lines: number, pauseEvery: number) => `
echo run >>/run/k8snet/runs
i=0
while [ $i -lt ${lines} ]; do
  i=$((i + 1))
  echo "line $i"
  [ $((i % ${pauseEvery})) -ne 0 ] || sleep 0.02
done
exit 9`
const expected = (lines: number) => Array.from({ length: lines }, (_, i) => `line ${i + 1}`)
const runs = () => readFileSync(join(host.run, 'runs'), 'utf8')

describe('a run whose link breaks', () => {
  test('at any byte runs once, and each of its lines comes once', async () => {
    const began = proxy.received()
    const once = await hands.run(counting(400, 40))
    const bytes = proxy.received() - began
    expect(once.code).toBe(9)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes), { minLength: 1, maxLength: 3 }), async (cuts) => {
        // The end of the last run may have been the end of its connection: a look finds a new one.
        await hands.look('true')
        await hands.change('rm -f /run/k8snet/runs')
        const seen: string[] = []
        proxy.cutAfter(cuts[0]!)
        const later = [1, 2].filter((i) => cuts[i] !== undefined)
        const timers = later.map((i) => setTimeout(() => proxy.cutAfter(cuts[i]!), 300 * i))
        const reply = await hands.run(counting(400, 40), { onLine: (line) => seen.push(line) })
        timers.forEach(clearTimeout)
        proxy.cutAfter(Number.POSITIVE_INFINITY)
        expect(reply).toEqual({ out: `${expected(400).join('\n')}\n`, err: '', code: 9 })
        expect(seen).toEqual(expected(400))
        expect(runs()).toBe('run\n')
      }),
      { numRuns: 25 },
    )
    expect(links.filter((it) => it.startsWith('back')).length).toBeGreaterThan(5)
  })

  test('says so, and says when it is back', async () => {
    const end = gate()
    const running = hands.run(`${end.wait}; echo end`)
    await end.here()
    await proxy.reset()
    end.open()
    expect((await running).out).toBe('end\n')
    expect(links).toEqual([
      expect.stringMatching(/^lost: connection lost \(.*\); trying again$/),
      expect.stringMatching(/^back: connected again after \d+\.\d s$/),
    ])
  })

  test('without a word (half-open) is followed over a new one', async () => {
    const it = await reach({ keepaliveMs: 300 })
    const end = gate()
    const running = it.run(`echo one; ${end.wait}; echo two`)
    await end.here()
    proxy.stall()
    proxy.heal()
    await vi.waitFor(() => expect(links).not.toEqual([]), patience)
    end.open()
    expect((await running).out).toBe('one\ntwo\n')
    expect(links[0]).toContain('no sign of life')
    it.close()
  })

  test('because sshd is restarted goes on', async () => {
    const end = gate()
    const running = hands.run(`echo one; ${end.wait}; echo two; exit 4`)
    await end.here()
    await host.restart(1000)
    end.open()
    expect(await running).toEqual({ out: 'one\ntwo\n', err: '', code: 4 })
  })

  test('while it runs 10 MB of output comes whole', async () => {
    const running = hands.run('seq 1 1400000')
    for (let i = 0; i < 5; i++) {
      await pause(250)
      await proxy.reset()
    }
    const { out } = await running
    expect(out === Array.from({ length: 1_400_000 }, (_, i) => `${i + 1}\n`).join('')).toBe(true)
  })

  test('leaves nothing', async () => {
    const end = gate()
    // Its line tells that it is known here to be in place.
    const lines: string[] = []
    const running = hands.run(`echo up; ${end.wait}`, { onLine: (line) => lines.push(line) })
    await vi.waitFor(() => expect(lines).toEqual(['up']), patience)
    await proxy.reset()
    end.open()
    await running
    await vi.waitFor(() => expect(host.left()).toEqual([]), patience)
  })

  test('before it is known to be in place leaves a mark that it ran, for the first start may still be on its way', async () => {
    // The channel opens, and its answer does not get here any more.
    await hands.look('true')
    proxy.cutAfter(150)
    expect((await hands.run('echo run >>/run/k8snet/runs')).code).toBe(0)
    await pause(300)
    expect(runs()).toBe('run\n')
    await vi.waitFor(() => expect(host.left().some((name) => name.endsWith('/log'))).toBe(false), patience)
    expect(host.left().map((name) => name.replace(/[0-9a-f]{24}/, 'ID'))).toEqual(
      expect.arrayContaining(['jobs', 'jobs/ID', 'jobs/ID/begun', 'runs']),
    )
    expect(runs()).toBe('run\n')
  })

  test('and whose host was restarted meanwhile says so, with both boot ids', async () => {
    const lines: string[] = []
    const running = hands.run(`echo up; ${gate().wait}`, { onLine: (line) => lines.push(line) })
    running.catch(() => {})
    await vi.waitFor(() => expect(lines).toEqual(['up']), patience)
    const before = host.boot()
    host.reboot()
    await host.restart(300)
    await expect(running).rejects.toMatchObject({
      exit: 3,
      troubles: [
        {
          code: 'HOST_REBOOTED',
          where: 'h1',
          evidence: [{ line: expect.stringContaining(before) }, { line: expect.stringContaining(host.boot()) }],
        },
      ],
    })
    expect(existsSync(join(host.run, 'jobs'))).toBe(false)
  })

  test('and whose log was taken away by somebody does not begin again', async () => {
    const lines: string[] = []
    const running = hands.run(`echo run >>/run/k8snet/runs; echo up; ${gate().wait}`, {
      onLine: (line) => lines.push(line),
    })
    running.catch(() => {})
    await vi.waitFor(() => expect(lines).toEqual(['up']), patience)
    const other = await connect(host.host())
    await other.change('rm -rf /run/k8snet/jobs')
    other.close()
    await proxy.reset()
    await expect(running).rejects.toMatchObject(lost)
    await pause(1500)
    expect(runs()).toBe('run\n')
  })

  test('gives up after a while, and its script goes on', async () => {
    const it = await reach({ patienceMs: 1500 })
    const end = gate()
    const running = it.run(`${end.wait}; echo run >>/run/k8snet/runs`)
    running.catch(() => {})
    await end.here()
    await proxy.close()
    const began = Date.now()
    await expect(running).rejects.toMatchObject({
      exit: 3,
      troubles: [{ code: 'CONNECTION_LOST', message: expect.stringContaining('for 1.5 s') }],
    })
    // Two minutes are what it waits without being told.
    expect(Date.now() - began).toBeLessThan(60_000)
    end.open()
    await vi.waitFor(() => expect(runs()).toBe('run\n'), patience)
    proxy = await startProxy(host.port)
  })

  test('stops waiting at once when the user interrupts', async () => {
    const stop = new AbortController()
    const end = gate()
    const running = hands.run(end.wait, { signal: stop.signal })
    running.catch(() => {})
    await end.here()
    await proxy.close()
    await vi.waitFor(() => expect(links[0]).toMatch(/^lost/), patience)
    await pause(200)
    const began = Date.now()
    stop.abort()
    await expect(running).rejects.toMatchObject({ exit: 130, troubles: [{ code: 'INTERRUPTED' }] })
    expect(Date.now() - began).toBeLessThan(20_000)
    proxy = await startProxy(host.port)
  })
})

describe('a job that its controller has left', () => {
  test('is seen, asked to stop, waited for, and then the host is free', async () => {
    const lines: string[] = []
    const running = hands.run(
      'i=0; echo up; while [ $i -lt 1000 ] && [ ! -e /run/k8snet/stop ]; do i=$((i + 1)); sleep 0.2; done; echo $i >/run/k8snet/runs',
      { onLine: (line) => lines.push(line) },
    )
    running.catch(() => {})
    await vi.waitFor(() => expect(lines).toEqual(['up']), patience)
    hands.close()
    const next = await connect(host.host())
    const seen = job.parse((await next.look(job.ask)).out)
    expect(seen?.id).toMatch(/^[0-9a-f]{24}$/)
    const said: string[] = []
    await settle(next, new AbortController().signal, (line) => said.push(line))
    expect(Number(runs())).toBeLessThan(1000)
    expect(job.parse((await next.look(job.ask)).out)).toBe(null)
    expect(existsSync(join(host.run, 'stop'))).toBe(false)
    expect((await next.run('echo free')).out).toBe('free\n')
    next.close()
    await expect(running).rejects.toMatchObject(lost)
  })

  test('is not waited for any longer when the user interrupts', async () => {
    const end = gate()
    const running = hands.run(end.wait)
    running.catch(() => {})
    await end.here()
    const next = await connect(host.host())
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 300)
    await expect(settle(next, stop.signal)).rejects.toMatchObject({ exit: 130 })
    next.close()
  })

  test('a host without one is settled', async () => {
    expect(job.parse((await hands.look(job.ask)).out)).toBe(null)
    await settle(hands, new AbortController().signal)
    expect(existsSync(join(host.run, 'stop'))).toBe(false)
  })
})

describe('hands whose link broke', () => {
  test('open a new one for whatever comes next, and only one for all', async () => {
    await proxy.reset()
    const logins = () => host.log().match(/Accepted publickey/g)!.length
    const before = logins()
    const replies = await Promise.all([
      hands.look('echo 1'),
      hands.change('echo 2'),
      hands.run('echo 3'),
      hands.send('cat', Readable.from(['4\n'])),
    ])
    expect(replies.map(({ out }) => out)).toEqual(['1\n', '2\n', '3\n', '4\n'])
    expect(logins() - before).toBe(1)
  })

  test('look again, but never change or send again', async () => {
    const ends = [gate(), gate(), gate()] as const
    const all = Promise.allSettled([
      hands.look(`${ends[0].wait}; echo seen`),
      hands.change(`mkdir -p /run/k8snet; echo x >>/run/k8snet/runs; ${ends[1].wait}`),
      hands.send(`cat >/dev/null; ${ends[2].wait}`, Readable.from(['x'])),
    ])
    await Promise.all(ends.map((end) => end.here()))
    await proxy.reset()
    for (const end of ends) end.open()
    const [look, change, send] = await all
    expect(look).toMatchObject({ status: 'fulfilled', value: { out: 'seen\n' } })
    expect(change).toMatchObject({ status: 'rejected', reason: lost })
    expect(send).toMatchObject({ status: 'rejected', reason: lost })
    await pause(600)
    expect(runs()).toBe('x\n')
  })

  test('look again where the link has just ended, and nobody has heard of it yet', async () => {
    const exec = vi.spyOn(ssh2.Client.prototype, 'exec')
    onTestFinished(() => exec.mockRestore())
    // What ssh2 says between the end of a connection and its `close`.
    exec.mockImplementationOnce(() => {
      void proxy.reset()
      throw new Error('Not connected')
    })
    expect((await hands.look('echo seen')).out).toBe('seen\n')
    expect(links).toHaveLength(2)
  })

  test('do not look again where lines were handed over already', async () => {
    const seen: string[] = []
    const looking = hands.look(`echo one; ${gate().wait}; echo two`, { onLine: (line) => seen.push(line) })
    looking.catch(() => {})
    await vi.waitFor(() => expect(seen).toEqual(['one']), patience)
    await proxy.reset()
    await expect(looking).rejects.toMatchObject(lost)
    expect(seen).toEqual(['one'])
  })

  test.each(['look', 'change', 'run'] as const)('never try again (%s) where another key is shown', async (verb) => {
    const other = await startSshd()
    onTestFinished(() => other.stop())
    proxy.turn(other.port)
    await proxy.reset()
    const began = Date.now()
    await expect(hands[verb]('true')).rejects.toMatchObject({ exit: 4, troubles: [{ code: 'HOSTKEY_CHANGED' }] })
    // A look would be tried again for 15 s, a run for two minutes.
    expect(Date.now() - began).toBeLessThan(10_000)
    // The first one is that of the test; then each type of key is asked for once.
    expect(other.log().match(/Connection from/g)?.length).toBeLessThan(5)
    expect(other.log()).not.toContain('Accepted')
  })

  test('never try again where the host no longer lets them in', async () => {
    const keys = join(host.dir, 'authorized_keys')
    const before = readFileSync(keys, 'utf8')
    const end = gate()
    const running = hands.run(end.wait)
    running.catch(() => {})
    await end.here()
    const known = host.log().length
    try {
      writeFileSync(keys, '')
      await proxy.reset()
      await expect(running).rejects.toMatchObject({ exit: 4, troubles: [{ code: 'AUTH_FAILED' }] })
      await pause(1000)
    } finally {
      writeFileSync(keys, before)
    }
    expect(
      host
        .log()
        .slice(known)
        .match(/Connection from/g)?.length,
    ).toBe(1)
  })

  test('are closed for good by close', async () => {
    hands.close()
    await expect(hands.look('true')).rejects.toMatchObject(lost)
    await expect(hands.run('true')).rejects.toMatchObject(lost)
  })

  test('have others made by again, which do not last', async () => {
    const logins = () => host.log().match(/Accepted publickey/g)!.length
    const before = logins()
    const other = await hands.again()
    await vi.waitFor(() => expect(logins() - before).toBe(1), patience)
    expect((await other.look('echo new')).out).toBe('new\n')
    await proxy.reset()
    await expect(other.look('true')).rejects.toMatchObject(lost)
    await expect(other.run('true')).rejects.toMatchObject(lost)
    expect((await hands.look('echo old')).out).toBe('old\n')
  })
})

describe('a host that turns connections away', () => {
  test('for a moment is tried again', async () => {
    const [port, back] = [proxy.port, host.port]
    await proxy.close()
    const connecting = connect(host.host({ port }), { firstPatienceMs: 60_000 })
    await pause(700)
    const { createServer, connect: dial } = await import('node:net')
    const server = createServer((from) => {
      const to = dial(back, '127.0.0.1')
      from.pipe(to).pipe(from)
      for (const socket of [from, to]) socket.on('error', () => socket.destroy())
    }).listen(port, '127.0.0.1')
    const it = await connecting
    expect((await it.look('echo there')).out).toBe('there\n')
    it.close()
    server.close()
    proxy = await startProxy(host.port)
  })

  test('for good is given up after a few seconds', async () => {
    const dialled = vi.spyOn(Socket.prototype, 'connect')
    onTestFinished(() => dialled.mockRestore())
    const began = Date.now()
    await expect(connect(host.host({ port: 1 }), { firstPatienceMs: 5000 })).rejects.toMatchObject({
      exit: 4,
      troubles: [{ code: 'HOST_UNREACHABLE', evidence: [{ line: expect.stringContaining('ECONNREFUSED') }] }],
    })
    expect(dialled.mock.calls.length).toBeGreaterThan(1)
    expect(Date.now() - began).toBeLessThan(100_000)
  })

  test('because of MaxStartups lets all forty in', async () => {
    const busy = await startSshd(['MaxStartups 10:30:60'])
    onTestFinished(() => busy.stop())
    const all = await connectAll(Array.from({ length: 40 }, (_, i) => busy.host({ name: `n${i}` })))
    expect([...all.values()].filter((it) => 'troubles' in it)).toEqual([])
    for (const it of all.values()) if ('close' in it) it.close()
  })
})
