import type { Duplex } from 'node:stream'
import { turns } from '../model/turns.ts'

/** One for all connections. */
const turn = turns()

/**
 * What comes over the stream is handed on in the stream's turn. Every piece may mean a millisecond of cryptography or a host's
 * whole answer to read, and a hundred connections often have one at the same time.
 */
export function inTurn(stream: Duplex): Duplex {
  let heard = false
  const read = async () => {
    await turn()
    // reading is what emits `data`; at the end, `end`
    while (heard && stream.read() !== null);
  }
  stream.on('readable', read)
  // What is read before somebody listens is lost, and ssh2 listens only once its cryptography is there (cryptoInit), which may
  // take longer than a server takes to say its first word.
  stream.on('newListener', (name) => {
    if (name !== 'data' || heard) return
    heard = true
    void read()
  })
  return stream
}
