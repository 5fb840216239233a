import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Host } from '../../src/model/inventory.ts'
import type { Failure } from '../../src/model/trouble.ts'
import { withSshConfig } from '../../src/ssh/config.ts'

/** ~/.ssh/config as the ssh of this machine understands it; the calls are counted by a script that stands before it in PATH. */

const root = mkdtempSync('/tmp/k8snet-config-')
const path = process.env.PATH
const calls = join(root, 'calls')
const ssh = execFileSync('sh', ['-c', 'command -v ssh'], { encoding: 'utf8' }).trim()
const home = join(root, 'home')
beforeEach(() => {
  rmSync(home, { recursive: true, force: true })
  mkdirSync(join(home, '.ssh', 'more'), { recursive: true })
  mkdirSync(join(root, 'bin'), { recursive: true })
  writeFileSync(join(root, 'bin', 'ssh'), `#!/bin/sh\necho "$*" >> ${calls}\nexec ${ssh} "$@"\n`)
  chmodSync(join(root, 'bin', 'ssh'), 0o755)
  writeFileSync(calls, '')
  process.env.PATH = `${join(root, 'bin')}:${path}`
})
afterEach(() => {
  process.env.PATH = path
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const count = () => readFileSync(calls, 'utf8').split('\n').length - 1
const config = (text: string) => writeFileSync(join(home, '.ssh', 'config'), text)
const host = (address: string, more: Partial<Host> = {}): Host => ({
  name: 'h1',
  role: 'worker',
  address,
  port: 22,
  nodeIP: '10.0.0.1',
  user: userInfo().username,
  become: 'none',
  knownHosts: join(home, '.ssh', 'known_hosts'),
  unsaid: ['user', 'port', 'knownHosts', 'jump'],
  ...more,
})
const resolve = (hosts: Host[]) => withSshConfig(hosts, { home, env: { SOCK: '/run/sock' }, system: '/nowhere' })
const one = (address: string, more: Partial<Host> = {}) => resolve([host(address, more)])[0]!
function refused(act: () => unknown) {
  try {
    act()
  } catch (error) {
    return error as Failure
  }
  throw new Error('it was not refused')
}

describe('~/.ssh/config', () => {
  test('fills in what the inventory does not say', () => {
    config(`Host w1
  HostName 10.9.8.7
  User admin
  Port 2200
  IdentityFile ~/.ssh/lab_%h
  IdentitiesOnly yes
  IdentityAgent $SOCK
  UserKnownHostsFile ~/.ssh/lab_hosts /var/known
  GlobalKnownHostsFile /etc/all_hosts
  HostKeyAlias lab
  ConnectTimeout 7
`)
    expect(one('w1')).toMatchObject({
      address: 'w1',
      user: 'admin',
      port: 2200,
      knownHosts: [expect.stringMatching(/\.ssh\/lab_hosts$/), '/var/known', '/etc/all_hosts'],
      config: {
        hostName: '10.9.8.7',
        hostKeyAlias: 'lab',
        identityAgent: '/run/sock',
        identitiesOnly: true,
        connectTimeoutMs: 7000,
        usualKeys: [join(home, '.ssh', 'lab_10.9.8.7')],
      },
    })
  })

  test('gives way to the inventory', () => {
    config('Host *\n  User admin\n  Port 2200\n  UserKnownHostsFile /var/known\n  ProxyJump gate\n')
    const said = { user: 'me', port: 23, knownHosts: '/mine', unsaid: [], jump: [] } as const
    expect(one('w1', said)).toMatchObject({ ...said })
    expect(one('w1', { unsaid: ['jump'] })).toMatchObject({ jump: [{ address: 'gate', user: 'admin', port: 2200 }] })
  })

  test.each([
    ['is not there', null],
    ['is empty', ''],
    ['holds what does not matter here', 'Host *\n  SendEnv LANG\n  HashKnownHosts yes\n'],
  ])('that %s costs no call of ssh, and the usual files count', (_, text) => {
    if (text !== null) config(text)
    expect(one('w1')).toEqual(
      host('w1', {
        config: { usualKeys: ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((it) => join(home, '.ssh', it)) },
        knownHosts: [
          ...['known_hosts', 'known_hosts2'].map((it) => join(home, '.ssh', it)),
          '/etc/ssh/ssh_known_hosts',
          '/etc/ssh/ssh_known_hosts2',
        ],
      }),
    )
    expect(count()).toBe(0)
  })

  test('is asked once for all hosts that no pattern tells apart: 5,000 of them in three calls', () => {
    config('Host 10.1.*\n  User one\nHost 10.2.* !10.2.0.7\n  Port 2200\nHost *\n  ConnectTimeout 3\n')
    const hosts = Array.from({ length: 5000 }, (_, i) =>
      host(`10.${1 + (i % 3)}.${Math.floor(i / 250)}.${i % 250}`, { name: `n${i}` }),
    )
    const began = process.cpuUsage()
    const made = resolve(hosts)
    // CPU time, since the machine may be busy with something else.
    expect(process.cpuUsage(began).user).toBeLessThan(2_000_000)
    expect(count()).toBeLessThanOrEqual(4)
    for (const it of made) {
      const net = it.address.split('.')[1]
      expect([it.user, it.port, it.config?.hostName]).toEqual([
        net === '1' ? 'one' : userInfo().username,
        net === '2' && it.address !== '10.2.0.7' ? 2200 : 22,
        undefined,
      ])
    }
  })

  test('that speaks of each host by name is asked for each', () => {
    config('Host *.lab\n  HostName %h.example\n')
    const made = resolve([host('a.lab'), host('b.lab'), host('c')])
    expect(made.map((it) => it.config?.hostName)).toEqual(['a.lab.example', 'b.lab.example', undefined])
  })

  test('with Match and Include is understood as ssh does', () => {
    writeFileSync(join(home, '.ssh', 'more', 'lab.conf'), 'Host w*\n  Port 2201\n')
    config(`Include ${join(home, '.ssh', 'more')}/*.conf\nMatch host x1 user root\n  Port 2202\n`)
    expect(
      resolve([host('w1'), host('x1', { user: 'root', unsaid: ['port'] }), host('y')]).map((it) => it.port),
    ).toEqual([2201, 2202, 22])
  })

  test('leads through the bastions of ProxyJump, and through theirs', () => {
    config(`Host w*
  ProxyJump me@inner:2222,[fd00::5]:24
Host inner
  HostName 10.0.0.9
  ProxyJump outer
Host outer
  User porter
`)
    expect(one('w1').jump).toMatchObject([
      { name: 'bastion outer', address: 'outer', user: 'porter', port: 22 },
      { name: 'bastion inner', address: 'inner', user: 'me', port: 2222, config: { hostName: '10.0.0.9' } },
      { name: 'bastion fd00::5', address: 'fd00::5', port: 24 },
    ])
  })

  test('whose ProxyJump leads in a circle comes to an end', () => {
    config('Host *\n  ProxyJump gate\n')
    expect(one('w1').jump?.map((it) => it.address)).toEqual(['gate'])
    config('Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n')
    expect(one('a').jump!.length).toBeLessThan(4)
  })

  test('gives the bastions of the inventory their settings too', () => {
    config('Host gate\n  HostName 10.0.0.9\n  User porter\n')
    const gate = { ...host('gate'), name: 'bastion gate', unsaid: ['user'] as const }
    const jump = [gate]
    const [a, b] = resolve([host('w1', { jump }), host('w2', { jump })])
    expect(a!.jump).toMatchObject([{ address: 'gate', user: 'porter', config: { hostName: '10.0.0.9' } }])
    expect(b!.jump).toBe(a!.jump)
  })

  test('with a ProxyCommand is refused, host by host, unless the inventory says the way', () => {
    config('Host w*\n  ProxyCommand nc %h %p\n')
    const failure = refused(() => resolve([host('w1'), host('x'), host('w2', { name: 'h2' })]))
    expect(failure).toMatchObject({
      exit: 2,
      troubles: [
        {
          code: 'SSH_CONFIG',
          where: 'h1',
          message: expect.stringContaining('nc '),
          fix: expect.stringContaining('ProxyJump'),
        },
        { code: 'SSH_CONFIG', where: 'h2' },
      ],
    })
    expect(one('w1', { jump: [], unsaid: [] }).jump).toEqual([])
  })

  test('that ssh refuses is refused with its own words', () => {
    config('Host *\n  Port nonsense\n')
    expect(refused(() => one('w1'))).toMatchObject({
      exit: 2,
      troubles: [{ code: 'SSH_CONFIG', evidence: [{ line: expect.stringMatching(/line 2: .*nonsense/i) }] }],
    })
  })

  test('is not read where there is no ssh', () => {
    config('Host *\n  User admin\n')
    process.env.PATH = '/nowhere'
    expect(one('w1').user).toBe(userInfo().username)
  })
})
