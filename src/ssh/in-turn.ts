import type { Duplex } from 'node:stream'
import { turns } from '../model/turns.ts'

/** One for all connections. */
const turn = turns()

/**
 * What comes over the stream is handed on in the stream's turn. Every piece may mean a millisecond of cryptography or a host's
 * whole answer to read, and a hundred connections often have one at the same time.
 */
export function inTurn(stream: Duplex): Duplex {
  stream.on('readable', async () => {
    await turn()
    // reading is what emits `data`; at the end, `end`
    while (stream.read() !== null);
  })
  return stream
}
