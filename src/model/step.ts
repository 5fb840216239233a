import type { Action } from './action.ts'
import type { Manifest } from './bundle.ts'
import type { Facts, Questions } from './fact.ts'
import type { Host, Inventory } from './inventory.ts'
import type { Secret } from './secret.ts'
import type { Trouble } from './trouble.ts'

/** What a step may know besides its facts. Data only. */
export interface Site {
  readonly host: Host
  readonly inventory: Inventory
  /** The hosts of this run: all, or those that were asked for and the leader. */
  readonly hosts: readonly Host[]
  /** The host was not asked for: it is the leader, there only to let others in. */
  readonly guest?: true
  readonly bundle: Manifest
  /** Made before the run, known to nobody else; a plan shows it as ***. */
  readonly token: Secret
  /** Appears once the leader's API answers. */
  readonly leader?: LeaderFacts
}

export interface LeaderFacts {
  /** host:port of the API server */
  readonly endpoint: string
  /** sha256:<hex> of the cluster CA's public key, for discovery */
  readonly caCertHash: string
}

/**
 * One thing that must be true on a host. A pure function of what was asked: it returns only what is not yet so, and an empty
 * list means converged. A step is proven by its own plan being empty when the host is asked again after it ran.
 */
export interface Step<Q extends Questions = Questions> {
  /** What must be true, as a sentence for the list of steps. */
  readonly title: string
  asks(site: Site): Q
  plan(facts: Facts<Q>, site: Site): Action[]
}

/** A preflight check over all hosts: it looks at the facts of every host at once and names every trouble. */
export interface Guard<Q extends Questions = Questions> {
  readonly title: string
  asks(site: Site): Q
  look(all: ReadonlyMap<Host, Facts<Q>>, inventory: Inventory): Trouble[]
}

/** An identity function that infers a step's question types. */
export function step<const Q extends Questions>(it: Step<Q>): Step<Q> {
  return it
}

/** An identity function that infers a guard's question types. */
export function guard<const Q extends Questions>(it: Guard<Q>): Guard<Q> {
  return it
}
