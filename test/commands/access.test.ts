import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { smallBundle, temporary } from '../bundle/fixture.ts'
import { k8snet, run } from '../helpers/cli.ts'
import { addUser, makeKey, type Sshd, setPassword, startSshd } from '../helpers/sshd.ts'

/** How one gets to hosts, as a user of the command line sees it: scan, passwords, ~/.ssh/config. */

const dir = temporary()
const home = join(dir, 'home')
const env = { HOME: home, SSH_AUTH_SOCK: '', K8SNET_SSH_PASSWORD: '', K8SNET_BECOME_PASSWORD: '' }
let [one, two]: Sshd[] = []
let bundle: string
beforeAll(async () => {
  mkdirSync(join(home, '.ssh'), { recursive: true })
  ;[one, two] = await Promise.all([startSshd(['PasswordAuthentication yes']), startSshd()])
  bundle = (await smallBundle()).dir
})
afterAll(async () => {
  await Promise.all([one?.stop(), two?.stop()])
})

let written = 0
function inventory(hosts: Record<string, object>, ssh: object = {}): string {
  const file = join(dir, `inventory${++written}.yaml`)
  const all = Object.entries(hosts).map(([name, host], i) => [
    name,
    { role: i === 0 ? 'control-plane' : 'worker', nodeIP: `10.1.0.${i + 1}`, ...host },
  ])
  const whole = { cluster: { kubernetes: '1.37.1' }, source: { bundle }, ssh, hosts: Object.fromEntries(all) }
  writeFileSync(file, JSON.stringify(whole))
  return file
}
const at = (sshd: Sshd, more: object = {}) => ({
  address: '127.0.0.1',
  port: sshd.port,
  user: 'root',
  key: sshd.key,
  ...more,
})
function known(name: string, ...lines: string[]): string {
  const file = join(dir, name)
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return file
}

describe('scan', () => {
  test('shows every key and what is known of it, logs in nowhere and writes nothing', async () => {
    const place = `[localhost]:${two!.port}`
    const { ed25519 } = two!.hostKeys
    const other = makeKey(join(dir, 'other'), 'ed25519')
    const file = inventory({
      pinned: at(one!, { hostKey: one!.hostKeys.ecdsa.fingerprint }),
      found: at(two!, { address: 'localhost', knownHosts: known('k1', '', `${place} ${ed25519.line}`) }),
      nowhere: at(two!, { knownHosts: known('k2') }),
      another: at(one!, { address: 'localhost', knownHosts: known('k3', `[localhost]:${one!.port} ${other.line}`) }),
      wrong: at(one!, { address: '127.0.0.2', port: 1 }),
    })
    const logs = () => one!.log() + two!.log()
    const [from, before] = [logs().match(/Accepted/g)?.length ?? 0, statSync(join(dir, 'k2')).mtimeMs]
    const shown = await k8snet(['scan', file], { env })
    expect(shown.code).toBe(4)
    const line = (name: string) => shown.out.split('\n').find((it) => it.startsWith(`${name} `))
    expect(line('pinned')).toMatch(new RegExp(`127.0.0.1 port ${one!.port} .*ecdsa.*SHA256:.* pinned$`))
    expect(line('pinned')).toContain(one!.hostKeys.ecdsa.fingerprint)
    expect(line('found')).toContain(`${ed25519.fingerprint}  known, ${join(dir, 'k1')}:2`)
    expect(line('nowhere')).toMatch(/unknown$/)
    expect(line('another')).toMatch(/changed, .*k3:1$/)
    expect(line('wrong')).toMatch(/ - +- +unreachable$/)
    expect(shown.out).toContain('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub')
    expect(shown.out).toContain(`hosts.nowhere.hostKey: ${ed25519.fingerprint}`)
    expect(shown.err).toContain('HOSTKEY_CHANGED')
    expect(shown.err).toContain('HOST_UNREACHABLE')

    const { ok, hosts } = JSON.parse((await k8snet(['scan', file, '-o', 'json'], { env })).out)
    expect(ok).toBe(false)
    expect(hosts.map(({ name, state }: { name: string; state: string }) => `${name} ${state}`)).toEqual([
      'pinned pinned',
      'found known',
      'nowhere unknown',
      'another changed',
      'wrong unreachable',
    ])
    expect(logs().match(/Accepted/g)?.length ?? 0).toBe(from)
    expect([statSync(join(dir, 'k2')).mtimeMs, readFileSync(join(dir, 'k2'), 'utf8')]).toEqual([before, ''])
  })

  test('ends with 0 when all are known, and a revoked one is told', async () => {
    const { ed25519 } = two!.hostKeys
    const place = `[127.0.0.1]:${two!.port}`
    const file = inventory({ a: at(one!, { hostKey: one!.hostKeys.ed25519.fingerprint }) })
    expect((await k8snet(['scan', file], { env })).code).toBe(0)
    const knownHosts = known('k4', `${place} ${ed25519.line}`, `@revoked * ${ed25519.line}`)
    const shown = await k8snet(['scan', inventory({ a: at(two!, { knownHosts }) })], { env })
    expect([shown.code, shown.out]).toEqual([4, expect.stringMatching(/revoked, .*k4:2/)])
  })

  test('shows bastions first, and what is behind one that is not trusted as not reached', async () => {
    const jump = { address: 'localhost', port: two!.port, user: 'root', key: two!.key }
    const hostKey = one!.hostKeys.ed25519.fingerprint
    const shut = await k8snet(['scan', inventory({ a: at(one!, { hostKey }) }, { jump })], { env })
    expect(shut.code).toBe(4)
    expect(shut.out).toMatch(/bastion localhost .*unknown\n *a .*unreachable/s)
    expect(shut.out).toContain(`jump: { address: localhost, hostKey: "${two!.hostKeys.ed25519.fingerprint}" }`)
    expect(shut.err).toMatch(/HOSTKEY_UNKNOWN: bastion localhost: .*\(a\)/)
    const trusted = { ...jump, hostKey: two!.hostKeys.ed25519.fingerprint }
    const through = await k8snet(['scan', inventory({ a: at(one!, { hostKey }) }, { jump: trusted })], { env })
    expect([through.code, through.err]).toEqual([0, ''])
  })
})

describe('passwords', () => {
  const [name, login, other] = [`k8snet-a${process.pid}`, 'open sesame', 'open wider']
  let file: string
  let user: ReturnType<typeof addUser>
  beforeAll(() => {
    user = addUser(name, { sudoers: `${name} ALL=(ALL) ALL` })
    setPassword(name, login)
    file = inventory({ a: { ...at(one!, { user: name, hostKey: one!.hostKeys.ed25519.fingerprint }), key: undefined } })
  })
  afterAll(() => user.remove())
  /** This machine is no cluster: who comes so far is in, and is root. */
  const isIn = { code: 2, err: expect.stringContaining('NO_CLUSTER') }

  test('come from the environment', async () => {
    const given = { ...env, K8SNET_SSH_PASSWORD: login, K8SNET_BECOME_PASSWORD: login }
    expect(await k8snet(['kubeconfig', file], { env: given })).toMatchObject(isIn)
  })

  test('come from file descriptors', async () => {
    const word = known('word', login, 'what follows is no part of it')
    const command = `exec "$0" dist/cli.js kubeconfig "$1" --password-fd 3 --become-password-fd 4 3<"$2" 4<"$2"`
    expect(await run('sh', ['-c', command, process.execPath, file, word], { env })).toMatchObject(isIn)
  })

  test('are typed unseen at a terminal', async () => {
    const command = `${process.execPath} dist/cli.js kubeconfig ${file} --ask-pass --ask-become-pass`
    const seen = await typed(command, [
      [/SSH password: $/, login],
      [/Password for sudo or doas: $/, login],
    ])
    expect(seen).toContain('NO_CLUSTER')
    expect(seen).not.toContain(login)
  })

  test('of keys are typed unseen at a terminal', async () => {
    makeKey(join(dir, 'locked'), 'ed25519', 'pass phrase')
    const keys = join(one!.dir, 'authorized_keys')
    writeFileSync(keys, readFileSync(keys, 'utf8') + readFileSync(join(dir, 'locked.pub'), 'utf8'))
    const host = at(one!, { key: join(dir, 'locked'), hostKey: one!.hostKeys.ed25519.fingerprint })
    const command = `${process.execPath} dist/cli.js kubeconfig ${inventory({ a: host })}`
    const seen = await typed(command, [
      [/Passphrase of \S+locked: $/, 'wrong'],
      [/That was wrong. Passphrase of \S+: $/, 'pass phrase'],
    ])
    expect(seen).toContain('NO_CLUSTER')
    expect(seen).not.toContain('pass phrase')
  })

  test.each([
    [['--ask-pass'], /--ask-pass: nobody is there to be asked/, /--password-fd or K8SNET_SSH_PASSWORD/],
    [['--ask-become-pass'], /--ask-become-pass: nobody is there/, /--become-password-fd or K8SNET_BECOME_PASSWORD/],
    [['--password-fd', '9'], /file descriptor 9/, /9</],
    [['--become-password-fd', '0'], /file descriptor 0 holds no password/, /first line/],
  ])('that cannot be had by %j are a mistake of usage', async (args, message, fix) => {
    const { code, err } = await k8snet(['kubeconfig', file, ...args], { env })
    expect([code, err]).toEqual([2, expect.stringMatching(/^USAGE/)])
    expect(err).toMatch(message)
    expect(err).toMatch(fix)
    expect(err).not.toMatch(/\n\s+at /)
  })

  test('that are wrong are told apart, with exit 4', async () => {
    const wrong = await k8snet(['kubeconfig', file], { env: { ...env, K8SNET_SSH_PASSWORD: other } })
    expect(wrong).toMatchObject({ code: 4, err: expect.stringContaining('AUTH_FAILED') })
    const given = { ...env, K8SNET_SSH_PASSWORD: login, K8SNET_BECOME_PASSWORD: other }
    const sudo = await k8snet(['kubeconfig', file], { env: given })
    expect(sudo).toMatchObject({ code: 4, err: expect.stringContaining('SUDO_FAILED') })
    expect(wrong.err + sudo.err).not.toMatch(new RegExp(`${login}|${other}`))
  })
})

test('~/.ssh/config leads to hosts that the inventory only names', async () => {
  const { ed25519 } = two!.hostKeys
  writeFileSync(join(home, '.ssh', 'known_hosts'), `lab ${ed25519.line}\n`)
  writeFileSync(
    join(home, '.ssh', 'config'),
    `Host lab-cp\n  HostName 127.0.0.1\n  User root\n  Port ${two!.port}\n  HostKeyAlias lab\n  IdentityFile ${two!.key}\n`,
  )
  try {
    expect(await k8snet(['kubeconfig', inventory({ a: { address: 'lab-cp' } })], { env })).toMatchObject({
      code: 2,
      err: expect.stringContaining('NO_CLUSTER'),
    })
  } finally {
    rmSync(join(home, '.ssh', 'config'))
  }
})

/** Runs a command on a terminal and types an answer at each question. Gives back all that was to be seen. */
function typed(command: string, answers: [RegExp, string][]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, ...env, NO_COLOR: '1' } })
    let [seen, from] = ['', 0]
    child.on('error', reject)
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk
      const next = answers[0]
      if (!next?.[0].test(seen.slice(from).replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''))) return
      from = seen.length
      answers.shift()
      // Whoever is quick is not seen either: the terminal shows nothing from before the question on.
      child.stdin.write(`${next[1]}\r`)
    })
    child.on('close', () => resolve(seen))
  })
}
