import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import type { Host } from '../../src/model/inventory.ts'
import { type ConnectOptions, connectAll } from '../../src/ssh/connect.ts'
import { fault } from '../helpers/fault.ts'
import { startProxy } from '../helpers/proxy.ts'
import { addUser, type Sshd, startSshd } from '../helpers/sshd.ts'

/** Faults that show with many hosts at once, or with an account that is not as k8snet would have it: a real sshd of the test's own. */

let sshd: Sshd
beforeAll(async () => {
  sshd = await startSshd()
})
afterAll(() => sshd.stop())

/** Connects to every host, asks each one thing, and says what came of it: `N answered`, and the codes of the others. */
async function answers(hosts: readonly Host[], options: ConnectOptions = {}): Promise<string> {
  const connected = await connectAll(hosts, options)
  const seen = await Promise.all(
    [...connected].map(async ([host, hands]) => {
      if ('troubles' in hands) return hands.troubles[0]!.code
      const { out } = await hands.look(`echo ${host.name}`)
      hands.close()
      return out === `${host.name}\n` ? 'answered' : `said ${JSON.stringify(out)}`
    }),
  )
  return [...new Set(seen)].map((it) => `${seen.filter((one) => one === it).length} ${it}`).join(', ')
}

const many = (count: number, port: number): Host[] =>
  Array.from({ length: count }, (_, i) => sshd.host({ name: `h${i + 1}`, port }))

describe('many connections', () => {
  fault('of which 1 in 100 is refused', '200 answered', async () => {
    const proxy = await startProxy(sshd.port)
    proxy.refuse(100)
    try {
      return await answers(many(200, proxy.port))
    } finally {
      await proxy.close()
    }
  })

  fault(
    'whose first eight say nothing for longer than a refused one is tried again',
    '8 HOST_UNREACHABLE, 1 answered',
    async () => {
      const proxy = await startProxy(sshd.port)
      proxy.stall()
      try {
        // A door lets in eight at a time: the ninth gets its turn after 10 s, and is refused then.
        const all = answers(many(9, proxy.port), { readyTimeoutMs: 10_000 })
        await vi.waitFor(() => expect(proxy.accepted()).toBe(8), 20_000)
        proxy.heal()
        proxy.refuse(1000)
        return await all
      } finally {
        await proxy.close()
      }
    },
  )

  fault('to a server with MaxStartups 10:30:60', '200 answered', async () => {
    const busy = await startSshd(['MaxStartups 10:30:60'])
    try {
      return await answers(Array.from({ length: 200 }, (_, i) => busy.host({ name: `h${i + 1}` })))
    } finally {
      await busy.stop()
    }
  })
})

describe('an account', () => {
  for (const [shell, profile, text] of [
    ['/usr/bin/fish', '.config/fish/config.fish', 'echo junk; echo junk >&2'],
    ['/bin/csh', '.cshrc', 'echo junk'],
    ['/bin/bash', '.bashrc', 'echo junk; echo junk >&2'],
  ] as const)
    fault(`whose login shell is ${shell} and prints junk`, '1 answered', async () => {
      const user = addUser('k8snet-t7', {
        shell,
        sudoers: 'k8snet-t7 ALL=(ALL) NOPASSWD: ALL',
        profile: [profile, `${text}\n`],
      })
      try {
        return await answers([sshd.host({ user: user.name, become: 'sudo' })])
      } finally {
        user.remove()
      }
    })
})
