import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Secret } from '../../src/model/secret.ts'
import { connect, connectAll, type Secrets } from '../../src/ssh/connect.ts'
import { addUser, makeKey, type Sshd, setPassword, startSshd } from '../helpers/sshd.ts'

let sshd: Sshd
let dir: string
let agentSocket: string
let agentPid: number
const own = (name: string) => join(dir, name)

beforeAll(async () => {
  sshd = await startSshd()
  dir = mkdtempSync(join(tmpdir(), 'k8snet-keys-'))
  for (let i = 0; i < 8; i++) makeKey(own(`other${i}`), 'ed25519')
  makeKey(own('locked'), 'ed25519', 'pass phrase')
  makeKey(own('foreign'), 'ed25519', 'pass phrase')
  makeKey(own('old'), 'rsa', 'pass phrase')
  // The form that keys had before OpenSSH 7.8: it does not show its public half.
  execFileSync('ssh-keygen', ['-q', '-p', '-P', 'pass phrase', '-N', 'pass phrase', '-m', 'PEM', '-f', own('old')])
  const keys = [sshd.key, own('locked'), own('old')].map((it) => readFileSync(`${it}.pub`, 'utf8'))
  writeFileSync(join(sshd.dir, 'authorized_keys'), keys.join(''))
  rmSync(own('old.pub'))
  agentSocket = own('agent')
  agentPid = Number(
    /SSH_AGENT_PID=(\d+)/.exec(execFileSync('ssh-agent', ['-a', agentSocket], { encoding: 'utf8' }))![1],
  )
})
afterAll(async () => {
  if (agentPid) process.kill(agentPid)
  await sshd?.stop()
  rmSync(dir, { recursive: true, force: true })
})

type Change = Parameters<Sshd['host']>[0]
async function outcome(change: Change, options: Parameters<typeof connect>[1] = {}) {
  try {
    const it = await connect(sshd.host(change), options)
    const { out } = await it.look('echo in')
    it.close()
    return out
  } catch (error) {
    return (error as { troubles: { code: string; message: string }[] }).troubles[0]!
  }
}
function agentHolds(...keys: string[]) {
  const env = { SSH_AUTH_SOCK: agentSocket }
  execFileSync('ssh-add', ['-q', '-D'], { env, stdio: 'ignore' })
  for (const key of keys) execFileSync('ssh-add', ['-q', key], { env, stdio: 'ignore' })
}
/** Somebody who types these passphrases, one after the other; what was asked for stands in `asked`. */
function person(...answers: string[]) {
  const asked: string[] = []
  const passphrase: NonNullable<Secrets['passphrase']> = async (path, again) => {
    asked.push(`${path}${again ? ' again' : ''}`)
    const answer = answers.shift()
    return answer === undefined ? undefined : new Secret(answer)
  }
  return { asked, secrets: { passphrase } }
}
const nine = () => [...Array.from({ length: 8 }, (_, i) => own(`other${i}`)), sshd.key]

describe('keys', () => {
  test('are tried in their order, and one that is not there is passed over', async () => {
    expect(await outcome({ key: [own('nothing'), own('other0'), sshd.key] })).toBe('in\n')
  })

  test('of which none is let in are all named', async () => {
    const trouble = await outcome({ key: [own('other0'), own('other1')] })
    expect(trouble).toMatchObject({ code: 'AUTH_FAILED', message: expect.stringContaining('other0') })
    expect(JSON.stringify(trouble)).toContain('other1')
  })

  test('the usual ones are tried where none is named', async () => {
    const config = { usualKeys: [own('nothing'), own('other0'), sshd.key] }
    expect(await outcome({ key: undefined, config })).toBe('in\n')
  })
})

describe('an encrypted key', () => {
  test.each(['locked', 'old'])('%s is asked for once for many hosts, a wrong passphrase again', async (name) => {
    const { asked, secrets } = person('wrong', 'pass phrase')
    const hosts = Array.from({ length: 12 }, (_, i) => sshd.host({ name: `n${i}`, key: own(name) }))
    const all = await connectAll(hosts, { secrets, window: 6 })
    expect([...all.values()].filter((it) => 'troubles' in it)).toEqual([])
    for (const it of all.values()) if ('close' in it) it.close()
    expect(asked).toEqual([own(name), `${own(name)} again`])
  })

  test('is asked for only when a host takes it', async () => {
    const { asked, secrets } = person('pass phrase')
    expect(await outcome({ key: [own('foreign'), own('locked')] }, { secrets })).toBe('in\n')
    expect(asked).toEqual([own('locked')])
  })

  test('is not asked for where an agent holds it', async () => {
    agentHolds(sshd.key)
    copyFileSync(sshd.key, own('copy'))
    execFileSync('ssh-keygen', ['-q', '-p', '-N', 'secret', '-f', own('copy')])
    const { asked, secrets } = person()
    expect(await outcome({ key: own('copy') }, { secrets, agentSocket })).toBe('in\n')
    expect(asked).toEqual([])
  })

  test('takes as long as the person takes', async () => {
    // Only the person's time goes by: how long the login itself takes on a busy machine does not count.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const passphrase = async () => {
      await vi.advanceTimersByTimeAsync(2500)
      return new Secret('pass phrase')
    }
    try {
      expect(await outcome({ key: own('locked') }, { secrets: { passphrase }, readyTimeoutMs: 1000 })).toBe('in\n')
    } finally {
      vi.useRealTimers()
    }
  })

  test('whose passphrase nobody knows is AUTH_FAILED and says so', async () => {
    const trouble = await outcome({ key: own('locked') }, { secrets: person('no', 'no', 'no', 'pass phrase').secrets })
    expect(trouble).toMatchObject({ code: 'AUTH_FAILED' })
    expect(JSON.stringify(trouble)).toMatch(/passphrase of .*locked was wrong 3 times/)
  })
})

describe('an agent with nine keys, the right one last,', () => {
  test('says why it does not get in', async () => {
    agentHolds(...nine())
    expect(await outcome({ key: undefined }, { agentSocket })).toMatchObject({
      code: 'AUTH_FAILED',
      message: expect.stringMatching(/hung up after \d keys/),
      fix: expect.stringContaining('ssh.key'),
    })
  })

  test.each([
    ['the right key is named', () => ({ key: sshd.key })],
    ['its public half is named', () => ({ key: `${sshd.key}.pub` })],
    ['only its public half is there', () => ({ key: own('half') })],
    ['it is an IdentityFile of ~/.ssh/config', () => ({ key: undefined, config: { usualKeys: [sshd.key] } })],
    ['IdentitiesOnly is set', () => ({ key: undefined, config: { usualKeys: [sshd.key], identitiesOnly: true } })],
  ] as [string, () => Change][])('gets in where %s', async (_, change) => {
    agentHolds(...nine())
    copyFileSync(`${sshd.key}.pub`, own('half.pub'))
    expect(await outcome(change(), { agentSocket })).toBe('in\n')
  })

  test('is not asked where IdentityAgent is none, and another one where it says so', async () => {
    agentHolds(sshd.key)
    expect(await outcome({ key: undefined, config: { identityAgent: 'none' } }, { agentSocket })).toMatchObject({
      code: 'AUTH_FAILED',
      message: expect.stringContaining('no SSH agent'),
    })
    const config = { identityAgent: agentSocket }
    expect(await outcome({ key: undefined, config }, { agentSocket: own('gone') })).toBe('in\n')
  })

  test('whose public half is named and that does not hold it is told so', async () => {
    agentHolds(own('other0'))
    expect(await outcome({ key: `${sshd.key}.pub` }, { agentSocket })).toMatchObject({
      code: 'AUTH_FAILED',
      message: expect.stringContaining('no agent holds its private half'),
    })
  })
})

describe('a password', () => {
  const name = `k8snet-k${process.pid}`
  const servers = {
    both: ['UsePAM yes', 'PasswordAuthentication yes', 'KbdInteractiveAuthentication yes'],
    'passwords only': ['UsePAM yes', 'PasswordAuthentication yes', 'KbdInteractiveAuthentication no'],
    'keyboard-interactive only': ['UsePAM yes', 'PasswordAuthentication no', 'KbdInteractiveAuthentication yes'],
  }
  test.each(Object.entries(servers))('lets in where sshd takes %s; a wrong one is tried once', async (_, config) => {
    const user = addUser(name)
    setPassword(name, 'open sesame')
    const server = await startSshd(config)
    try {
      const host = server.host({ user: name, key: undefined })
      const it = await connect(host, { secrets: { password: new Secret('open sesame') } })
      expect((await it.look('id -un')).out).toBe(`${name}\n`)
      it.close()
      const from = server.log().length
      await expect(connect(host, { secrets: { password: new Secret('wrong') } })).rejects.toMatchObject({
        troubles: [{ code: 'AUTH_FAILED', message: expect.stringContaining('a password') }],
      })
      await expect.poll(() => server.log().slice(from), { timeout: 20_000 }).toMatch(/Failed|error: PAM/)
      const failures =
        server
          .log()
          .slice(from)
          .match(/PAM: Authentication failure|Failed password/g) ?? []
      expect(failures.length).toBe(1)
    } finally {
      user.remove()
      await server.stop()
    }
  })

  test('comes after the keys, and is the second half where sshd wants both', async () => {
    const user = addUser(name)
    setPassword(name, 'open sesame')
    const server = await startSshd(['PasswordAuthentication yes', 'AuthenticationMethods publickey,password'])
    try {
      const it = await connect(server.host({ user: name }), { secrets: { password: new Secret('open sesame') } })
      expect((await it.look('id -un')).out).toBe(`${name}\n`)
      it.close()
    } finally {
      user.remove()
      await server.stop()
    }
  })
})
