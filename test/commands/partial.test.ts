import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { smallBundle, temporary } from '../bundle/fixture.ts'
import { k8snet } from '../helpers/cli.ts'
import { addUser, type Sshd, startSshd } from '../helpers/sshd.ts'

/** Workers that cannot be reached, trusted or asked, as a user sees it: the others are looked at, exit 3. */

let sshds: Sshd[]
let user: ReturnType<typeof addUser>
let file: string
const dir = temporary()
beforeAll(async () => {
  sshds = await Promise.all([1, 2, 3].map(() => startSshd()))
  user = addUser(`k8snet-t10-${process.pid}`, { shell: '/bin/sh' })
  const host = (server: number, more: object = {}) => ({
    address: '127.0.0.1',
    port: sshds[server]!.port,
    nodeIP: `10.1.0.${server + 1}`,
    user: 'root',
    become: 'none',
    key: sshds[server]!.key,
    hostKey: sshds[server]!.hostKeys.ed25519.fingerprint,
    ...more,
  })
  file = join(dir, 'inventory.yaml')
  const hosts = {
    cp1: host(0, { role: 'control-plane' }),
    gone: host(0, { port: 1, nodeIP: '10.1.0.9' }),
    stranger: host(1, { hostKey: `SHA256:${'A'.repeat(43)}` }),
    beggar: host(2, { user: user.name, become: 'sudo' }),
  }
  const bundle = (await smallBundle()).dir
  writeFileSync(file, JSON.stringify({ cluster: { kubernetes: '1.37.1' }, source: { bundle }, hosts }))
})
afterAll(async () => {
  user.remove()
  await Promise.all(sshds.map((sshd) => sshd.stop()))
})

const lost = { gone: 'HOST_UNREACHABLE', stranger: 'HOSTKEY_CHANGED', beggar: 'SUDO_FAILED' }

describe('plan', () => {
  it('is made for the others, names each host that is left out with its code and fix, and exits with 3', async () => {
    const [text, json] = await Promise.all([
      k8snet(['plan', file]),
      k8snet(['plan', file, '-o', 'json', '--detailed-exitcode']),
    ])
    expect([text.code, json.code]).toEqual([3, 3])
    expect(text.out).toMatch(/^cp1: \d+ actions/)
    expect(text.err).toContain('Left out: gone, stranger, beggar')
    const { hosts, errors } = JSON.parse(json.out)
    expect(hosts.map(({ name }: { name: string }) => name)).toEqual(['cp1'])
    expect(Object.fromEntries(errors.map(({ where, code }: Record<string, string>) => [where, code]))).toEqual(lost)
    for (const { fix } of errors) expect(fix).toBeTruthy()
  })
})

describe('status', () => {
  it('shows their codes in place of a state, and exits with 3', async () => {
    const [text, json] = await Promise.all([k8snet(['status', file]), k8snet(['status', file, '-o', 'json'])])
    expect([text.code, json.code]).toEqual([3, 3])
    for (const [name, code] of Object.entries(lost))
      expect(text.out).toMatch(new RegExp(`^${name} +worker +${code} +- +\\?$`, 'm'))
    const { hosts } = JSON.parse(json.out)
    expect(hosts.map(({ name }: { name: string }) => name)).toEqual(['cp1', ...Object.keys(lost)])
    expect(hosts[1]).toMatchObject({ changes: null, error: { code: 'HOST_UNREACHABLE' } })
  })
})

describe('up', () => {
  it('that preflight refuses still speaks of the fit hosts only: nobody is blamed for not reaching a host that is gone', async () => {
    const { code, out } = await k8snet(['up', file, '--yes', '-o', 'json'])
    expect(code).toBe(5)
    expect(JSON.parse(out).errors.map((it: { code: string }) => it.code)).not.toContain('PEER_UNREACHABLE')
  })
})
