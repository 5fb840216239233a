import { resolve } from 'node:path'
import { Command } from 'commander'
import { gatherDump } from '../dump/gather.ts'
import { pictureOf } from '../dump/picture.ts'
import { loadDump } from '../dump/save.ts'
import type { Picture } from '../model/dump.ts'
import { leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { Trace } from '../model/trace.ts'
import { exits, Failure } from '../model/trouble.ts'
import { trace } from '../trace/trace.ts'
import { failureText } from '../view/failure.ts'
import { traceText } from '../view/trace.ts'
import { accessOptions } from './access.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, common } from './options.ts'
import { open, withAny } from './session.ts'
import { traceLive } from './trace-live.ts'
import { versionOfK8snet } from './version.ts'

interface TraceOptions extends CommonOptions {
  live?: boolean
  from?: string
  all?: boolean
}

/** `k8snet trace`: the way of a packet, hop by hop. Changes nothing; with --live it sends one packet. Exit 6 where it dies. */
export function traceCommand(io: CommandIo): Command {
  const command = common(
    new Command('trace')
      .description('The way of a packet through the cluster, hop by hop, there and back.')
      .argument('[ends...]', 'INVENTORY FROM TO[:PORT][/udp]; with --from DIR only FROM and TO')
      .option('--live', 'send one real packet, and show what moved where')
      .option('--from <dir>', 'follow it in a dump that verify --save has written, offline')
      .option('--all', 'show every way back, also where several are well'),
    [
      'k8snet trace inventory.yaml default/web default/db:5432',
      'k8snet trace inventory.yaml node/w1 svc/kube-system/kube-dns:53/udp --live',
      'k8snet trace inventory.yaml default/web node/w2:30080',
      'k8snet trace --from dump default/web 10.244.2.7:8080',
    ],
  ).addHelpText(
    'after',
    '\nEnds: ns/pod, a pod of the namespace default, node/NAME, an IP; as TO also svc/ns/name:PORT and node/NAME:NODEPORT.',
  )
  return accessOptions(command).action(async (words: string[], options: TraceOptions) => {
    const offline = options.from !== undefined
    const [from, to, ...more] = words.slice(offline && words.length === 2 ? 0 : 1)
    if (from === undefined || to === undefined || more.length > 0)
      throw new Failure(exits.badInput, {
        code: 'USAGE',
        message: offline ? 'trace --from DIR needs FROM and TO' : 'trace needs an inventory, FROM and TO',
        fix: 'k8snet trace inventory.yaml default/web default/db:5432',
      })
    if (offline && options.live)
      throw new Failure(exits.badInput, {
        code: 'USAGE',
        message: '--live sends a packet, and --from looks only at a dump',
        fix: 'leave out one of them',
      })
    const result = offline
      ? trace(pictureOf(await loadDump(resolve(io.cwd, options.from!))), from, to)
      : await overSsh(io, words[0]!, from, to, options)
    io.out(
      options.output === 'json'
        ? `${JSON.stringify(result, null, 2)}\n`
        : traceText(result, {
            color: io.color,
            ...(io.outIsTerminal && io.columns && { columns: io.columns }),
            ...(options.all && { all: true }),
          }),
    )
    if (result.branches.some(({ ok }) => !ok) || result.live?.agrees === false) io.exit(exits.network)
  })
}

/** Dumps the nodes that can be reached and follows the packet in that. */
async function overSsh(
  io: CommandIo,
  file: string,
  from: string,
  to: string,
  { live, quiet }: TraceOptions,
): Promise<Trace> {
  const inventory = open(io, file)
  return withAny(io, inventory.hosts, async (hands, failures) => {
    if (hands.size === 0)
      throw new Failure(
        exits.unreachable,
        [...failures.values()].flatMap(({ troubles }) => troubles),
      )
    if (!quiet) for (const failure of failures.values()) io.err(failureText(failure, io.color))
    const nodes = new Map<string, Hands>([...hands].map(([host, hand]) => [host.name, hand]))
    const dump = await gatherDump(hands.get(leaderOf(inventory)), nodes, {
      k8snet: await versionOfK8snet(),
      now: new Date(),
      signal: io.signal,
    })
    const unread = [...failures.keys()].map(({ name }) => ({ node: name, why: 'it was not reached by SSH' }))
    const picture: Picture = pictureOf({ ...dump, unread: [...dump.unread, ...unread] })
    return live ? traceLive(io, picture, nodes, from, to) : trace(picture, from, to)
  })
}
