import { resolve } from 'node:path'
import { saveDump } from '../dump/save.ts'
import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { VerifyReport } from '../model/report.ts'
import { exits, Failure } from '../model/trouble.ts'
import { failureText } from '../view/failure.ts'
import type { CommandIo } from './io.ts'
import type { CommonOptions } from './options.ts'
import { recorded } from './recorded.ts'
import { choose, withAny } from './session.ts'
import { fix } from './verify-fix.ts'
import { type Verified, verifyOn } from './verify-live.ts'
import type { VerifyOptions } from './verify-options.ts'
import { printReport } from './verify-report.ts'

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
