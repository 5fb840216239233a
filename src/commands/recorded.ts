import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Inventory } from '../model/inventory.ts'
import { maskOf } from '../model/mask.ts'
import type { Follow, RunHeader } from '../model/record.ts'
import type { Secret } from '../model/secret.ts'
import { exits, Failure } from '../model/trouble.ts'
import { runsDir } from '../record/place.ts'
import { openRecord } from '../record/write.ts'
import { failureJson } from '../view/failure.ts'
import type { CommandIo } from './io.ts'
import { valuesOf } from './masking.ts'
import { versionOfK8snet } from './version.ts'

/**
 * Does a run and leaves its record: the events that `work` tells to `io.follow`, the exit code, and the JSON that it returns
 * or the failure that it throws. What cannot be recorded is said at the end and changes nothing else. `secrets` are those of
 * this run; together with everything that looks like a secret they are masked.
 */
export async function recorded(
  io: CommandIo,
  verb: RunHeader['verb'],
  inventory: Inventory,
  secrets: readonly (Secret | undefined)[],
  work: (io: CommandIo) => Promise<unknown>,
): Promise<void> {
  let code: number = exits.done
  let mask = maskOf(valuesOf(inventory, secrets))
  const record = openRecord(
    runsDir(io.env, io.home),
    {
      verb,
      cluster: inventory.cluster.name,
      inventory: resolve(io.cwd, inventory.file),
      hosts: inventory.hosts.map(({ name }) => name),
      began: new Date().toISOString(),
      by: `${io.user}@${hostname()}`,
      version: await versionOfK8snet(),
    },
    { mask: (text) => mask(text), clock: () => performance.now() },
  )
  const close = async (exit: number, result: unknown) => {
    const problem = await record.close(io.signal.aborted && exit !== exits.done ? stopped(io.signal) : exit, result)
    if (problem) io.err(`note: the record of this run is not complete: ${problem}\n`)
  }
  try {
    const result = await work({
      ...io,
      follow: both(record, io.follow),
      ...(io.secrets && {
        secrets: async () => {
          const given = await io.secrets!()
          mask = maskOf(valuesOf(inventory, secrets, given))
          return given
        },
      }),
      exit: (it) => {
        code = it
        io.exit(it)
      },
    })
    const late = io.signal.reason instanceof Failure ? failureJson(io.signal.reason).errors : undefined
    await close(code, late ? { ...(result as object), errors: late } : result)
  } catch (error) {
    const cause = io.signal.reason instanceof Failure ? io.signal.reason : error
    const failure = cause instanceof Failure ? cause : undefined
    const message = error instanceof Error ? error.message : String(error)
    await close(failure?.exit ?? exits.defect, failure ? failureJson(failure) : { ok: false, errors: [{ message }] })
    throw error
  }
}

/** The exit code of a command that was stopped: by Ctrl-C, or by the end of its time. */
export function stopped(signal: AbortSignal): number {
  return signal.reason instanceof Failure ? signal.reason.exit : exits.interrupted
}

function both(one: Follow, other: Follow | undefined): Follow {
  return {
    phase(phase) {
      one.phase(phase)
      other?.phase(phase)
    },
    event(event) {
      one.event(event)
      other?.event(event)
    },
  }
}
