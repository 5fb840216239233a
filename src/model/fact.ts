import type { Sh } from './shell.ts'

/** What a command on a host left: its output, its complaints and its exit status. */
export interface Reply {
  readonly out: string
  readonly err: string
  readonly code: number
}

/**
 * One question to a host and how to read its answer.
 *
 * `ask` is POSIX sh that only looks. It exits 0 whenever it could look, also when the thing is not there ("not there" is an
 * answer); any other status is "could not look" and becomes LOOK_FAILED. It runs as root in a subshell of its own, without
 * stdin. Many questions travel in one script, so forks cost: prefer builtins and one call for many things.
 */
export interface Fact<T> {
  readonly ask: Sh
  parse(out: string): T
}

/** The questions of a step by name, and the answers by the same names. */
// biome-ignore lint/suspicious/noExplicitAny: the answer types are recovered by Facts<Q>
export type Questions = Readonly<Record<string, Fact<any>>>
export type Facts<Q extends Questions> = { readonly [K in keyof Q]: Q[K] extends Fact<infer T> ? T : never }
