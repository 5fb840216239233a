import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { connect, connectAll } from '../../src/ssh/connect.ts'
import { scanAll } from '../../src/ssh/scan.ts'
import { gate, openGates } from '../helpers/gate.ts'
import { startProxy, type TcpProxy } from '../helpers/proxy.ts'
import { type Sshd, startSshd } from '../helpers/sshd.ts'

let sshd: Sshd
let proxy: TcpProxy
beforeAll(async () => {
  sshd = await startSshd()
})
afterAll(() => sshd?.stop())
beforeEach(async () => {
  proxy = await startProxy(sshd.port)
})
afterEach(openGates)
afterEach(() => proxy.close())

const lost = { exit: 3, troubles: [{ code: 'CONNECTION_LOST', where: 'h1' }] }
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('a link', () => {
  test('that is cut in the middle of a command loses it, though the command would have been well', async () => {
    const it = await connect(sshd.host({ port: proxy.port }))
    proxy.cutAfter(20_000)
    await expect(it.change('head -c 400000 /dev/zero | tr "\\0" x; exit 0')).rejects.toMatchObject(lost)
  })

  test('that is cut while a command is silent loses it', async () => {
    const it = await connect(sshd.host({ port: proxy.port }))
    const end = gate()
    const changing = it.change(end.wait)
    changing.catch(() => {})
    await end.here()
    await proxy.reset()
    await expect(changing).rejects.toMatchObject(lost)
    it.close()
  })

  test.each([
    ['a change', (it: Awaited<ReturnType<typeof connect>>) => it.change('sleep 30')],
    [
      'a transfer',
      (it: Awaited<ReturnType<typeof connect>>) =>
        it.send(
          'cat >/dev/null',
          new Readable({
            read() {
              this.push(Buffer.alloc(65536))
            },
          }),
        ),
    ],
  ])('that stalls during %s is given up after three signs of life did not come', async (_, run) => {
    const it = await connect(sshd.host({ port: proxy.port }), { keepaliveMs: 150 })
    const running = run(it)
    running.catch(() => {})
    await pause(200)
    const began = Date.now()
    proxy.stall()
    await expect(running).rejects.toMatchObject({
      troubles: [{ code: 'CONNECTION_LOST', evidence: [{ line: expect.stringContaining('no sign of life') }] }],
    })
    expect(Date.now() - began).toBeLessThan(20_000)
  })

  test('that stalls before a channel opens is given up too', async () => {
    const it = await connect(sshd.host({ port: proxy.port }), { keepaliveMs: 200, patienceMs: 300 })
    proxy.stall()
    await expect(it.look('true')).rejects.toMatchObject(lost)
  })

  test('that stalls is also bound by the time of the call, which names what it waited for', async () => {
    const it = await connect(sshd.host({ port: proxy.port }))
    proxy.stall()
    await expect(it.look('true', { timeoutMs: 300 })).rejects.toMatchObject({
      troubles: [{ code: 'TIMEOUT', message: expect.stringContaining('a channel to open') }],
    })
    it.close()
  })

  test('that passes one byte at a time carries a login, a look and a scan', async () => {
    proxy.slow()
    const host = sshd.host({ port: proxy.port })
    // A slow machine needs its time for that many packets.
    const readyTimeoutMs = 120_000
    const it = await connect(host, { readyTimeoutMs })
    expect((await it.look('echo there')).out).toBe('there\n')
    it.close()
    expect(await scanAll([host], { readyTimeoutMs })).toMatchObject([{ state: 'pinned' }])
  })

  test('that is quiet but alive stays', async () => {
    const it = await connect(sshd.host({ port: proxy.port }), { keepaliveMs: 1000 })
    // Its signs of life would have to be missing for four seconds, and it says nothing else for six.
    expect((await it.look('sleep 6; echo well')).out).toBe('well\n')
    it.close()
  })

  test('that stalls in the handshake is given up in time', async () => {
    proxy.stall()
    await expect(connect(sshd.host({ port: proxy.port }), { readyTimeoutMs: 5000 })).rejects.toMatchObject({
      exit: 4,
      troubles: [{ code: 'HOST_UNREACHABLE', message: expect.stringMatching(/ 5 s for the SSH handshake/) }],
    })
  })

  test('sends what it has at once, without the pause of Nagle, which costs 40 ms a call', async () => {
    const asked = vi.spyOn(Socket.prototype, 'setNoDelay')
    const it = await connect(sshd.host())
    const socketsToSshd = asked.mock.contexts.filter((socket) => (socket as Socket).remotePort === sshd.port)
    expect(socketsToSshd).toHaveLength(1)
    expect(asked.mock.calls).toContainEqual([true])
    asked.mockRestore()
    it.close()
  })
})

describe('many hosts', () => {
  test('are connected at once, and each failure stands at its host', async () => {
    const hosts = [
      sshd.host({ name: 'a' }),
      sshd.host({ name: 'b', port: 1 }),
      sshd.host({ name: 'c', hostKey: `SHA256:${'A'.repeat(43)}` }),
      sshd.host({ name: 'd' }),
    ]
    const all = await connectAll(hosts)
    expect([...all.keys()].map((h) => h.name)).toEqual(['a', 'b', 'c', 'd'])
    const seen = await Promise.all(
      [...all.values()].map(async (it) => {
        if ('troubles' in it) return it.troubles[0]?.code
        const reply = await it.look(`echo ${it.host.name}`)
        it.close()
        return reply.out
      }),
    )
    expect(seen).toEqual(['a\n', 'HOST_UNREACHABLE', 'HOSTKEY_CHANGED', 'd\n'])
  })

  test('are connected a window at a time, the key file being read once', async () => {
    let reads = 0
    const { readFile } = await import('node:fs/promises')
    const counting = (path: string) => {
      if (path === sshd.key) reads++
      return readFile(path)
    }
    const hosts = Array.from({ length: 25 }, (_, i) => sshd.host({ name: `n${i}` }))
    const all = await connectAll(hosts, { window: 5, readFile: counting })
    expect([...all.values()].filter((it) => 'troubles' in it)).toEqual([])
    expect(reads).toBe(1)
    for (const it of all.values()) if ('close' in it) it.close()
  })

  test('are given up together by one signal', async () => {
    proxy.stall()
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 150)
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    const all = await connectAll(
      Array.from({ length: 20 }, (_, i) => sshd.host({ name: `n${i}`, port: proxy.port })),
      { signal: stop.signal },
    )
    await pause(20)
    process.off('warning', note)
    expect([...all.values()].map((it) => ('troubles' in it ? it.troubles[0]?.code : 'connected'))).toEqual(
      Array(20).fill('INTERRUPTED'),
    )
    expect(warnings).toEqual([])
  })
})
