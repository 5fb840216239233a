import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import { pictureOf } from '../../src/dump/picture.ts'
import type { ClusterDump, NodeDump, NodeView, Picture } from '../../src/model/dump.ts'
import type { Trace } from '../../src/model/trace.ts'
import { type Sent, withLive } from '../../src/trace/live.ts'
import { trace } from '../../src/trace/trace.ts'

type Parts = Readonly<Record<string, NodeDump['parts']>>

/** What was read from a real cluster: its dump, and the counters before and after one real packet. */
interface Recording {
  readonly from: string
  readonly to: string
  readonly dump: ClusterDump
  readonly sent: Sent
  readonly before: Parts
  readonly after: Parts
}

/** A recording of test/fixtures/traces, predicted from its dump alone, and compared with what the packet did, or with another answer. */
export function recorded(name: string, answer?: string): { picture: Picture; predicted: Trace; live: Trace } {
  const packed = readFileSync(new URL(`../fixtures/traces/${name}.json.br`, import.meta.url))
  const { from, to, dump, sent, before, after } = JSON.parse(brotliDecompressSync(packed).toString()) as Recording
  const picture = pictureOf(dump)
  const predicted = trace(picture, from, to, { sourcePort: sent.sourcePort })
  return {
    picture,
    predicted,
    live: withLive(predicted, { ...sent, ...(answer && { answer }) }, { before: views(before), after: views(after) }),
  }
}

function views(parts: Parts): ReadonlyMap<string, NodeView> {
  const nodes = Object.entries(parts).map(([node, parts]) => ({ node, parts, problems: {} }))
  return pictureOf({ format: 1, k8snet: '', made: '', nodes, unread: [] }).nodes
}
