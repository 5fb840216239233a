import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Door } from '../../src/model/inventory.ts'
import { Secret } from '../../src/model/secret.ts'
import { withSshConfig } from '../../src/ssh/config.ts'
import { connect, connectAll } from '../../src/ssh/connect.ts'
import { openGates, gate as stopAt } from '../helpers/gate.ts'
import { freePort } from '../helpers/ports.ts'
import { makeKey, type Sshd, startSshd } from '../helpers/sshd.ts'

let [inner, gate, outer]: Sshd[] = []
let dir: string
beforeAll(async () => {
  ;[inner, gate, outer] = await Promise.all([startSshd(), startSshd(), startSshd()])
  dir = mkdtempSync(join(tmpdir(), 'k8snet-jump-'))
  makeKey(join(dir, 'other'), 'ed25519')
})
afterAll(async () => {
  await Promise.all([inner, gate, outer].map((it) => it?.stop()))
  rmSync(dir, { recursive: true, force: true })
})

afterEach(openGates)

/** A server as a bastion: root, its key pinned. */
function bastion(sshd: Sshd, change: Parameters<Sshd['host']>[0] = {}): Door {
  const { role, nodeIP, become, ...door } = sshd.host(change)
  return { ...door, name: `bastion ${sshd === outer ? 'outer' : 'gate'}` }
}
const logins = (sshd: Sshd) => sshd.log().match(/Accepted publickey/g)?.length ?? 0
/** Connections that the server holds just now. */
const open = (sshd: Sshd) => {
  const { stdout } = spawnSync('pgrep', ['-c', '-P', String(sshd.pid)], { encoding: 'utf8' })
  return Number(stdout)
}
async function trouble(host: Parameters<typeof connect>[0], options: Parameters<typeof connect>[1] = {}) {
  const error = await connect(host, { firstPatienceMs: 0, ...options }).then(
    () => undefined,
    (error) => error,
  )
  expect(error.exit).toBe(4)
  expect(error.troubles).toHaveLength(1)
  return error.troubles[0]
}

describe('a bastion', () => {
  test('is logged in to once for forty hosts, and is left when the last one is', async () => {
    const before = logins(gate!)
    const jump = [bastion(gate!)]
    const hosts = Array.from({ length: 40 }, (_, i) => inner!.host({ name: `n${i}`, jump }))
    const all = await connectAll(hosts, { window: 16 })
    const seen = await Promise.all(
      [...all.values()].map(async (it) => ('troubles' in it ? it.troubles[0] : (await it.look('echo in')).out)),
    )
    expect(seen).toEqual(Array(40).fill('in\n'))
    expect(logins(gate!) - before).toBe(1)
    for (const it of all.values()) if ('close' in it) it.close()
    await expect.poll(() => open(gate!), { timeout: 60_000 }).toBe(0)
  })

  test('behind a bastion leads on', async () => {
    const [before, first] = [logins(gate!), logins(outer!)]
    const it = await connect(inner!.host({ jump: [bastion(outer!), bastion(gate!)] }))
    expect((await it.look('echo in')).out).toBe('in\n')
    expect([logins(gate!) - before, logins(outer!) - first]).toEqual([1, 1])
    it.close()
    await expect.poll(() => [open(gate!), open(outer!)], { timeout: 60_000 }).toEqual([0, 0])
  })

  test('that ProxyJump of ~/.ssh/config names leads to the host', async () => {
    mkdirSync(join(dir, '.ssh'), { recursive: true })
    writeFileSync(
      join(dir, '.ssh', 'config'),
      `Host in.side\n  HostName 127.0.0.1\n  Port ${inner!.port}\n  ProxyJump root@127.0.0.1:${gate!.port}\nHost *\n  IdentityFile ${gate!.key}\n  IdentityFile ${inner!.key}\n  UserKnownHostsFile ${gate!.knownHosts} ${inner!.knownHosts}\n`,
    )
    const silent = { unsaid: ['port', 'knownHosts', 'jump'] as const, port: 22, key: undefined, hostKey: undefined }
    const [host] = withSshConfig([inner!.host({ address: 'in.side', ...silent })], {
      home: dir,
      env: {},
      system: '/nowhere',
    })
    const before = logins(gate!)
    const it = await connect(host!)
    expect((await it.look('echo in')).out).toBe('in\n')
    it.close()
    expect(logins(gate!) - before).toBe(1)
  })

  test.each([
    [
      'whose host key is another',
      () => ({ hostKey: `SHA256:${'A'.repeat(43)}` }),
      'HOSTKEY_CHANGED',
      /bastion gate: it showed another/,
    ],
    [
      'whose host key is unknown',
      () => ({ hostKey: undefined, knownHosts: '/nowhere' }),
      'HOSTKEY_UNKNOWN',
      /bastion gate: its host key/,
    ],
    [
      'that does not let us in',
      () => ({ key: join(dir, 'other') }),
      'AUTH_FAILED',
      /bastion gate: it did not let root in/,
    ],
    ['that is not there', () => ({ port: 1 }), 'HOST_UNREACHABLE', /bastion gate: no connection/],
  ] as const)('%s is named as such, once tried, at each host behind it', async (_, change, code, message) => {
    const from = gate!.log().length
    // A pin does not say its type, so each type is asked for; none more than once.
    const jump = [bastion(gate!, change())]
    const all = await connectAll(
      [1, 2, 3].map((i) => inner!.host({ name: `n${i}`, jump })),
      { window: 1, firstPatienceMs: 0 },
    )
    const told = [...all.values()].map((it) => 'troubles' in it && it.troubles[0])
    expect(told).toEqual(
      [1, 2, 3].map((i) => expect.objectContaining({ code, where: `n${i}`, message: expect.stringMatching(message) })),
    )
    expect(
      gate!
        .log()
        .slice(from)
        .match(/Connection from/g)?.length ?? 0,
    ).toBeLessThanOrEqual(code === 'HOSTKEY_CHANGED' ? 3 : 1)
  })

  test('from which the host cannot be reached says so, in the words of the bastion', async () => {
    const told = await trouble(inner!.host({ port: await freePort(), jump: [bastion(gate!)] }))
    expect(told).toMatchObject({
      code: 'HOST_UNREACHABLE',
      where: 'h1',
      message: expect.stringContaining('from bastion gate'),
      evidence: [{ source: 'bastion gate', line: expect.stringMatching(/refused/i) }],
    })
  })

  test('that forwards nothing says what to allow', async () => {
    const shut = await startSshd(['AllowTcpForwarding no'])
    try {
      expect(await trouble(inner!.host({ jump: [bastion(shut)] }))).toMatchObject({
        code: 'HOST_UNREACHABLE',
        fix: expect.stringContaining('AllowTcpForwarding'),
      })
    } finally {
      await shut.stop()
    }
  })

  test('does not stand for the host: its key is judged too, and its login is another', async () => {
    const jump = [bastion(gate!)]
    expect(await trouble(inner!.host({ jump, hostKey: gate!.hostKeys.ed25519.fingerprint }))).toMatchObject({
      code: 'HOSTKEY_CHANGED',
      where: 'h1',
      message: expect.stringMatching(/^it showed/),
    })
    expect(await trouble(inner!.host({ jump, key: join(dir, 'other') }))).toMatchObject({ code: 'AUTH_FAILED' })
  })

  test('never sees the password of the hosts', async () => {
    const jump = [bastion(gate!, { key: join(dir, 'other') })]
    const from = gate!.log().length
    const secrets = { password: new Secret('of the hosts') }
    expect(await trouble(inner!.host({ jump }), { secrets })).toMatchObject({ code: 'AUTH_FAILED' })
    expect(gate!.log().slice(from)).not.toMatch(/password/)
  })

  test('that goes away in the middle is named as the cause', async () => {
    const short = await startSshd()
    const it = await connect(inner!.host({ jump: [bastion(short)] }), { patienceMs: 0 })
    const end = stopAt()
    const looking = it.change(end.wait)
    looking.catch(() => {})
    await end.here()
    execFileSync('pkill', ['-9', '-P', String(short.pid)])
    await expect(looking).rejects.toMatchObject({
      troubles: [{ code: 'CONNECTION_LOST', evidence: [{ line: expect.stringContaining('bastion gate is gone') }] }],
    })
    it.close()
    await short.stop()
  })
})
