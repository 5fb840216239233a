import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { Secret } from '../../src/model/secret.ts'
import { connect } from '../../src/ssh/connect.ts'
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
  user?.remove()
  user = undefined
  doasRule(undefined)
})
afterAll(() => sshd?.stop())

/** Writes the user's line into doas.conf, or takes it out. */
function doasRule(rule: string | undefined) {
  const others = existsSync(conf)
    ? readFileSync(conf, 'utf8')
        .split('\n')
        .filter((it) => it !== '' && !it.includes(name))
    : []
  const lines = rule ? [...others, rule] : others
  if (lines.length === 0) return rmSync(conf, { force: true })
  writeFileSync(`${conf}.${name}`, `${lines.join('\n')}\n`, { mode: 0o400 })
  renameSync(`${conf}.${name}`, conf)
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
function ownerOf(path: string): string {
  return spawnSync('stat', ['-c', '%U', path], { encoding: 'utf8' }).stdout.trim()
}
/** Execs that sshd ran for the user since `from`. */
const execs = (from: number) =>
  sshd
    .log()
    .slice(from)
    .match(/Starting session: command/g)?.length ?? 0

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
      await vi.waitFor(() => expect(given()).not.toBeNull(), { timeout: 10_000 })
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
    const from = sshd.log().length
    expect((await it.look('id -u')).out).toBe('0\n')
    expect((await it.look('id -u')).out).toBe('0\n')
    expect(execs(from)).toBe(2)
    it.close()
  })

  test('is asked for in one exec a call, once it is known that it has to be', async () => {
    account({ sudoers: `${name} ALL=(ALL) ALL` })
    const it = await enter('sudo', word)
    await it.look('true')
    const from = sshd.log().length
    await it.look('true')
    await it.send('cat', Readable.from(['x']))
    expect(execs(from)).toBe(2)
    it.close()
  })

  test.each([
    ['sudo', { sudoers: `${name} ALL=(ALL) ALL` }],
    ['sudo on a terminal', { sudoers: `${name} ALL=(ALL) ALL\nDefaults:${name} requiretty` }],
    ['doas', { doas: `permit ${name}` }],
  ])('of %s is in no argv and no environment, and nothing of it is left', async (tool, rules) => {
    account(rules as { sudoers?: string; doas?: string })
    const it = await enter(tool.startsWith('sudo') ? 'sudo' : 'doas', word)
    const looking = it.look('sleep 1; : canary-in-script')
    const seen = new Set<string>()
    for (let i = 0; i < 20; i++) {
      for (const pid of readdirSync('/proc').filter((it) => /^\d+$/.test(it)))
        for (const file of ['cmdline', 'environ'])
          try {
            const text = readFileSync(`/proc/${pid}/${file}`, 'utf8')
            if (text.includes(word) || text.includes('canary-in-script')) seen.add(`${pid} ${file} ${text}`)
          } catch {
            // it has ended
          }
      await new Promise((resolve) => setTimeout(resolve, 40))
    }
    await looking
    it.close()
    expect([...seen]).toEqual([])
    const left = readdirSync('/tmp').filter((it) => it.startsWith('.k8snet-'))
    expect(left.filter((it) => ownerOf(join('/tmp', it)) === name)).toEqual([])
  })

  test('lets many calls at once through', async () => {
    account({ sudoers: `${name} ALL=(ALL) ALL\nDefaults:${name} requiretty` })
    const it = await enter('sudo', word)
    const replies = await Promise.all(Array.from({ length: 12 }, (_, i) => it.look(`echo ${i}`)))
    expect(replies.map(({ out }) => Number(out))).toEqual(Array.from({ length: 12 }, (_, i) => i))
    it.close()
  })
})
