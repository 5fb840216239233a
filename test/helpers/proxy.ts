import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy that misbehaves as it is told, between a client and a port of loopback. */
export interface TcpProxy {
  readonly port: number
  /** Bytes that came from the target so far. */
  received(): number
  /** Every packet to and fro is held back this long. */
  delay(ms: number): void
  /** Ends all connections once this many more bytes came from the target. */
  cutAfter(bytes: number): void
  /** From now on nothing passes, and nobody is told. */
  stall(): void
  /** Ends all connections with a TCP reset. */
  reset(): void
  close(): Promise<void>
}

export async function startProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let [received, cutAt, delayMs, stalled] = [0, Number.POSITIVE_INFINITY, 0, false]

  const pass = (from: Socket, to: Socket, counts: boolean) => {
    from.on('data', (chunk) => {
      if (stalled) return
      if (counts) received += chunk.length
      const over = counts && received >= cutAt
      const forward = () => {
        if (stalled) return
        if (!to.write(chunk)) {
          from.pause()
          to.once('drain', () => from.resume())
        }
        if (over) for (const socket of sockets) socket.destroy()
      }
      if (delayMs > 0) setTimeout(forward, delayMs)
      else forward()
    })
    from.on('end', () => {
      if (!stalled) setTimeout(() => to.end(), delayMs)
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      if (!stalled) setTimeout(() => to.destroy(), delayMs)
    })
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      sockets.add(socket)
    }
    pass(client, upstream, false)
    pass(upstream, client, true)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    received: () => received,
    delay: (ms) => {
      delayMs = ms
    },
    cutAfter: (bytes) => {
      cutAt = received + bytes
    },
    stall: () => {
      stalled = true
    },
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
