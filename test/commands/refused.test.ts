import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { smallBundle, temporary } from '../bundle/fixture.ts'
import { startApart } from '../helpers/apart.ts'
import { k8snet } from '../helpers/cli.ts'
import { addUser, makeKey, type Sshd, startSshd } from '../helpers/sshd.ts'

/** What the command line refuses, as a user sees it: exit code, code, host, fix; on stderr as text, on stdout as JSON. */

let sshds: Sshd[]
let user: ReturnType<typeof addUser>
let bundle: string
const dir = temporary()
beforeAll(async () => {
  // down comes as far as the last one, and takes nothing back that other tests have on this machine
  sshds = await Promise.all([startSshd(), startSshd(), startSshd(), startApart()])
  user = addUser(`k8snet-t9-${process.pid}`, { shell: '/bin/sh' })
  bundle = (await smallBundle()).dir
  makeKey(join(dir, 'other'), 'ed25519')
})
afterAll(async () => {
  user.remove()
  await Promise.all(sshds.map((sshd) => sshd.stop()))
})

function inventory(hosts: Record<string, object>, top: Record<string, unknown> = {}): string {
  const file = join(dir, 'inventory.yaml')
  writeFileSync(file, JSON.stringify({ cluster: { kubernetes: '1.37.1' }, source: { bundle }, hosts, ...top }))
  return file
}

/** A host that is fine, behind one of the four servers, unless `more` says otherwise. */
const good = (server: number, more: object = {}, sshd = sshds[server]!) => ({
  address: '127.0.0.1',
  port: sshd.port,
  nodeIP: `10.1.0.${server + 1}`,
  user: 'root',
  become: 'none',
  key: sshd.key,
  hostKey: sshd.hostKeys.ed25519.fingerprint,
  ...more,
})

interface Named {
  name: string
  error?: { code: string }
}

async function refused(args: string[]) {
  const [text, json] = await Promise.all([k8snet(args), k8snet([...args, '-o', 'json'])])
  expect(json.code).toBe(text.code)
  const { ok, error, errors } = JSON.parse(json.out)
  expect(ok).toBe(false)
  expect(error).toEqual(errors[0])
  expect(text.err).toContain(`${error.code}: ${error.message}`)
  expect(text.out).toBe('')
  expect(text.err).not.toMatch(/\n\s+at /)
  return {
    code: text.code,
    err: text.err,
    errors: errors as { code: string; message: string; where?: string; fix?: string }[],
  }
}

describe('hosts that cannot be reached or trusted', () => {
  it('are all named at once, each with its own code, and exit 4', async () => {
    const file = inventory({
      cp1: good(3, { role: 'control-plane', port: 1, nodeIP: '10.1.0.9' }),
      wrongkey: good(0, { hostKey: `SHA256:${'A'.repeat(43)}` }),
      unknown: good(1, { hostKey: undefined, knownHosts: join(dir, 'other.pub') }),
      stranger: good(2, { key: join(dir, 'other') }),
      fine: good(3),
    })
    for (const verb of [['plan'], ['up', '--yes'], ['status'], ['verify']]) {
      const { code, errors } = await refused([verb[0]!, file, ...verb.slice(1)])
      expect(code).toBe(4)
      const found = Object.fromEntries(errors.map(({ code, where }) => [where, code]))
      expect(found).toEqual({
        cp1: 'HOST_UNREACHABLE',
        wrongkey: 'HOSTKEY_CHANGED',
        unknown: 'HOSTKEY_UNKNOWN',
        stranger: 'AUTH_FAILED',
      })
      for (const { fix } of errors) expect(fix).toBeTruthy()
    }
    // down takes the others back.
    const down = JSON.parse((await k8snet(['down', file, '--yes', '-o', 'json'])).out)
    expect(down.hosts.map(({ name, error }: Named) => [name, error?.code])).toEqual([
      ['cp1', 'HOST_UNREACHABLE'],
      ['wrongkey', 'HOSTKEY_CHANGED'],
      ['unknown', 'HOSTKEY_UNKNOWN'],
      ['stranger', 'AUTH_FAILED'],
      ['fine', undefined],
    ])
  })

  it('are no root: sudo is missing or wants a password', async () => {
    const file = inventory({ cp1: good(0, { role: 'control-plane', user: user.name, become: 'sudo' }) })
    const { code, errors } = await refused(['plan', file])
    expect(code).toBe(4)
    expect(errors.map(({ code, where }) => [code, where])).toMatchObject([['SUDO_FAILED', 'cp1']])
  })
})

describe('what lies on this machine', () => {
  const host = { cp1: { address: '10.1.0.1', role: 'control-plane', key: '/no/such/key' } }
  it.each([
    ['no inventory', () => '/no/such/file.yaml', 'FILE_NOT_FOUND', /no\/such\/file/],
    ['an empty inventory', () => write(''), 'FILE_EMPTY', /empty.*/],
    ['something that is not YAML', () => write('a: [1'), 'YAML_SYNTAX', /:1:\d+/],
    ['a missing key file', () => inventory(host), 'FILE_NOT_FOUND', /no\/such\/key/],
    [
      'a bundle that is not there',
      () => inventory({ cp1: { address: '10.1.0.1', role: 'control-plane' } }, { source: { bundle: '/no/bundle' } }),
      'BUNDLE_MISSING',
      /no\/bundle/,
    ],
    [
      'a bundle of another version',
      () => inventory({ cp1: { address: '10.1.0.1', role: 'control-plane' } }, { cluster: { kubernetes: '1.36.4' } }),
      'BUNDLE_VERSION',
      /1\.36\.4/,
    ],
  ])('%s is refused with exit 2', async (_, file, code, says) => {
    const ended = await refused(['plan', file()])
    expect(ended.code).toBe(2)
    expect(ended.errors.map((error) => error.code)).toContain(code)
    expect(ended.err).toMatch(says)
  })

  it('a host that the inventory does not name is refused', async () => {
    const { code, errors } = await refused([
      'plan',
      inventory({ cp1: { address: '10.1.0.1', role: 'control-plane' } }),
      '--only',
      'w9',
    ])
    expect([code, errors[0]?.code, errors[0]?.fix]).toEqual([2, 'HOST_UNKNOWN', 'one of cp1'])
  })

  function write(text: string): string {
    const file = join(dir, 'empty-or-broken.yaml')
    writeFileSync(file, text)
    return file
  }
})

describe('the command line', () => {
  it.each([
    [['frobnicate'], 2, /unknown command 'frobnicate'/],
    [['up'], 2, /missing required argument 'inventory'/],
    [['plan', 'x', '--frob'], 2, /unknown option '--frob'/],
    [['plan', 'x', '-o', 'xml'], 2, /Allowed choices are text, json/],
    [['explain', 'NOT_A_CODE'], 2, /USAGE: no code NOT_A_CODE/],
  ])('%s exits with %d and says why', async (args, code, says) => {
    const ended = await k8snet(args)
    expect(ended.code).toBe(code)
    expect(ended.err).toMatch(says)
    expect(ended.err).not.toMatch(/\n\s+at /)
  })

  it.each([
    [['--help']],
    [['--version']],
    [['up', '--help']],
    [['bundle', 'create', '--help']],
    [['lab', '--help']],
    [['explain']],
    [['schema']],
  ])('%s answers on stdout with exit 0', async (args) => {
    const ended = await k8snet(args)
    expect([ended.code, ended.err]).toEqual([0, ''])
    expect(ended.out.length).toBeGreaterThan(4)
  })
})
