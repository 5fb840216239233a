import type { Duplex } from 'node:stream'

/** RFC 4253, 4.2: lines of any text may come before the one that identifies the server. */
const identification = /(?:^|\n)SSH-[^\n]*\n/
/** More than that is no greeting; what to say of it is ssh2's. */
const greetingBytes = 16 * 1024

/**
 * ssh2 1.17 keeps the first piece and the last one of a server's identification, and loses what comes between
 * (parseHeader), which a slow link turns into a bad signature. So whoever listens to the stream first is handed all
 * bytes up to the end of that line at once, and the rest as it comes.
 */
export function inOnePiece(stream: Duplex): Duplex {
  const on = stream.on
  stream.on = (name: string, listener: (...all: never[]) => void) => {
    const hear = listener as (data: Buffer) => void
    if (name !== 'data') return on.call(stream, name, hear)
    stream.on = on
    return on.call(stream, name, gathering(hear))
  }
  return stream
}

function gathering(hear: (data: Buffer) => void): (data: Buffer) => void {
  let pieces: Buffer[] | null = []
  return (data) => {
    if (!pieces) return hear(data)
    pieces.push(data)
    const all = Buffer.concat(pieces)
    if (all.length < greetingBytes && !identification.test(all.toString('latin1'))) return
    pieces = null
    hear(all)
  }
}
