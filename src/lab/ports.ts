import { once } from 'node:events'
import { createServer } from 'node:net'
import { mostHosts } from './settings.ts'

/** The first of enough ports in a row that are free on loopback. Vagrant's own search gives two hosts the same when they start together. */
export async function freePorts(first = 2222): Promise<number> {
  for (let base = first; base < first + 1000; base += 20) {
    const free = await Promise.all(Array.from({ length: mostHosts }, (_, i) => isFree(base + i)))
    if (free.every(Boolean)) return base
  }
  return first
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
