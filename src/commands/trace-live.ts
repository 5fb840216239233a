import { randomBytes, randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { readNodeDump } from '../dump/node.ts'
import { pictureOf } from '../dump/picture.ts'
import type { NodeView, Picture } from '../model/dump.ts'
import type { Hands } from '../model/ports.ts'
import { quote, sh } from '../model/shell.ts'
import type { Trace } from '../model/trace.ts'
import { exits, Failure } from '../model/trouble.ts'
import { type Readings, type Sent, withLive } from '../trace/live.ts'
import { senderOf, trace } from '../trace/trace.ts'
import type { CommandIo } from './io.ts'

/** How long the packet may take: two repeats of a SYN. */
const seconds = 3.5

/** Sends one packet where the trace begins, and puts what moved on the nodes beside what the dump says. Changes nothing else. */
export async function traceLive(
  io: CommandIo,
  picture: Picture,
  nodes: ReadonlyMap<string, Hands>,
  from: string,
  to: string,
): Promise<Trace> {
  const predicted = trace(picture, from, to, { sourcePort: randomInt(20_000, 30_000) })
  const { sent, readings } = await measure(io, predicted, nodes, from, senderOf(picture, from))
  return withLive(predicted, sent, readings)
}

/** Reads the counters of the nodes on the way, sends the packet, and reads them again. */
export async function measure(
  io: CommandIo,
  predicted: Trace,
  nodes: ReadonlyMap<string, Hands>,
  from: string,
  { node, pid }: { readonly node?: string; readonly pid?: number },
): Promise<{ sent: Sent; readings: Readings }> {
  const hands = node === undefined ? undefined : nodes.get(node)
  if (!hands)
    throw new Failure(exits.badInput, {
      code: 'USAGE',
      message: `--live cannot send from ${from}: ${node === undefined ? 'it is outside of the cluster' : `${node} was not reached by SSH`}`,
      fix: 'begin at a pod or a node that SSH reaches',
    })
  const passed = new Set(predicted.branches.flatMap(({ there, back }) => [...there, ...back].map((hop) => hop.node)))
  const way = new Map([...nodes].filter(([name]) => passed.has(name)))
  const { sourcePort, port } = predicted.packet
  const ports = [sourcePort, port, ...predicted.branches.map((branch) => branch.port)].filter((one) => one > 0)
  const look = () => read(io, way, [...new Set(ports)])
  const before = await look()
  const answer = await send(io, hands, predicted, pid)
  const after = await look()
  return { sent: { answer, sourcePort }, readings: { before, after } }
}

const template = (name: string) => readFile(new URL(`../../templates/${name}`, import.meta.url), 'utf8')

/** What counts packets on the nodes now. A node that does not tell is left out. */
async function read(
  io: CommandIo,
  nodes: ReadonlyMap<string, Hands>,
  ports: readonly number[],
): Promise<Map<string, NodeView>> {
  const text = await template('trace-read.sh')
  const read = await Promise.allSettled(
    [...nodes].map(async ([node, hands]) => {
      const mark = randomBytes(8).toString('hex')
      const { out } = await hands.look(`MARK=${mark} PORTS=${quote(ports.join('|'))}\n${text}`, {
        timeoutMs: 30_000,
        signal: io.signal,
      })
      return readNodeDump(node, out, mark)
    }),
  )
  io.signal.throwIfAborted()
  const dumps = read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  return new Map(pictureOf({ format: 1, k8snet: '', made: '', nodes: dumps, unread: [] }).nodes)
}

/** Sends it from the pod's network namespace, or from the host; by Python or Perl, whichever is there. */
async function send(io: CommandIo, hands: Hands, { packet }: Trace, pid: number | undefined): Promise<string> {
  const [python, perl] = await Promise.all([template('trace-send.py'), template('trace-send.pl')])
  const words = sh`${packet.protocol} ${packet.destination} ${packet.port} ${packet.sourcePort} ${seconds}`
  const enter = pid === undefined ? '' : sh`nsenter -t ${pid} -n `
  const script = `for it in python3 /usr/libexec/platform-python; do
  command -v "$it" >/dev/null 2>&1 || continue
  ${enter}"$it" - ${words} <<'K8SNET_END'
${python}K8SNET_END
  exit
done
if command -v perl >/dev/null 2>&1; then
  ${enter}perl - ${words} <<'K8SNET_END'
${perl}K8SNET_END
  exit
fi
echo 'answer nothing-to-send-with'
`
  const { out, err } = await hands.look(script, { timeoutMs: (seconds + 20) * 1000, signal: io.signal })
  const answer = /^answer (\S+)/m.exec(out)?.[1]
  if (answer && answer !== 'nothing-to-send-with') return answer
  const said = err.trim().split('\n').at(-1)
  throw new Failure(exits.someHosts, {
    code: 'PROBE_FAILED',
    message: answer ? 'there is neither Python nor Perl to send the packet with' : 'the packet could not be sent',
    where: hands.host.name,
    ...(said && { evidence: [{ source: enter ? `nsenter -t ${pid} -n` : 'stderr', line: said }] }),
    fix: answer ? 'install python3 or perl on the node, or trace without --live' : 'trace without --live, or again',
  })
}
