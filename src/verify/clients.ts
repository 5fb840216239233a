import type { Eyes } from '../model/ports.ts'
import type { Case } from './case.ts'
import { clientScript, type Place, type Programs } from './host-script.ts'
import { containersOfA, podA, podB } from './manifests.ts'
import { type ProbeResult, parseResult, parseStarted } from './probe.ts'
import type { NodeServers } from './servers.ts'
import { type Fault, troubleOf } from './trouble.ts'

/** How long a probe may take, at first and when what failed is tried again: proxy rules may still be on their way. */
export const tries = [2, 3] as const
/** A program runs this many probes at once; see templates/probe.py. */
const atOnce = 200

export interface Asking {
  readonly seconds: number
  readonly signal?: AbortSignal
  /** Gets the id of a lasting probe once it is under way. */
  readonly started?: (id: number) => void
}

/** Makes the probes of these cases, all of one node, in one exec; returns results by probe, or why there are none. */
export async function runClients(
  eyes: Eyes,
  cases: readonly Case[],
  servers: NodeServers,
  programs: Programs,
  { seconds, signal, started }: Asking,
): Promise<Map<number, ProbeResult>> {
  const results = new Map<number, ProbeResult>()
  const batches = (['a', 'b', 'host'] as const)
    .map((place) => ({
      place: placeOf(place, eyes.host.name, servers),
      probes: cases.filter((item) => item.place === place).flatMap((item) => item.probes),
    }))
    .filter((batch): batch is typeof batch & { place: Place } => batch.place !== null && batch.probes.length > 0)
  const rounds = Math.max(1, ...batches.map(({ probes }) => Math.ceil(probes.length / atOnce)))
  const longest = Math.max(seconds, ...batches.flatMap(({ probes }) => probes.map((probe) => probe.seconds ?? 0)))
  await eyes.look(clientScript(programs, batches, seconds), {
    timeoutMs: (rounds * longest + 15) * 1000,
    ...(signal && { signal }),
    onLine(line) {
      const result = parseResult(line)
      if (result) results.set(result.id, result)
      const id = started && parseStarted(line)
      if (id) started(id)
    },
  })
  return results
}

/** The second time, some probes wait longer. */
export function patient(item: Case): Case {
  const probes = item.probes.map((probe) => (probe.again ? { ...probe, seconds: probe.again } : probe))
  return { ...item, probes }
}

function placeOf(place: Case['place'], node: string, { pids }: NodeServers): Place | null {
  if (place === 'host') return 'host'
  const pid = pids.get(place === 'a' ? `${podA(node)}/${containersOfA[1]}` : `${podB(node)}/${containersOfA[0]}`)
  return pid ? { pid } : null
}

/** Like {@link runClients} for many nodes side by side; a node that cannot be asked is in `lost` and holds up nobody. */
export async function runEverywhere(
  nodes: readonly Eyes[],
  cases: readonly Case[],
  servers: ReadonlyMap<string, NodeServers>,
  programs: Programs,
  asking: Asking,
): Promise<{ results: Map<number, ProbeResult>; lost: Map<string, Fault> }> {
  const results = new Map<number, ProbeResult>()
  const lost = new Map<string, Fault>()
  await Promise.all(
    nodes.map(async (eyes) => {
      const node = eyes.host.name
      const own = cases.filter((item) => item.node === node && item.probes.length > 0)
      const there = servers.get(node)
      if (own.length === 0 || !there) return
      try {
        for (const [id, result] of await runClients(eyes, own, there, programs, asking)) results.set(id, result)
      } catch (cause) {
        lost.set(node, troubleOf(cause))
      }
    }),
  )
  return { results, lost }
}
