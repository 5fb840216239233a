import { Socket } from 'node:net'
import type { Door } from '../model/inventory.ts'
import { onAbort } from './abort.ts'

/** Opens TCP to a machine, until the signal is aborted. Rejects with the system's error: ECONNREFUSED, ENOTFOUND, … */
export function dial(door: Door, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket()
    const leave = onAbort(signal, () => socket.destroy())
    socket.once('close', leave)
    socket.once('error', reject)
    socket.once('connect', () => {
      leave()
      socket.off('error', reject)
      resolve(socket)
    })
    // Nagle's algorithm would cost 40 ms for every exec but the first.
    socket.setNoDelay(true)
    socket.connect({ host: addressOf(door), port: door.port })
  })
}

/** Where SSH really goes: ~/.ssh/config may name another address than the inventory. */
export function addressOf(door: Door): string {
  return door.config?.hostName ?? door.address
}
