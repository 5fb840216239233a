import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { connect } from '../../src/ssh/connect.ts'
import { type Sshd, startSshd } from '../helpers/sshd.ts'

/** Whatever goes wrong in the judgement of a host key, nobody is let near a login. */

let judgement: () => unknown
vi.mock(import('../../src/ssh/hostkey.ts'), async (original) => ({
  ...(await original()),
  judge: (() => judgement()) as never,
}))

let sshd: Sshd
beforeAll(async () => {
  sshd = await startSshd()
})
afterAll(() => sshd?.stop())

test('a judge who finds nothing wrong lets in', async () => {
  judgement = () => null
  const it = await connect(sshd.host())
  expect((await it.look('echo in')).out).toBe('in\n')
  it.close()
  // What is said of this login is said before the next one is looked at.
  await vi.waitFor(() => expect(sshd.log()).toMatch(/Accepted/), { timeout: 20_000 })
})

test.each([
  [
    'throws',
    () => {
      throw new Error('a defect')
    },
  ],
  [
    'throws nothing',
    () => {
      throw undefined
    },
  ],
  ['says nothing', () => undefined],
  ['says false', () => false],
  ['says 0', () => 0],
  ['says yes', () => true],
  ['promises a no', () => Promise.resolve(null)],
  ['finds fault', () => ({ code: 'HOSTKEY_CHANGED', message: 'another', where: 'h1' })],
])('a judge who %s refuses the host, and no login is tried', async (_, act) => {
  judgement = act
  const from = sshd.log().length
  await expect(connect(sshd.host(), { firstPatienceMs: 0 })).rejects.toMatchObject({ exit: 4 })
  await new Promise((go) => setTimeout(go, 100))
  expect(sshd.log().slice(from)).not.toMatch(/userauth|Accepted|Postponed/)
})
