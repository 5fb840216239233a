import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Hands } from '../../src/model/ports.ts'
import { connect } from '../../src/ssh/connect.ts'
import { gate, openGates } from '../helpers/gate.ts'
import { addUser, type Sshd, startSshd } from '../helpers/sshd.ts'

let sshd: Sshd
let hands: Hands
beforeAll(async () => {
  sshd = await startSshd()
  hands = await connect(sshd.host())
})
afterAll(async () => {
  hands?.close()
  await sshd?.stop()
})
afterEach(openGates)
// Other runs of this test may be under way on this machine.
const name = (n: number) => `k8snet-t${n}-${process.pid}`

describe('a look', () => {
  test.each([
    ['prints nothing and is well', 'true', { out: '', err: '', code: 0 }],
    ['has its output and its status', "printf 'a\\nb'; echo oops >&2; exit 7", { out: 'a\nb', err: 'oops\n', code: 7 }],
    ['is nothing at all', '', { out: '', err: '', code: 0 }],
    ['ends in a comment', 'echo x # and so on', { out: 'x\n', err: '', code: 0 }],
    ['stops at set -e', 'set -e; false; echo never', { out: '', err: '', code: 1 }],
    ['has a child that reads stdin', 'cat; echo still here', { out: 'still here\n', err: '', code: 0 }],
    ['holds a here-document with a quote', "cat <<'X'\nit's $HOME\nX", { out: "it's $HOME\n", err: '', code: 0 }],
    ['speaks UTF-8', "printf 'grüße 网络'", { out: 'grüße 网络', err: '', code: 0 }],
    ['traces itself', 'set -x; echo y', { out: 'y\n', err: '+ echo y\n', code: 0 }],
    [
      'is root with a plain PATH and locale',
      'echo "$(id -u) $LC_ALL $PATH"',
      { out: '0 C /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n', err: '', code: 0 },
    ],
  ])('that %s comes back as it was', async (_, script, reply) => {
    expect(await hands.look(script)).toEqual(reply)
  })

  test('with 5 MB on stdout and on stderr at once does not lock up', async () => {
    const reply = await hands.look('head -c 5000000 /dev/zero | tr "\\0" e >&2; head -c 5000000 /dev/zero | tr "\\0" o')
    expect([reply.out.length, reply.err.length, reply.code]).toEqual([5_000_000, 5_000_000, 0])
    expect(/^o+$/.test(reply.out) && /^e+$/.test(reply.err)).toBe(true)
  })

  test('hands over its lines as they come, the last one without a newline too', async () => {
    const seen: [string, boolean][] = []
    let over = false
    const more = gate()
    const looking = hands
      .look(`echo one; ${more.wait}; printf two`, { onLine: (line) => seen.push([line, over]) })
      .then((reply) => {
        over = true
        return reply
      })
    await vi.waitFor(() => expect(seen).toEqual([['one', false]]), { timeout: 20_000, interval: 20 })
    expect(over).toBe(false)
    more.open()
    expect((await looking).out).toBe('one\ntwo')
    expect(seen).toEqual([
      ['one', false],
      ['two', false],
    ])
  })

  test('leaves no trace of its script in any argv', async () => {
    const end = gate()
    const looking = hands.look(`${end.wait}; : very-secret-word`)
    await end.here()
    expect(execFileSync('ps', ['axww', '-o', 'args'], { encoding: 'utf8' })).not.toContain('very-secret-word')
    end.open()
    await looking
  })

  test('comes back though a child of it keeps the output open', async () => {
    // The child ends after this test only.
    expect((await hands.look(`(${gate().wait}) & echo done`)).out).toBe('done\n')
  })

  test('one of thirty at once is answered, with at most four channels open', async () => {
    const replies = await Promise.all(Array.from({ length: 30 }, (_, i) => hands.look(`echo ${i}; sleep 0.02`)))
    expect(replies.map((r) => Number(r.out))).toEqual(Array.from({ length: 30 }, (_, i) => i))
    const opened = sshd.log().match(/Starting session: command/g)?.length ?? 0
    expect(opened).toBeGreaterThan(30)
    expect(sshd.log()).not.toContain('no more sessions')
  })

  test('that takes too long says how long and what it waited for', async () => {
    // Its time is up as soon as its first line has come, however long that took.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const looking = hands.look(`echo so far; ${gate().wait}`, {
      timeoutMs: 1500,
      onLine: () => setImmediate(() => vi.advanceTimersByTime(1500)),
    })
    await expect(looking).rejects.toMatchObject({
      troubles: [
        {
          code: 'TIMEOUT',
          where: 'h1',
          message: expect.stringMatching(/1\.5 s.*end of the script/),
          evidence: [{ line: 'so far' }],
        },
      ],
    })
  })

  test('behind four others that take long says that it waited for a free channel', async () => {
    const other = await connect(sshd.host())
    const end = gate()
    const busy = Array.from({ length: 4 }, () => other.look(end.wait))
    await expect(other.look('true', { timeoutMs: 200 })).rejects.toMatchObject({
      troubles: [{ code: 'TIMEOUT', message: expect.stringContaining('a free channel') }],
    })
    end.open()
    await Promise.all(busy)
    expect((await other.look('echo free')).out).toBe('free\n')
    other.close()
  })

  test('that is aborted ends at once, and the connection goes on', async () => {
    const stop = new AbortController()
    const end = gate()
    const looking = hands.look(end.wait, { signal: stop.signal })
    looking.catch(() => {})
    await end.here()
    // The script does not end by itself.
    const began = Date.now()
    stop.abort()
    await expect(looking).rejects.toMatchObject({ exit: 130, troubles: [{ code: 'INTERRUPTED' }] })
    expect(Date.now() - began).toBeLessThan(20_000)
    await expect(hands.look('true', { signal: stop.signal })).rejects.toMatchObject({
      troubles: [{ code: 'INTERRUPTED' }],
    })
    expect((await hands.look('echo on')).out).toBe('on\n')
  })

  test('whose shell is ended from outside is never a success', async () => {
    await expect(hands.look('echo half; kill -9 $$; sleep 1; echo other half')).rejects.toMatchObject({
      exit: 3,
      troubles: [{ code: 'CONNECTION_LOST', evidence: [{ line: expect.stringContaining('KILL') }] }],
    })
  })

  test('with a syntax error tells the shell’s own words', async () => {
    await expect(hands.look('if true; then echo x')).rejects.toMatchObject({
      troubles: [{ code: 'LOOK_FAILED', evidence: [{ line: expect.stringMatching(/syntax error/i) }] }],
    })
  })
})

describe('a change', () => {
  test('changes the host', async () => {
    const reply = await hands.change(`echo new > ${sshd.dir}/changed`)
    expect(reply.code).toBe(0)
    expect((await hands.look(`cat ${sshd.dir}/changed`)).out).toBe('new\n')
  })
})

describe('a transfer', () => {
  test('of 50 MB arrives byte for byte, and tells how far it is', async () => {
    const chunk = randomBytes(1024 * 1024)
    const chunks = Array.from({ length: 50 }, () => chunk)
    const hash = createHash('sha256')
    for (const c of chunks) hash.update(c)
    const told: number[] = []
    const reply = await hands.send('sha256sum; echo "it\'s \\ done"', Readable.from(chunks), {
      onBytes: (n) => told.push(n),
    })
    expect(reply).toEqual({ out: `${hash.digest('hex')}  -\nit's \\ done\n`, err: '', code: 0 })
    expect(told.at(-1)).toBe(50 * 1024 * 1024)
    expect(told.length).toBeGreaterThan(10)
  })

  test('of nothing is an empty file', async () => {
    expect((await hands.send('wc -c', Readable.from([]))).out.trim()).toBe('0')
  })

  test('does not read ahead of a host that takes its time', async () => {
    let given = 0
    const slow = Readable.from(
      (function* () {
        for (let i = 0; i < 64; i++) {
          given += 1024 * 1024
          yield Buffer.alloc(1024 * 1024)
        }
      })(),
    )
    const read = gate()
    const sending = hands.send(`${read.wait}; wc -c`, slow)
    await read.here()
    for (let last = -1; last !== given; ) {
      last = given
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
    expect(given).toBeLessThan(24 * 1024 * 1024)
    read.open()
    expect(Number((await sending).out)).toBe(64 * 1024 * 1024)
  })

  test('whose script ends early gives its reply and lets go of the data', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65536)
      })(),
    )
    expect(await hands.send('head -c 3 | wc -c; echo full >&2; exit 28', endless)).toEqual({
      out: '3\n',
      err: 'full\n',
      code: 28,
    })
    expect(endless.destroyed).toBe(true)
  })

  test.each([
    ['fails in the middle', new Error('disk broke'), 'ACTION_FAILED'],
    ['is not there', Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' }), 'FILE_NOT_FOUND'],
  ])('whose source %s fails, and the host does not take the part for the whole', async (_, error, code) => {
    const source = Readable.from(
      (async function* () {
        yield 'first half'
        await new Promise((resolve) => setTimeout(resolve, 100))
        throw error
      })(),
    )
    await expect(
      hands.send(`cat > ${sshd.dir}/part && sleep 0.2 && mv ${sshd.dir}/part ${sshd.dir}/whole`, source),
    ).rejects.toMatchObject({
      troubles: [{ code, message: expect.stringContaining(error.message) }],
    })
    expect((await hands.look('echo on')).out).toBe('on\n')
  })

  test('that is aborted ends at once', async () => {
    const stop = new AbortController()
    const sending = hands.send('cat >/dev/null', new Readable({ read() {} }), { signal: stop.signal })
    setTimeout(() => stop.abort(), 100)
    await expect(sending).rejects.toMatchObject({ troubles: [{ code: 'INTERRUPTED' }] })
  })
})

describe('an ordinary user', () => {
  const nopasswd = (name: string) => `${name} ALL=(ALL) NOPASSWD: ALL`
  const junk = 'echo "Welcome! sudo wisely."; echo junk >&2; printf "no newline"\n'

  test.each([
    ['bash', '/bin/bash', undefined],
    ['bash whose profile prints junk', '/bin/bash', ['.bashrc', junk]],
    ['dash', '/bin/dash', undefined],
    ['fish', '/usr/bin/fish', undefined],
    ['csh', '/bin/csh', ['.cshrc', 'echo csh junk\n']],
  ] as const)('with the login shell %s is root by sudo', async (_, shell, profile) => {
    const user = addUser(name(1), { shell, sudoers: nopasswd(name(1)), ...(profile ? { profile } : {}) })
    try {
      const it = await connect(sshd.host({ user: user.name, become: 'sudo' }))
      expect(await it.look('echo "$(id -un) it\'s \\\\ $HOME"; exit 4')).toEqual({
        out: "root it's \\ /root\n",
        err: '',
        code: 4,
      })
      expect(await it.send('id -un; cat; printf \'%s\' "!x"', Readable.from(['da', 'ta\n']))).toEqual({
        out: 'root\ndata\n!x',
        err: '',
        code: 0,
      })
      it.close()
    } finally {
      user.remove()
    }
  })

  test.each([
    ['wants a password', 'ALL=(ALL) ALL', /sudo wants a password/, /a password is required/],
    ['does not know the user', null, /sudo/, /password|sudoers/],
    ['allows another command only', 'ALL=(ALL) NOPASSWD: /bin/true', /sudo/, /password|not allowed/],
  ])('for whom sudo %s is told so with its own words', async (_, rule, message, line) => {
    const user = addUser(name(2), rule ? { sudoers: `${name(2)} ${rule}` } : {})
    try {
      const it = await connect(sshd.host({ user: user.name, become: 'sudo' }))
      const failure = {
        exit: 4,
        troubles: [
          {
            code: 'SUDO_FAILED',
            where: 'h1',
            message: expect.stringMatching(message),
            evidence: [{ line: expect.stringMatching(line) }],
            fix: expect.stringContaining('/etc/sudoers.d/'),
          },
        ],
      }
      await expect(it.look('id -u')).rejects.toMatchObject(failure)
      await expect(it.send('cat', Readable.from(['x']))).rejects.toMatchObject(failure)
      it.close()
    } finally {
      user.remove()
    }
  })

  test.each(['/bin/bash', '/bin/dash', '/usr/bin/fish', '/bin/csh'])(
    'with %s on a host without sudo is told so',
    async (shell) => {
      const user = addUser(name(3), { shell })
      const bare = await startSshd(['SetEnv PATH=/nowhere'])
      try {
        const it = await connect(bare.host({ user: user.name, become: 'sudo' }))
        await expect(it.look('id -u')).rejects.toMatchObject({
          troubles: [{ code: 'SUDO_FAILED', message: expect.stringContaining('no sudo') }],
        })
        it.close()
      } finally {
        user.remove()
        await bare.stop()
      }
    },
  )

  test('whose login shell runs nothing is told so', async () => {
    const user = addUser(name(4), { shell: '/usr/sbin/nologin' })
    try {
      const it = await connect(sshd.host({ user: user.name }))
      await expect(it.look('id -u')).rejects.toMatchObject({
        troubles: [
          {
            code: 'LOOK_FAILED',
            message: expect.stringContaining('login shell'),
            evidence: [{ line: expect.stringContaining('not available') }],
          },
        ],
      })
      it.close()
    } finally {
      user.remove()
    }
  })
})
