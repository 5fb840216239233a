import { connect, createServer, Socket } from 'node:net'
import { setImmediate as tick } from 'node:timers/promises'
import { freePort } from './ports.ts'

/** A TCP proxy that misbehaves as it is told, between a client and a port of loopback. */
export interface TcpProxy {
  readonly port: number
  /** Connections that were made to it so far. */
  accepted(): number
  /** Bytes that came from the target so far. */
  received(): number
  /** Every packet to and fro is held back this long. */
  delay(ms: number): void
  /** Ends all connections once exactly this many more bytes came from the target; those made after that are well. */
  cutAfter(bytes: number): void
  /** From now on nothing passes, and nobody is told. */
  stall(): void
  /** After a stall: connections made from now on work, those of before stay as they are. */
  heal(): void
  /** Connections made from now on go to another port. */
  turn(to: number): void
  /** Ends all connections with a TCP reset; once that is done, those who made them in this process have heard of it. */
  reset(): Promise<void>
  /** How often it went to and fro so far: the most packets, each sent after the one before had come to its end. */
  passages(): number
  /** From now on every byte travels in a packet of its own. */
  slow(): void
  /** Every n-th connection is reset before a word is said, beginning with the next one. */
  refuse(nth: number): void
  close(): Promise<void>
}

export async function startProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let [received, cutAt, delayMs, stalled] = [0, Number.POSITIVE_INFINITY, 0, false]
  let [slow, nth, connections, accepted] = [false, 0, 0, 0]

  /** Each byte is on its way before the next one is written. */
  const trickle = async (from: Socket, to: Socket, chunk: Uint8Array) => {
    from.pause()
    for (const byte of chunk) {
      to.write(Uint8Array.of(byte))
      await tick()
    }
    from.resume()
  }

  const dead = new Set<Socket>()
  /** How long the longest such row is of which each side has got the last one. */
  const come = { client: 0, target: 0 }
  const pass = (from: Socket, to: Socket, counts: boolean) => {
    const silent = () => stalled || dead.has(from)
    from.on('data', (whole) => {
      if (silent()) return
      const [here, there] = counts ? (['target', 'client'] as const) : (['client', 'target'] as const)
      const inRow = come[here] + 1
      const chunk = counts ? whole.subarray(0, cutAt - received) : whole
      if (counts) received += chunk.length
      const over = counts && received >= cutAt
      if (over) cutAt = Number.POSITIVE_INFINITY
      const forward = () => {
        if (silent()) return
        come[there] = Math.max(come[there], inRow)
        if (slow) return void trickle(from, to, chunk)
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
      if (!silent()) setTimeout(() => to.end(), delayMs)
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      if (!silent()) setTimeout(() => to.destroy(), delayMs)
    })
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted += 1
    if (nth > 0 && connections++ % nth === 0) return void client.resetAndDestroy()
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      sockets.add(socket)
    }
    pass(client, upstream, false)
    pass(upstream, client, true)
  })
  // Not one that the kernel may give to somebody else while nothing listens there for a moment.
  const port = await freePort()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port,
    accepted: () => accepted,
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
    heal: () => {
      stalled = false
      for (const socket of sockets) dead.add(socket)
    },
    turn: (to) => {
      target = to
    },
    reset: async () => {
      const ends = socketsTo(port)
      for (const socket of sockets) socket.resetAndDestroy()
      while (ends.some((socket) => !socket.destroyed)) await tick()
      // Their `close` comes after that.
      for (let i = 0; i < 3; i++) await tick()
    },
    passages: () => come.client,
    slow: () => {
      slow = true
    },
    refuse: (every) => {
      ;[nth, connections] = [every, 0]
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The sockets of this process that are connected to a port. */
function socketsTo(port: number): Socket[] {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] }
  return handles.call(process).filter((it): it is Socket => it instanceof Socket && it.remotePort === port)
}
