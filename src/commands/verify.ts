import { resolve } from 'node:path'
import { diffDumps } from '../dump/diff.ts'
import { loadDump } from '../dump/save.ts'
import type { VerifyReport } from '../model/report.ts'
import { exits, Failure } from '../model/trouble.ts'
import { diffText } from '../view/dump-diff.ts'
import { diagnosisOf, withCauses } from './diagnosis.ts'
import type { CommandIo } from './io.ts'
import { open } from './session.ts'
import { verifyInventory } from './verify-inventory.ts'
import type { VerifyOptions } from './verify-options.ts'
import { printReport } from './verify-report.ts'

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
