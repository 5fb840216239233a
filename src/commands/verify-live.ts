import { readFile } from 'node:fs/promises'
import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { VerifyReport } from '../model/report.ts'
import { suspectedPairs } from '../verify/explain.ts'
import { allPairsUpTo } from '../verify/pairs.ts'
import { verify } from '../verify/verify.ts'
import { type Diagnosis, diagnose, withCauses } from './diagnosis.ts'
import type { CommandIo } from './io.ts'
import { outside } from './outside.ts'

/** A report and what its causes were found in. */
export interface Verified {
  readonly report: VerifyReport
  readonly diagnosis: Diagnosis
}

export interface LiveOptions {
  readonly level?: 'quick' | 'full'
  readonly egress?: string
  readonly only?: readonly string[]
  readonly quiet?: boolean
}

/** Verifies over connections that are already open. A host of the inventory without one is said to be unknown. */
export async function verifyOn(
  io: CommandIo,
  inventory: Inventory,
  hands: ReadonlyMap<Host, Hands>,
  { level = 'quick', egress, only, quiet }: LiveOptions,
): Promise<Verified> {
  io.follow?.phase('verify')
  const template = (name: string) => readFile(new URL(`../../templates/${name}`, import.meta.url), 'utf8')
  const [python, perl] = await Promise.all([template('probe.py'), template('probe.pl')])
  const leader = hands.get(leaderOf(inventory))!
  const byName = new Map([...hands].map(([host, hand]) => [host.name, hand]))
  let beside: Promise<Diagnosis> | undefined
  const look = () => {
    const unreached = inventory.hosts.filter((host) => !hands.has(host)).map(({ name }) => name)
    beside ??= diagnose(io, { leader, nodes: byName, unreached })
    return beside
  }
  // Of many nodes only some pairs are tried: those that the dump puts under suspicion are among them, so it comes first.
  const suspicious = inventory.hosts.length > allPairsUpTo ? suspectedPairs((await look()).findings) : []
  const report = await verify({ leader, nodes: hands }, inventory, {
    programs: { python, perl },
    outside,
    level,
    ...(egress && { egress }),
    suspicious,
    alongside: look,
    signal: io.signal,
    ...(only && { only: new Set(only) }),
    emit: (line: string) => {
      io.follow?.event({ type: 'note', text: `verify: ${line}` })
      if (!quiet) io.err(`verify: ${line}\n`)
    },
  })
  // Where the probe pods never came about, nobody has looked yet.
  const diagnosis = await look()
  return { report: withCauses(report, diagnosis), diagnosis }
}
