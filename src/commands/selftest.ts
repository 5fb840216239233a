import { readFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import { type Lab, paths } from '../lab/lab.ts'
import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import { sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { Role } from '../selftest/fault.ts'
import { edited } from '../selftest/faults/edited.ts'
import { type Bench, rounds, selftest } from '../selftest/selftest.ts'
import { trials } from '../selftest/trials.ts'
import { selftestText } from '../view/selftest.ts'
import { type Diagnosis, diagnose, diagnosisOf, withCauses } from './diagnosis.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, common } from './options.ts'
import { open, withHosts } from './session.ts'
import { verifyOn } from './verify-live.ts'

interface SelftestOptions extends CommonOptions {
  rounds?: number
}

/** A script of the selftest may restart pods and wait for them. */
const scriptMs = 120_000
const nothing = { ok: true, ms: 0, checks: [] }

/** `k8snet lab selftest`: breaks the cluster of the lab in every known way, and looks whether verify names the right cause. */
export function selftestCommand(io: CommandIo, labFor: (options: CommonOptions) => Lab): Command {
  return common(
    new Command('selftest').description(
      "Breaks the lab's cluster in every known way, one at a time, and checks that verify names the cause.",
    ),
    ['k8snet lab selftest', 'k8snet lab selftest --only PEER_FDB_STALE,HAIRPIN_OFF', 'k8snet lab selftest --rounds 50'],
  )
    .option('--only <codes>', 'only these causes, separated by commas', (text: string) => text.split(','))
    .option('--rounds <number>', 'no fault, but so many runs of verify in a row that must all be clean', wholeNumber)
    .action(async (options: SelftestOptions) => {
      const inventory = open(io, paths.inventory(labFor(options)))
      const only = chosen(options.only)
      const roles = rolesOf(inventory)
      await withHosts(io, inventory.hosts, async (hands) => {
        const bench = await benchOf(io, inventory, hands, roles, options)
        const began = performance.now()
        const wanted = ({ code }: { readonly code: string }) => !only || only.has(code)
        const rows = options.rounds
          ? await rounds(bench, options.rounds)
          : await selftest(
              bench,
              trials.filter((trial) => trial.every(wanted)),
              edited.filter(wanted),
            )
        const ok = rows.length > 0 && rows.every(({ problems }) => problems.length === 0)
        const ms = Math.round(performance.now() - began)
        io.out(options.output === 'json' ? `${JSON.stringify({ ok, rows, ms }, null, 2)}\n` : selftestText(rows, ms))
        if (!ok) io.exit(exits.network)
      })
    })
}

async function benchOf(
  io: CommandIo,
  inventory: Inventory,
  hands: ReadonlyMap<Host, Hands>,
  roles: Readonly<Record<Role, Host>>,
  { quiet }: CommonOptions,
): Promise<Bench> {
  const prelude = await readFile(new URL('../../templates/selftest.sh', import.meta.url), 'utf8')
  const leader = hands.get(leaderOf(inventory))!
  const nodes = new Map([...hands].map(([host, hand]) => [host.name, hand]))
  const look = (): Promise<Diagnosis> => diagnose(io, { leader, nodes, unreached: [] })
  return {
    run: (role, script) =>
      hands.get(roles[role])!.change(`${variables(roles, role)}\n${prelude}\n${script}`, { timeoutMs: scriptMs }),
    verify: async (level) => (await verifyOn(io, inventory, hands, { level, quiet: true })).report,
    look: async () => withCauses(nothing, await look()),
    dump: async () => (await look()).dump,
    judge: (dump) => withCauses(nothing, diagnosisOf(dump)),
    emit: (line) => {
      if (!quiet) io.err(`${line}\n`)
    },
    signal: io.signal,
  }
}

function variables({ leader, worker, other }: Readonly<Record<Role, Host>>, role: Role): string {
  const own = { leader, worker, other }[role]
  const peer = role === 'other' ? worker : other
  return [
    sh`LEADER=${leader.name} LEADER_IP=${leader.nodeIP} WORKER=${worker.name} WORKER_IP=${worker.nodeIP}`,
    sh`OTHER=${other.name} OTHER_IP=${other.nodeIP} NODE=${own.name} NODE_IP=${own.nodeIP} PEER_IP=${peer.nodeIP}`,
  ].join('\n')
}

function rolesOf(inventory: Inventory): Record<Role, Host> {
  const [worker, other] = inventory.hosts.filter(({ role }) => role === 'worker')
  if (worker && other) return { leader: leaderOf(inventory), worker, other }
  throw new Failure(exits.badInput, {
    code: 'HOST_UNKNOWN',
    message: 'the selftest needs a lab with two workers',
    fix: 'k8snet lab up --hosts 3, then k8snet up on its inventory',
  })
}

function chosen(only: readonly string[] | undefined): ReadonlySet<string> | undefined {
  const known = new Set<string>([...trials.flat(), ...edited].map(({ code }) => code))
  const unknown = only?.find((code) => !known.has(code))
  if (unknown === undefined) return only && new Set(only)
  throw new Failure(exits.badInput, {
    code: 'USAGE',
    message: `there is no fault for ${unknown}`,
    fix: `one of ${[...known].join(', ')}`,
  })
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new InvalidArgumentError('not a whole number above 0')
}
