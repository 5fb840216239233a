import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import ssh2 from 'ssh2'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Secret } from '../../src/model/secret.ts'
import { becomeOf, startOf } from '../../src/ssh/become.ts'
import { connect } from '../../src/ssh/connect.ts'
import { startApart } from '../helpers/apart.ts'
import { gate, openGates } from '../helpers/gate.ts'
import { startProxy } from '../helpers/proxy.ts'
import { addUser, type Sshd, setPassword, startSshd } from '../helpers/sshd.ts'

/** How an ordinary user becomes root on a real sshd: sudo and doas, with and without password and terminal. */

const word = "it's a $ecret; №1"
// Other runs of this test may be under way on this machine.
const name = `k8snet-b${process.pid}`
const conf = '/etc/doas.conf'
let sshd: Sshd
let user: ReturnType<typeof addUser> | undefined
beforeAll(async () => {
  sshd = await startSshd()
})
afterEach(() => {
  openGates()
  if (user) {
    // What a connection that broke has left waiting; the next user may get the number of this one.
    spawnSync('pkill', ['-KILL', '-u', name])
    for (const dir of leftBy(name)) rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  }
  user?.remove()
  user = undefined
  doasRule(undefined)
})
afterAll(() => sshd?.stop())

/** Writes the user's line into doas.conf, or takes it out; one run of this test at a time. */
function doasRule(rule: string | undefined) {
  const script = `umask 277; new=$1.$2
{ grep -v -F -e "$2" "$1"; [ -z "$3" ] || echo "$3"; } 2>/dev/null >"$new"
if [ -s "$new" ]; then mv -f "$new" "$1"; else rm -f "$new" "$1"; fi`
  execFileSync('flock', [`${tmpdir()}/k8snet-doas.lock`, 'sh', '-c', script, 'sh', conf, name, rule ?? ''])
}
function account(rules: { sudoers?: string; doas?: string }, options: Parameters<typeof addUser>[1] = {}) {
  user = addUser(name, { ...options, ...(rules.sudoers ? { sudoers: rules.sudoers } : {}) })
  setPassword(name, word)
  if (rules.doas) doasRule(rules.doas)
}
const enter = (become: 'sudo' | 'doas', becomePassword?: string) =>
  connect(sshd.host({ user: name, become }), {
    secrets: becomePassword === undefined ? {} : { becomePassword: new Secret(becomePassword) },
  })
function leftBy(user: string): string[] {
  return readdirSync('/tmp')
    .filter((it) => it.startsWith('.k8snet-'))
    .map((it) => join('/tmp', it))
    .filter((path) => spawnSync('stat', ['-c', '%U', path], { encoding: 'utf8' }).stdout.trim() === user)
}
/** Execs that are asked for from now on, counted here: sshd's log comes a little later than its answers. */
function execs(): () => number {
  const exec = vi.spyOn(ssh2.Client.prototype, 'exec')
  onTestFinished(() => exec.mockRestore())
  return () => exec.mock.calls.length
}

const ways = [
  ['sudo with a password', 'sudo', { sudoers: `${name} ALL=(ALL) ALL` }],
  ['sudo that wants a terminal', 'sudo', { sudoers: `${name} ALL=(ALL) NOPASSWD: ALL\nDefaults:${name} requiretty` }],
  ['sudo that wants both', 'sudo', { sudoers: `${name} ALL=(ALL) ALL\nDefaults:${name} requiretty` }],
  ['sudo on a pty of its own', 'sudo', { sudoers: `${name} ALL=(ALL) ALL\nDefaults:${name} use_pty, requiretty` }],
  [
    'sudo that changes PATH and lectures',
    'sudo',
    { sudoers: `${name} ALL=(ALL) ALL\nDefaults:${name} lecture=always, secure_path="/nowhere"` },
  ],
  ['doas without a password', 'doas', { doas: `permit nopass ${name}` }],
  ['doas with a password', 'doas', { doas: `permit ${name}` }],
  ['doas that remembers', 'doas', { doas: `permit persist ${name}` }],
] as const
const junk = 'echo "Welcome! sudo and doas: password: "; echo junk >&2; printf "no newline"\n'
const shells = [
  ['bash', { shell: '/bin/bash' }],
  ['bash whose profile prints junk', { shell: '/bin/bash', profile: ['.bashrc', junk] }],
  ['fish', { shell: '/usr/bin/fish' }],
  ['csh', { shell: '/bin/csh', profile: ['.cshrc', 'echo csh junk password:\n'] }],
] as const

describe.each(shells)('a user whose login shell is %s', (_, options) => {
  test.each(ways)('becomes root by %s', async (_, tool, rules) => {
    account(rules, options as Parameters<typeof addUser>[1])
    const it = await enter(tool, word)
    try {
      const look = await it.look('echo "$(id -un) it\'s \\\\ $HOME"; echo oops >&2; exit 4')
      expect(look).toEqual({ out: "root it's \\ /root\n", err: 'oops\n', code: 4 })
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 256))
      const sent = await it.send('id -un; sha256sum; printf \'%s\' "!x"', Readable.from([bytes]))
      const hash = execFileSync('sha256sum', { input: bytes, encoding: 'utf8' })
      expect(sent).toEqual({ out: `root\n${hash}!x`, err: '', code: 0 })
      expect((await it.look('cat')).out).toBe('')
    } finally {
      it.close()
    }
  })
})

describe('a password for sudo', () => {
  test('that is wrong is given once, and never again on that host', async () => {
    account({ sudoers: `${name} ALL=(ALL) ALL` })
    const log = `/home/${name}/sudo.log`
    writeFileSync(`/etc/sudoers.d/${name}`, `${name} ALL=(ALL) ALL\nDefaults:${name} logfile=${log}\n`, { mode: 0o440 })
    const it = await enter('sudo', 'wrong')
    try {
      const said = await Promise.allSettled([1, 2, 3, 4, 5].map(() => it.look('id -u')))
      said.push(...(await Promise.allSettled([it.send('cat', Readable.from(['x']))])))
      for (const end of said)
        expect(end).toMatchObject({
          reason: {
            exit: 4,
            troubles: [
              {
                code: 'SUDO_FAILED',
                where: 'h1',
                message: expect.stringContaining('did not take the password'),
                fix: expect.stringContaining('--ask-become-pass'),
              },
            ],
          },
        })
      // sudo writes it when it ends, and a wrong password makes it slow.
      const given = () => readFileSync(log, 'utf8').match(/incorrect password/g)
      await vi.waitFor(() => expect(given()).not.toBeNull(), { timeout: 60_000 })
      expect(given()).toHaveLength(1)
    } finally {
      it.close()
    }
  })

  test('that is wrong for doas is told so', async () => {
    account({ doas: `permit ${name}` })
    const it = await enter('doas', 'wrong')
    try {
      for (let i = 0; i < 2; i++)
        await expect(it.look('id -u')).rejects.toMatchObject({
          exit: 4,
          troubles: [
            { code: 'SUDO_FAILED', where: 'h1', message: expect.stringContaining('did not take the password') },
          ],
        })
    } finally {
      it.close()
    }
  })

  test.each([
    ['sudo', { sudoers: `${name} ALL=(ALL) ALL` }],
    ['doas', { doas: `permit ${name}` }],
  ] as const)('that %s wants and nobody gave is told so, with what to do', async (tool, rules) => {
    account(rules)
    const it = await enter(tool)
    await expect(it.look('id -u')).rejects.toMatchObject({
      exit: 4,
      troubles: [
        {
          code: 'SUDO_FAILED',
          message: expect.stringContaining(`${tool} wants a password`),
          fix: expect.stringContaining('--ask-become-pass'),
        },
      ],
    })
    it.close()
  })

  test('that is not needed costs no exec, and goes nowhere', async () => {
    account({ sudoers: `${name} ALL=(ALL) NOPASSWD: ALL` })
    const it = await enter('sudo', word)
    const asked = execs()
    expect((await it.look('id -u')).out).toBe('0\n')
    expect((await it.look('id -u')).out).toBe('0\n')
    expect(asked()).toBe(2)
    it.close()
  })

  test('is asked for in one exec a call, once it is known that it has to be', async () => {
    account({ sudoers: `${name} ALL=(ALL) ALL` })
    const it = await enter('sudo', word)
    await it.look('true')
    const asked = execs()
    await it.look('true')
    await it.send('cat', Readable.from(['x']))
    expect(asked()).toBe(2)
    it.close()
  })

  test.each([
    ['sudo', { sudoers: `${name} ALL=(ALL) ALL` }],
    ['sudo on a terminal', { sudoers: `${name} ALL=(ALL) ALL\nDefaults:${name} requiretty` }],
    ['doas', { doas: `permit ${name}` }],
  ])('of %s is in no argv and no environment, and nothing of it is left', async (tool, rules) => {
    account(rules as { sudoers?: string; doas?: string })
    const it = await enter(tool.startsWith('sudo') ? 'sudo' : 'doas', word)
    const before = leftBy(name)
    const canary = `canary-in-script-${process.pid}`
    const end = gate()
    // Its whole way there is looked at.
    let there = false
    const looking = it.look(`${end.wait}; : ${canary}`)
    const coming = end.here().finally(() => {
      there = true
    })
    const seen = new Set<string>()
    for (let i = 0; i < 5 || !there; i++) {
      for (const pid of readdirSync('/proc').filter((it) => /^\d+$/.test(it)))
        for (const file of ['cmdline', 'environ'])
          try {
            const text = readFileSync(`/proc/${pid}/${file}`, 'utf8')
            if (text.includes(word) || text.includes(canary)) seen.add(`${pid} ${file} ${text}`)
          } catch {
            // it has ended
          }
      await new Promise((resolve) => setTimeout(resolve, 40))
    }
    await coming
    end.open()
    await looking
    it.close()
    expect([...seen]).toEqual([])
    expect(leftBy(name).filter((dir) => !before.includes(dir))).toEqual([])
  })

  test('whose terminal never comes leaves nothing waiting on the host', async () => {
    const host = sshd.host({ user: name, become: 'sudo' })
    const become = Object.assign(becomeOf(host, new Secret(word)), { asks: true, tty: true })
    const nonce = `test-${process.pid}`
    // a minute, in a second
    const command = startOf(become, nonce, '/bin/sh').command.replace('-lt 300', '-lt 5')
    const waiting = spawn('sh', ['-c', command], { stdio: ['pipe', 'pipe', 'pipe'] })
    await vi.waitFor(() => expect(existsSync(`/tmp/.k8snet-${nonce}/e`)).toBe(true), { timeout: 20_000 })
    // the pipes of all that waited are closed
    await once(waiting, 'close')
    expect(existsSync(`/tmp/.k8snet-${nonce}`)).toBe(false)
  })

  test('lets many calls at once through', async () => {
    account({ sudoers: `${name} ALL=(ALL) ALL\nDefaults:${name} requiretty` })
    const it = await enter('sudo', word)
    const replies = await Promise.all(Array.from({ length: 12 }, (_, i) => it.look(`echo ${i}`)))
    expect(replies.map(({ out }) => Number(out))).toEqual(Array.from({ length: 12 }, (_, i) => i))
    it.close()
  })
})

describe('sudo on a terminal', () => {
  const rules = { sudoers: `${name} ALL=(ALL) NOPASSWD: ALL\nDefaults:${name} requiretty` }

  test('gets one a little later where sshd has no session free just now', async () => {
    account(rules)
    const narrow = await startSshd(['MaxSessions 3'])
    onTestFinished(() => narrow.stop())
    const it = await connect(narrow.host({ user: name, become: 'sudo' }))
    onTestFinished(() => it.close())
    await it.look('true')
    const end = gate()
    const first = it.look(`${end.wait}; echo first`)
    await end.here()
    // It has a channel, and none is left for its terminal.
    const second = it.look('echo second')
    second.catch(() => {})
    await vi.waitFor(() => expect(narrow.log()).toContain('no more sessions'), { timeout: 60_000 })
    end.open()
    expect([(await first).out, (await second).out]).toEqual(['first\n', 'second\n'])
  })

  test('may be gone before the last of the output has come', async () => {
    account(rules)
    const slow = await startApart()
    onTestFinished(() => slow.stop())
    // What passes the output on takes longer than the shell and its terminal.
    slow.replace('cat', '[ $# -gt 0 ] || exec "$real"; all=$("$real" "$@"); sleep 2; echo "$all"')
    const it = await connect(slow.host({ user: name, become: 'sudo' }))
    onTestFinished(() => it.close())
    expect(await it.look('echo whole; exit 3')).toEqual({ out: 'whole\n', err: '', code: 3 })
  })

  test('whose connection breaks before it is there is no refusal of sudo', async () => {
    account(rules)
    const proxy = await startProxy(sshd.port)
    onTestFinished(() => proxy.close())
    const it = await connect(sshd.host({ user: name, become: 'sudo', port: proxy.port }))
    onTestFinished(() => it.close())
    await it.look('true')
    const real = ssh2.Client.prototype.exec
    const exec = vi.spyOn(ssh2.Client.prototype, 'exec')
    onTestFinished(() => exec.mockRestore())
    exec.mockImplementation(function (this: ssh2.Client, ...words: unknown[]) {
      // The terminal is asked for, and its answer does not come any more.
      if (words.length === 3) void proxy.reset()
      return Reflect.apply(real, this, words)
    } as never)
    await expect(it.change('true')).rejects.toMatchObject({ exit: 3, troubles: [{ code: 'CONNECTION_LOST' }] })
  })
})
