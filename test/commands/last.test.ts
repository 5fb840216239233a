import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporary } from '../bundle/fixture.ts'
import { k8snet } from '../helpers/cli.ts'
import { makeKey } from '../helpers/sshd.ts'

/** What a run leaves on this machine, and what `status --last` makes of it, without any host. */

const dir = temporary()
const file = join(dir, 'inventory.yaml')
const env = { XDG_STATE_HOME: join(dir, 'state') }
beforeAll(() => {
  makeKey(join(dir, 'id'), 'ed25519')
  const host = { address: '127.0.0.1', port: 1, user: 'root', become: 'none', key: join(dir, 'id') }
  const hostKey = `SHA256:${'A'.repeat(43)}`
  writeFileSync(
    file,
    JSON.stringify({
      cluster: { name: 'far', kubernetes: '1.37.1' },
      source: { bundle: dir },
      hosts: { cp1: { ...host, nodeIP: '10.1.0.1', role: 'control-plane', hostKey } },
    }),
  )
})

describe('status --last', () => {
  it('says that there was no run', async () => {
    const ended = await k8snet(['status', file, '--last'], { env })
    expect(ended.code).toBe(2)
    expect(ended.err).toMatch(/^FILE_NOT_FOUND: there is no record of a run of the cluster far/)
  })

  it('shows a run that reached no host: when, its outcome, and the error', async () => {
    const verify = await k8snet(['verify', file], { env })
    expect(verify.code, verify.err).toBe(4)
    const text = await k8snet(['status', file, '--last'], { env: { ...env, LC_ALL: 'C' } })
    expect(text.code).toBe(0)
    expect(text.out).toMatch(/^verify of far: hosts not reached or not trusted, \d/)
    expect(text.out).toMatch(/\nconnect +#+ /)
    expect(text.out).toMatch(/\nHOST_UNREACHABLE: .*cp1/)
    const last = JSON.parse((await k8snet(['status', file, '--last', '-o', 'json'], { env })).out)
    expect(last).toMatchObject({ verb: 'verify', cluster: 'far', inventory: file, hosts: ['cp1'], exit: 4 })
    expect(last.spans).toMatchObject([{ stage: 'connect', from: expect.any(Number), to: expect.any(Number) }])
    expect(last.errors).toMatchObject([{ code: 'HOST_UNREACHABLE', where: 'cp1' }])
  })
})

describe('a record that cannot be written', () => {
  it('is a note, and the run ends as it would', async () => {
    const blocked = join(dir, 'blocked')
    mkdirSync(blocked)
    writeFileSync(join(blocked, 'k8snet'), 'a file where a directory should be')
    const ended = await k8snet(['verify', file], { env: { XDG_STATE_HOME: blocked } })
    expect(ended.code).toBe(4)
    expect(ended.err).toMatch(/^note: the record of this run is not complete: .+/)
    expect(ended.err).toContain('HOST_UNREACHABLE')
    expect(readdirSync(blocked)).toEqual(['k8snet'])
  })
})
