import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type Collected, readCollected } from '../collect/files.ts'
import { collectScript } from '../collect/script.ts'
import type { Host, Inventory } from '../model/inventory.ts'
import type { Mask } from '../model/mask.ts'
import type { Hands } from '../model/ports.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { troubleJson, troubleText } from '../view/failure.ts'
import { type Told, writeSupport } from './collect-archive.ts'
import type { CommandIo } from './io.ts'
import { maskFor } from './masking.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { stopped } from './recorded.ts'
import { choose, open, withAny } from './session.ts'

/** As many hosts tell at the same time; more would only fill the memory. */
const atOnce = 8
/** journalctl over a busy day on a slow disk takes its time. */
const timeoutMs = 5 * 60_000

interface CollectOptions extends CommonOptions {
  out?: string
}

/** `k8snet collect`: what somebody who is to help needs to see, of all hosts, without secrets, in one archive. */
export function collectCommand(io: CommandIo): Command {
  return inventoryCommand(
    'collect',
    'Makes an archive of logs, rules, routes and settings of all hosts, with secrets masked.',
    'k8snet collect inventory.yaml --out support.tar.gz',
  )
    .option('--out <file>', 'where to write it (default: k8snet-CLUSTER-TIME.tar.gz)')
    .action(async (file: string, options: CollectOptions) => {
      const inventory = open(io, file)
      const hosts = choose(inventory, options.only)
      const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
      const top = `k8snet-${inventory.cluster.name}-${time}`
      const out = resolve(io.cwd, options.out ?? `${top}.tar.gz`)
      const { size, parts } = await withAny(io, hosts, async (hands, failures) => {
        if (hands.size === 0)
          throw new Failure(
            exits.unreachable,
            [...failures.values()].flatMap((it) => it.troubles),
          )
        return writeSupport(out, top, ask(io, inventory, hosts, hands, failures, options), io, inventory)
      })
      const errors = parts.flatMap(({ error }) => error ?? [])
      if (options.output === 'json') {
        const told = parts.map(({ host, files, cut, error }) => ({
          name: host,
          files: files.filter(({ bytes }) => bytes !== undefined).length,
          cut,
          ...(error && { error: troubleJson(error) }),
        }))
        io.out(`${JSON.stringify({ ok: errors.length === 0, file: out, size, hosts: told }, null, 2)}\n`)
      } else {
        for (const error of errors) io.err(troubleText(error, io.color))
        io.out(
          `saved in ${out}: ${parts.length - errors.length} of ${parts.length} hosts, ${(size / 1e6).toFixed(1)} MB\n`,
        )
      }
      if (errors.length > 0) io.exit(io.signal.aborted ? stopped(io.signal) : exits.someHosts)
    })
}

/** Asks the hosts, some at a time, and gives what they told in the inventory's order. A host that fails stops no other. */
async function* ask(
  io: CommandIo,
  inventory: Inventory,
  hosts: readonly Host[],
  hands: ReadonlyMap<Host, Hands>,
  failures: ReadonlyMap<Host, Failure>,
  { quiet }: CommonOptions,
): AsyncGenerator<Told> {
  io.follow?.phase('look')
  const template = await readFile(new URL('../../templates/collect.sh', import.meta.url), 'utf8')
  const mask = await maskFor(io, inventory)
  const start = async (host: Host): Promise<() => Told> => {
    const refused = failures.get(host)?.troubles[0]
    const told = refused ? failed(refused) : await tell(hands.get(host)!, template, mask, io.signal)
    return () => ({ host: host.name, ...told() })
  }
  const waiting = [...hosts]
  const asked = waiting.splice(0, atOnce).map(start)
  for (let next = asked.shift(); next; next = asked.shift()) {
    const told = (await next)()
    const more = waiting.shift()
    if (more) asked.push(start(more))
    if (!quiet) io.err(`${told.host}: ${told.error ? `nothing, ${told.error.code}` : `${told.files.length} answers`}\n`)
    yield told
  }
}

type Answer = () => { files: Collected[]; cut: boolean; error?: Trouble }
const failed =
  (error: Trouble): Answer =>
  () => ({ files: [], cut: false, error })

/** One exec. What came stays compressed until its turn, so that many hosts do not fill the memory. */
async function tell(hands: Hands, template: string, mask: Mask, signal: AbortSignal): Promise<Answer> {
  const mark = `@${randomBytes(9).toString('hex')}`
  const where = hands.host.name
  try {
    const reply = await hands.look(collectScript(template, mark), { timeoutMs, signal })
    return () => {
      try {
        return readCollected(reply.out, mark, mask)
      } catch {
        const evidence = [{ source: 'stderr', line: mask(reply.err.trim().slice(-300)) }]
        return failed({ code: 'LOOK_FAILED', message: 'what the host told cannot be read', where, evidence })()
      }
    }
  } catch (error) {
    if (error instanceof Failure) return failed(error.troubles[0]!)
    throw error
  }
}
