import { resolve } from 'node:path'
import { diffDumps } from '../dump/diff.ts'
import { loadDump, saveDump } from '../dump/save.ts'
import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { VerifyReport } from '../model/report.ts'
import { exits, Failure } from '../model/trouble.ts'
import { diffText } from '../view/dump-diff.ts'
import { failureText } from '../view/failure.ts'
import { diagnosisOf, withCauses } from './diagnosis.ts'
import type { CommandIo } from './io.ts'
import type { CommonOptions } from './options.ts'
import { recorded } from './recorded.ts'
import { choose, open, withAny } from './session.ts'
import { fix } from './verify-fix.ts'
import { type Verified, verifyOn } from './verify-live.ts'
import { printReport } from './verify-report.ts'
import type { Form } from './verify-words.ts'

export interface VerifyOptions extends Omit<CommonOptions, 'output'> {
  output: Form
  level: 'quick' | 'full'
  egress?: string
  save?: string
  from?: string
  diff?: string[]
  fix?: boolean
  yes?: boolean
  kubeconfig?: string
  context?: string
  ssh?: string
  probeImage?: string
}

/** `k8snet verify` in all its forms. Exit 6 when the network is not as promised, 3 when some nodes could not be looked at. */
export async function verifyAction(io: CommandIo, file: string | undefined, options: VerifyOptions): Promise<void> {
  const ways = [file, options.from, options.diff, options.kubeconfig].filter((it) => it !== undefined)
  if (ways.length !== 1)
    throw usage(
      ways.length === 0
        ? 'nothing to verify is named'
        : 'an inventory, --kubeconfig, --from and --diff exclude each other',
      'k8snet verify INVENTORY, or one of --kubeconfig FILE, --from DIR, --diff OLD NEW',
    )
  if (options.egress && options.level !== 'full')
    throw usage('--egress is tried at the full level only', 'add --level full')
  if (options.diff) return difference(io, options.diff, options)
  if (options.from) return offline(io, options.from, options)
  if (options.kubeconfig) return (await import('./verify-by-api.ts')).verifyByApi(io, options.kubeconfig, options)
  await verifyInventory(io, open(io, file!), options)
}

/** Verifies the cluster of an inventory, mends what is asked to be mended, and prints what it then is like. */
export async function verifyInventory(io: CommandIo, inventory: Inventory, options: VerifyOptions): Promise<void> {
  choose(inventory, options.only)
  await recorded(io, 'verify', inventory, [], (io) =>
    withAny(io, inventory.hosts, async (hands, failures) => {
      if (hands.size === 0 || !hands.has(leaderOf(inventory)))
        throw new Failure(
          exits.unreachable,
          [...failures.values()].flatMap(({ troubles }) => troubles),
        )
      for (const failure of failures.values()) io.err(failureText(failure, io.color))
      const verified = await mended(io, inventory, hands, options)
      if (options.save) await save(io, options.save, verified)
      printReport(io, verified.report, options.output, {
        cluster: inventory.cluster.name,
        made: verified.diagnosis.dump.made,
      })
      io.exit(exitOf(verified.report, failures.size))
      return verified.report
    }),
  )
}

const exitOf = ({ ok }: VerifyReport, unreached: number): number =>
  ok ? (unreached > 0 ? exits.someHosts : exits.done) : exits.network

/** Once more after something was mended: what counts is the network as it is at the end. */
async function mended(
  io: CommandIo,
  inventory: Inventory,
  hands: ReadonlyMap<Host, Hands>,
  options: VerifyOptions,
): Promise<Verified> {
  const verified = await verifyOn(io, inventory, hands, options)
  if (!options.fix) return verified
  const common: CommonOptions & { yes?: boolean } = { ...options, output: 'text' }
  if (await fix(io, inventory, hands, verified.diagnosis, common)) return verifyOn(io, inventory, hands, options)
  if (!verified.report.ok) io.err('note: none of what was found can be mended safely by itself; see the fixes below\n')
  return verified
}

async function save(io: CommandIo, dir: string, { diagnosis }: Verified): Promise<void> {
  await saveDump(resolve(io.cwd, dir), diagnosis.dump)
  io.err(`the dumps are in ${dir}; to look at them again: k8snet verify --from ${dir}\n`)
}

/** The causes in a saved dump; no packet is sent, so there are no checks. */
async function offline(io: CommandIo, dir: string, options: VerifyOptions): Promise<void> {
  const began = performance.now()
  const dump = await loadDump(resolve(io.cwd, dir))
  const empty: VerifyReport = { ok: true, ms: 0, checks: [] }
  const report = withCauses(empty, diagnosisOf(dump))
  printReport(io, { ...report, ms: Math.round(performance.now() - began) }, options.output, {
    cluster: dir,
    made: dump.made,
  })
  if (!report.ok) io.exit(exits.network)
}

async function difference(io: CommandIo, dirs: readonly string[], { output }: VerifyOptions): Promise<void> {
  const [old, now, more] = dirs
  if (!old || !now || more) throw usage('--diff needs two directories', 'k8snet verify --diff OLD NEW')
  const [before, after] = await Promise.all([old, now].map((dir) => loadDump(resolve(io.cwd, dir))))
  const rows = diffDumps(before!, after!)
  io.out(output === 'json' ? `${JSON.stringify(rows, null, 2)}\n` : diffText(rows, io.color))
}

function usage(message: string, fix: string): Failure {
  return new Failure(exits.badInput, { code: 'USAGE', message, fix })
}
