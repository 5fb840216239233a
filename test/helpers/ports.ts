import { createServer } from 'node:net'

const [lowest, perWorker] = [12_000, 1000]
const lowestOfWorker = lowest + (Number(process.env.VITEST_POOL_ID ?? 0) % 8) * perWorker
let next = Math.floor(Math.random() * perWorker)

/**
 * A TCP port of loopback that nothing listens on just now, and that nothing takes by itself before the caller does: it
 * lies below those that the kernel gives to connections (net.ipv4.ip_local_port_range, from 32768 on), and every
 * worker of vitest has a thousand of its own.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < perWorker; tries++) {
    const port = lowestOfWorker + (next++ % perWorker)
    if (await isFree(port)) return port
  }
  throw new Error(`no port is free from ${lowestOfWorker} on`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
