import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { readBundle } from '../bundle/manifest.ts'
import type { Manifest } from '../model/bundle.ts'
import type { Fact } from '../model/fact.ts'
import { type Host, type Inventory, leaderOf } from '../model/inventory.ts'
import type { Playbook } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import { Secret } from '../model/secret.ts'
import type { Site } from '../model/step.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { type Answers, gather } from '../plan/gather.ts'
import { readInventory } from '../read/inventory.ts'
import { readPlaybook } from '../read/playbook.ts'
import { connectAll } from '../ssh/connect.ts'
import { steps } from '../steps/index.ts'
import type { CommandIo } from './io.ts'

/** An inventory with its bundle and playbook: all that can be known and refused before a host is touched. */
export interface Prepared {
  readonly inventory: Inventory
  /** Those asked for, and always the leader. */
  readonly hosts: readonly Host[]
  readonly bundle: Manifest
  readonly playbook: Playbook
  readonly sites: readonly Site[]
}

/** Reads and checks everything that lies on this machine. Throws with every fault of the inventory at once. */
export async function prepare(io: CommandIo, file: string, only?: readonly string[]): Promise<Prepared> {
  const inventory = open(io, file)
  const chosen = choose(inventory, only)
  const leader = leaderOf(inventory)
  const hosts = inventory.hosts.filter((host) => host === leader || chosen.includes(host))
  const bundle = await readBundle(inventory.source.bundle, { kubernetes: inventory.cluster.kubernetes })
  const playbook = readPlaybook('up', Object.keys(steps))
  const token = new Secret(`${hex(3)}.${hex(8)}`)
  return {
    inventory,
    hosts,
    bundle,
    playbook,
    sites: hosts.map((host) => ({
      host,
      inventory,
      hosts,
      bundle,
      token,
      ...(!chosen.includes(host) && { guest: true as const }),
    })),
  }
}

/** Reads an inventory where the user meant it. */
export function open(io: CommandIo, file: string): Inventory {
  return readInventory(resolve(io.cwd, file), undefined, { home: io.home, user: io.user })
}

/** The hosts that `--only` names, or all. */
export function choose(inventory: Inventory, only?: readonly string[]): readonly Host[] {
  const unknown = only?.filter((name) => !inventory.hosts.some((host) => host.name === name)) ?? []
  if (unknown.length > 0) {
    const names = inventory.hosts.map(({ name }) => name).join(', ')
    throw new Failure(
      exits.badInput,
      unknown.map(
        (name): Trouble => ({
          code: 'HOST_UNKNOWN',
          message: `no host ${name}`,
          where: inventory.file,
          fix: `one of ${names}`,
        }),
      ),
    )
  }
  return only ? inventory.hosts.filter(({ name }) => only.includes(name)) : inventory.hosts
}

/**
 * Connects to the hosts, does the work, and closes every connection whatever happens. All hosts that cannot be reached or
 * trusted are named at once (exit 4), and then nothing is done on any.
 */
export async function withHosts<T>(
  io: CommandIo,
  hosts: readonly Host[],
  work: (hands: ReadonlyMap<Host, Hands>) => Promise<T>,
): Promise<T> {
  const connected = await connectAll(hosts, {
    signal: io.signal,
    ...(io.env.SSH_AUTH_SOCK && { agentSocket: io.env.SSH_AUTH_SOCK }),
  })
  const hands = new Map([...connected].filter((entry): entry is [Host, Hands] => !(entry[1] instanceof Failure)))
  try {
    const failures = [...connected.values()].filter((it): it is Failure => it instanceof Failure)
    if (failures.length > 0)
      throw new Failure(
        exits.unreachable,
        failures.flatMap(({ troubles }) => troubles),
      )
    return await work(hands)
  } finally {
    for (const hand of hands.values()) hand.close()
  }
}

/** Asks every host its questions at the same time, one exec each. Every host that could not answer is named at once. */
export async function askAll(
  hands: ReadonlyMap<Host, Hands>,
  sites: readonly Site[],
  questions: (site: Site) => Fact<unknown>[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Host, Answers>> {
  const asked = await Promise.allSettled(sites.map((site) => gather(hands.get(site.host)!, questions(site), signal)))
  const troubles = asked.flatMap((end) => {
    if (end.status === 'fulfilled') return []
    if (end.reason instanceof Failure) return end.reason.troubles
    throw end.reason
  })
  if (troubles.length > 0) throw new Failure(exits.unreachable, troubles)
  return new Map(sites.map(({ host }, i) => [host, (asked[i] as PromiseFulfilledResult<Answers>).value]))
}

const hex = (bytes: number): string => randomBytes(bytes).toString('hex')
