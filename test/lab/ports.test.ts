import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { freePorts } from '../../src/lab/ports.ts'

// Below the ports that the kernel gives to connections, and seldom where another run of this test has its own.
it('leaves out a row of ports when one of them is taken', async () => {
  const base = await freePorts(22_000 + 20 * Math.floor(Math.random() * 400))
  const server = createServer().listen(base + 3, '127.0.0.1')
  await once(server, 'listening')
  try {
    expect(await freePorts(base)).toBe(await freePorts(base + 20))
  } finally {
    server.close()
  }
})
