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
import { inTurns } from '../model/turns.ts'
import { type Answers, gather } from '../plan/gather.ts'
import { readInventory } from '../read/inventory.ts'
import { readPlaybook } from '../read/playbook.ts'
import { windowOf } from '../run/window.ts'
import { withSshConfig } from '../ssh/config.ts'
import { type ConnectOptions, connectAll } from '../ssh/connect.ts'
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

/** Reads an inventory where the user meant it; what it does not say of SSH, ~/.ssh/config does. */
export function open(io: CommandIo, file: string): Inventory {
  const inventory = readInventory(resolve(io.cwd, file), undefined, { home: io.home, user: io.user })
  return { ...inventory, hosts: withSshConfig(inventory.hosts, io) }
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
  return withAny(io, hosts, async (hands, failures) => {
    if (failures.size > 0)
      throw new Failure(
        exits.unreachable,
        [...failures.values()].flatMap(({ troubles }) => troubles),
      )
    return work(hands)
  })
}

/** The same, and the work decides what the hosts mean that cannot be reached or trusted. */
export async function withAny<T>(
  io: CommandIo,
  hosts: readonly Host[],
  work: (hands: ReadonlyMap<Host, Hands>, failures: ReadonlyMap<Host, Failure>) => Promise<T>,
): Promise<T> {
  io.follow?.phase('connect')
  const connected = await connectAll(hosts, {
    ...(await connectOptions(io)),
    onLink: ({ name }, _, text) => {
      io.follow?.event({ type: 'note', text: `${name}: ${text}` })
      // A live view would be torn apart by it.
      if (!io.errIsTerminal) io.err(`${name}: ${text}\n`)
    },
  })
  const hands = new Map([...connected].filter((entry): entry is [Host, Hands] => !(entry[1] instanceof Failure)))
  const failures = new Map([...connected].filter((entry): entry is [Host, Failure] => entry[1] instanceof Failure))
  try {
    return await work(hands, failures)
  } finally {
    await inTurns(hands.values(), (hand) => hand.close())
  }
}

/** What a connection takes from the outside world; asks for passwords where an option wants that. */
export async function connectOptions(io: CommandIo): Promise<ConnectOptions> {
  const secrets = await io.secrets?.()
  return {
    signal: io.signal,
    ...(secrets && { secrets }),
    ...(io.log && { onOpen: (door, text) => io.log?.(`${door.name}: ${text}`) }),
    ...(io.env.SSH_AUTH_SOCK && { agentSocket: io.env.SSH_AUTH_SOCK }),
  }
}

/** What hosts answered, and why others did not. */
export interface Asked {
  readonly answers: ReadonlyMap<Host, Answers>
  readonly failures: ReadonlyMap<Host, Failure>
}

/** More answers at once than this machine reads anyway only fill its memory. */
const asksAtOnce = 128

/** Asks every host its questions at the same time, one exec each. A host that cannot answer stops no other. */
export async function askAll(
  hands: ReadonlyMap<Host, Hands>,
  sites: readonly Site[],
  questions: (site: Site) => Fact<unknown>[],
  signal: AbortSignal,
): Promise<Asked> {
  const window = windowOf(asksAtOnce)
  const ask = (site: Site) =>
    Promise.allSettled([window.run(() => gather(hands.get(site.host)!, questions(site), signal))])
  const asked = await Promise.all(await inTurns(sites, ask))
  const answers = new Map<Host, Answers>()
  const failures = new Map<Host, Failure>()
  for (const [i, { host }] of sites.entries()) {
    const [end] = asked[i]!
    if (end.status === 'fulfilled') answers.set(host, end.value)
    else if (end.reason instanceof Failure) failures.set(host, end.reason)
    else throw end.reason
  }
  return { answers, failures }
}

/** The same without the hosts that are lost. Throws (exit 4), naming all of them, when the leader is one: then nothing can be done. */
export function without(prepared: Prepared, lost: ReadonlyMap<Host, Failure>): Prepared {
  if (lost.has(leaderOf(prepared.inventory)))
    throw new Failure(
      exits.unreachable,
      [...lost.values()].flatMap(({ troubles }) => troubles),
    )
  if (lost.size === 0) return prepared
  const hosts = prepared.hosts.filter((host) => !lost.has(host))
  const sites = prepared.sites.filter(({ host }) => !lost.has(host)).map((site) => ({ ...site, hosts }))
  return { ...prepared, hosts, sites }
}

const hex = (bytes: number): string => randomBytes(bytes).toString('hex')
