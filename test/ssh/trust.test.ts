import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../src/model/secret.ts'
import { connect } from '../../src/ssh/connect.ts'
import { freePort } from '../helpers/ports.ts'
import { startProxy } from '../helpers/proxy.ts'
import { addUser, makeKey, type Sshd, setPassword, startSshd } from '../helpers/sshd.ts'

let sshd: Sshd
let dir: string
let other: { fingerprint: string; line: string }
beforeAll(async () => {
  sshd = await startSshd()
  dir = mkdtempSync(join(tmpdir(), 'k8snet-trust-'))
  other = makeKey(join(dir, 'other'), 'ed25519')
})
afterAll(async () => {
  await sshd?.stop()
  rmSync(dir, { recursive: true, force: true })
})

type Change = Parameters<Sshd['host']>[0]
/** 'trusted', or the one trouble. */
async function outcome(change: Change, options: Parameters<typeof connect>[1] = {}) {
  try {
    const it = await connect(sshd.host(change), options)
    const reply = await it.look('echo in')
    it.close()
    return reply.out === 'in\n' ? 'trusted' : reply
  } catch (error) {
    const { troubles, exit } = error as {
      troubles: { code: string; message: string; evidence: { source: string; line: string }[]; fix: string }[]
      exit: number
    }
    expect([exit, troubles.length]).toEqual([4, 1])
    return troubles[0]!
  }
}
function known(...lines: string[]): Change {
  const file = join(dir, 'known')
  writeFileSync(file, `${lines.join('\n')}\n`)
  return { hostKey: undefined, knownHosts: file }
}
const name = () => `[127.0.0.1]:${sshd.port}`
const ed = () => sshd.hostKeys.ed25519
const ec = () => sshd.hostKeys.ecdsa

describe('a pinned host key', () => {
  test('of the host is trusted, whatever known_hosts says', async () => {
    expect(await outcome({ ...known(`${name()} ${other.line}`), hostKey: ed().fingerprint })).toBe('trusted')
  })

  test('of another type than the one the host shows first is trusted', async () => {
    expect(await outcome({ hostKey: ec().fingerprint })).toBe('trusted')
  })

  test('that is another is refused, with both fingerprints, before any login', async () => {
    const before = sshd.log().length
    const trouble = await outcome({ hostKey: other.fingerprint })
    expect(trouble).toMatchObject({ code: 'HOSTKEY_CHANGED', where: 'h1' })
    expect(JSON.stringify(trouble)).toContain(other.fingerprint)
    expect(JSON.stringify(trouble)).toContain(ed().fingerprint)
    expect(sshd.log().slice(before)).not.toMatch(/userauth|Accepted|Postponed/)
  })

  test('does not hide that the login fails, also where it is of a later type', async () => {
    expect(await outcome({ hostKey: ec().fingerprint, key: join(dir, 'other') })).toMatchObject({ code: 'AUTH_FAILED' })
  })
})

describe('known_hosts', () => {
  test.each([
    ['a plain line', () => [`${name()} ${ed().line}`]],
    ['a line of many names', () => [`example.com,${name()} ${ed().line}`]],
    ['a glob', () => [`[127.0.0.*]:* ${ed().line}`]],
    ['only a key of another type than the first', () => [`${name()} ${ec().line}`]],
    ['the key after an older one', () => [`${name()} ${other.line}`, `${name()} ${ed().line}`]],
    [
      'the key among comments, empty and broken lines',
      () => [
        '# x',
        '',
        'nonsense',
        `${name()} ssh-ed25519 AAAA`,
        `@new ${name()} ${other.line}`,
        `${name()} ${ed().line}`,
      ],
    ],
    ['a revoked key of somebody else', () => [`@revoked * ${other.line}`, `${name()} ${ed().line}`]],
  ])('with %s trusts the host', async (_, lines) => {
    expect(await outcome(known(...lines()))).toBe('trusted')
  })

  test('hashed by ssh-keygen -H trusts the host, and only it', async () => {
    const change = known(`${name()} ${ed().line}`, `host.example ${other.line}`)
    execFileSync('ssh-keygen', ['-q', '-H', '-f', join(dir, 'known')], { stdio: 'ignore' })
    expect(readFileSync(join(dir, 'known'), 'utf8')).toMatch(/^\|1\|/)
    expect(await outcome(change)).toBe('trusted')
    const changed = known(`${name()} ${other.line}`)
    execFileSync('ssh-keygen', ['-q', '-H', '-f', join(dir, 'known')], { stdio: 'ignore' })
    expect(await outcome(changed)).toMatchObject({ code: 'HOSTKEY_CHANGED' })
  })

  test.each([
    ['is empty', () => [''], 'HOSTKEY_UNKNOWN', /ssh-keyscan/],
    ['knows the address on another port only', () => [`127.0.0.1 ${ed().line}`], 'HOSTKEY_UNKNOWN', /ssh-keyscan/],
    ['takes the host out again', () => [`!${name()},[127.0.0.*]:* ${ed().line}`], 'HOSTKEY_UNKNOWN', /ssh-keyscan/],
    [
      'has an authority only',
      () => [`@cert-authority * ${ed().line}`],
      'HOSTKEY_UNKNOWN',
      /certificates of hosts are not understood/,
    ],
    ['knows another key', () => ['', `${name()} ${other.line}`], 'HOSTKEY_CHANGED', /known:2/],
    ['revokes the key', () => [`${name()} ${ed().line}`, `@revoked * ${ed().line}`], 'HOSTKEY_CHANGED', /known:2/],
  ])('that %s refuses the host and says why', async (_, lines, code, said) => {
    const trouble = await outcome(known(...lines()))
    expect(trouble).toMatchObject({ code })
    expect(JSON.stringify(trouble)).toMatch(said)
    expect(JSON.stringify(trouble)).toContain(ed().fingerprint)
  })

  test('that is not there refuses the host, and its fix works as it stands', async () => {
    const knownHosts = join(dir, 'not there')
    const trouble = await outcome({ hostKey: undefined, knownHosts })
    expect(trouble).toMatchObject({
      code: 'HOSTKEY_UNKNOWN',
      fix: expect.stringContaining(`hosts.h1.hostKey: ${ed().fingerprint}`),
    })
    const fix = /ssh-keyscan .*$/.exec((trouble as { fix: string }).fix)![0]
    // ssh-keyscan waits five seconds for a machine, and then writes nothing.
    for (let i = 0; i < 5 && !existsSync(knownHosts); i++) {
      execFileSync('sh', ['-c', fix], { stdio: 'ignore' })
      if (readFileSync(knownHosts, 'utf8') === '') rmSync(knownHosts)
    }
    expect(await outcome({ hostKey: undefined, knownHosts })).toBe('trusted')
  })
})

describe('a login', () => {
  test.each([
    ['with a key that the host does not know', () => ({ key: join(dir, 'other') }), /did not let root in/],
    ['with a key that is not there', () => ({ key: join(dir, 'nothing') }), /cannot be read/],
    ['with the public half of the key', () => ({ key: `${sshd.key}.pub` }), /no private key/],
    ['with no key and no agent', () => ({ key: undefined }), /no SSH agent/],
    ['of a user that is not there', () => ({ user: 'nobody-like-this' }), /did not let nobody-like-this in/],
  ])('%s is AUTH_FAILED and says so', async (_, change, message) => {
    expect(await outcome(change())).toMatchObject({
      code: 'AUTH_FAILED',
      where: 'h1',
      message: expect.stringMatching(message),
      fix: expect.stringMatching(/./),
    })
  })

  test('with an encrypted key is AUTH_FAILED and names the agent', async () => {
    makeKey(join(dir, 'locked'), 'ed25519', 'pass phrase')
    expect(await outcome({ key: join(dir, 'locked') })).toMatchObject({
      code: 'AUTH_FAILED',
      message: expect.stringContaining('encrypted'),
      fix: expect.stringContaining('ssh-add'),
    })
  })

  test('with the agent works where no key is named, and says when the agent is gone', async () => {
    const agentSocket = join(dir, 'agent')
    const said = execFileSync('ssh-agent', ['-a', agentSocket], { encoding: 'utf8' })
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(said)![1])
    try {
      expect(await outcome({ key: undefined }, { agentSocket })).toMatchObject({ code: 'AUTH_FAILED' })
      execFileSync('ssh-add', ['-q', sshd.key], { env: { SSH_AUTH_SOCK: agentSocket }, stdio: 'ignore' })
      expect(await outcome({ key: undefined }, { agentSocket })).toBe('trusted')
    } finally {
      process.kill(pid)
    }
    expect(await outcome({ key: undefined }, { agentSocket: join(dir, 'gone') })).toMatchObject({
      code: 'AUTH_FAILED',
      message: expect.stringContaining('does not answer'),
      evidence: [{ source: 'SSH agent', line: expect.stringMatching(/ENOENT|agent/i) }],
    })
  })

  test.each(['yes', 'no'])(
    'with a password works (PasswordAuthentication %s, which without it refuses)',
    async (allowed) => {
      // Other runs of this test may be under way on this machine.
      const user = addUser(`k8snet-t5-${process.pid}`)
      setPassword(user.name, 'open sesame')
      const server = await startSshd([`PasswordAuthentication ${allowed}`])
      try {
        const host = server.host({ user: user.name, key: undefined, password: new Secret('open sesame') })
        if (allowed === 'yes') {
          const it = await connect(host)
          expect((await it.look('id -un')).out).toBe(`${user.name}\n`)
          it.close()
        } else await expect(connect(host)).rejects.toMatchObject({ troubles: [{ code: 'AUTH_FAILED' }] })
      } finally {
        user.remove()
        await server.stop()
      }
    },
  )

  test('with an RSA key works', async () => {
    const rsa = makeKey(join(dir, 'rsa'), 'rsa')
    const keys = join(sshd.dir, 'authorized_keys')
    copyFileSync(keys, `${keys}.was`)
    writeFileSync(keys, `${rsa.line}\n`)
    try {
      expect(await outcome({ key: join(dir, 'rsa') })).toBe('trusted')
    } finally {
      copyFileSync(`${keys}.was`, keys)
    }
  })
})

describe('a host that cannot be reached', () => {
  test('since nothing listens is told so', async () => {
    expect(await outcome({ port: await freePort() })).toMatchObject({
      code: 'HOST_UNREACHABLE',
      message: expect.stringContaining('nothing listens'),
      evidence: [{ line: expect.stringContaining('ECONNREFUSED') }],
    })
  })

  test('since its name does not resolve is told so', async () => {
    // A name server that does not answer is waited for.
    expect(await outcome({ address: 'no-such-host.invalid' }, { readyTimeoutMs: 200_000 })).toMatchObject({
      code: 'HOST_UNREACHABLE',
      message: expect.stringMatching(/name/),
    })
  })

  test('since it closes the connection without a word is told so', async () => {
    const proxy = await startProxy(sshd.port)
    proxy.cutAfter(1)
    try {
      expect(await outcome({ port: proxy.port }, { readyTimeoutMs: 3000, firstPatienceMs: 0 })).toMatchObject({
        code: 'HOST_UNREACHABLE',
        where: 'h1',
      })
    } finally {
      await proxy.close()
    }
  })

  test('in the time given is told so', async () => {
    const proxy = await startProxy(sshd.port)
    proxy.stall()
    const began = Date.now()
    try {
      expect(await outcome({ port: proxy.port }, { readyTimeoutMs: 400 })).toMatchObject({ code: 'HOST_UNREACHABLE' })
      // Twenty seconds are what it waits without being told.
      expect(Date.now() - began).toBeLessThan(15_000)
    } finally {
      await proxy.close()
    }
  })
})
