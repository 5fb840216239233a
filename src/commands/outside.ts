import { connect } from 'node:net'
import type { OutsideProbe } from '../verify/outside.ts'

/** Tries an address by TCP from this machine, which is outside of every cluster it manages. */
export const outside: OutsideProbe = (address, port, { wantLine, send, timeoutMs, signal }) =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port })
    let text = ''
    const end = (answer: { ok: true; line: string } | { ok: false; reason: string }) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => end({ ok: false, reason: 'timeout' }), timeoutMs)
    const stop = () => end({ ok: false, reason: 'closed' })
    signal?.addEventListener('abort', stop, { once: true })
    socket.on('connect', () => {
      if (send !== undefined) socket.write(send)
      if (!wantLine) end({ ok: true, line: '' })
    })
    socket.on('data', (data) => {
      text += data.toString('latin1')
      if (text.includes('\n')) end({ ok: true, line: text.slice(0, text.indexOf('\n')) })
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      end({ ok: false, reason: error.code === 'ECONNREFUSED' ? 'refused' : 'unreachable' }),
    )
    socket.on('close', () => end({ ok: false, reason: 'closed' }))
  })
